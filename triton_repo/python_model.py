"""Triton's Python backend runs this file, as <model>/<version>/model.py, in its own process.

It serves the model that lies beside it: see README.md for tensor names, types and shapes.
"""

import importlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# One instance is one thread: torch and BLAS read this when they are imported.
os.environ["OMP_NUM_THREADS"] = "1"
# No byte code among what was registered. (This Python does not read PYTHONDONTWRITEBYTECODE.)
sys.dont_write_bytecode = True
NICENESS = 19


class TritonPythonModel:
    """What the backend looks for: one object for each instance of a version."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version's own code, then its weights."""
        import triton_python_backend_utils  # exists in the backend's process only

        self._backend = triton_python_backend_utils
        directory = Path(args["model_repository"]) / args["model_version"]
        on_gpu = args["model_instance_kind"] == "GPU"
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        with ThreadPoolExecutor(1, initializer=_give_way) as loading:
            self._model = loading.submit(_load, directory, device).result()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer all requests of a batch at once, or one by one if that fails."""
        try:
            return self._answer(requests)
        except Exception as exc:
            if len(requests) > 1:
                return [response for request in requests for response in self.execute([request])]
            return [self._backend.InferenceResponse(error=self._refusal(exc))]

    def _answer(self, requests: Sequence[Any]) -> list[Any]:
        texts: list[str] = []
        ends = []
        for request in requests:
            tensor = self._backend.get_input_tensor_by_name(request, "text").as_numpy()
            texts += [text.decode() for text in tensor.ravel()]
            ends.append(len(texts))
        predictions = self._model.predict(texts)
        outputs = {"scores": predictions.scores, "features": predictions.features}
        if predictions.value is not None:
            outputs["value"] = predictions.value.reshape(-1, 1)
        return [
            self._response(request, {name: rows[start:end] for name, rows in outputs.items()})
            for request, start, end in zip(requests, [0, *ends], ends, strict=False)
        ]

    def _refusal(self, exc: Exception) -> Any:
        """INVALID_ARG sets the model's own failures apart from those of the server.

        It says the kind of the error only, since the message may quote the text.
        """
        error = self._backend.TritonError
        return error(f"the model failed: {type(exc).__name__}", error.INVALID_ARG)

    def _response(self, request: Any, outputs: dict[str, Any]) -> Any:
        wanted = request.requested_output_names()
        return self._backend.InferenceResponse(
            [self._backend.Tensor(name, rows) for name, rows in outputs.items() if name in wanted]
        )


def _give_way() -> None:
    """Lower this thread: the versions that serve have the processor first."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _load(directory: Path, device: str) -> Any:
    sys.path.insert(0, str(directory / "code"))
    module, _, name = json.loads((directory / "model.json").read_text())["class"].partition(":")
    return getattr(importlib.import_module(module), name).load(directory, device=device)
