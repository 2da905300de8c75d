"""Triton's Python backend runs this file, as <model>/<version>/model.py, in its own process.

It serves the model that lies beside it: see README.md for tensor names, types and shapes.
"""

import gc
import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# One instance is one thread: torch and BLAS read this when they are imported.
os.environ["OMP_NUM_THREADS"] = "1"
# No byte code among what was registered. (This Python does not read PYTHONDONTWRITEBYTECODE.)
sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

NICENESS = 19


class TritonPythonModel:
    """What the backend looks for: one object for each instance of a version."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version's own code, then its weights."""
        import triton_python_backend_utils  # exists in the backend's process only

        self._backend = triton_python_backend_utils
        self._name = f"{args['model_name']} {args['model_version']}"
        self._told_s = 0
        directory = Path(args["model_repository"]) / args["model_version"]
        declared = json.loads((directory / "model.json").read_text())["outputs"]
        self._sizes = {output["name"]: output["shape"][1] for output in declared}
        on_gpu = args["model_instance_kind"] == "GPU"
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        load_model = runpy.run_path(str(directory / "loading.py"))["load_model"]
        with ThreadPoolExecutor(1, initializer=_give_way) as loading:
            self._model = loading.submit(load_model, directory, device=device).result()
        # What is loaded stays: to look through it for garbage again and again costs a tenth.
        gc.collect()
        gc.freeze()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer all requests of a batch at once, or one by one if that fails."""
        batches = [self._texts(request) for request in requests]
        try:
            outputs = self._predict([text for texts in batches for text in texts])
        except Exception as exc:
            self._tell(exc)
            if len(requests) > 1:
                return [response for request in requests for response in self.execute([request])]
            return [self._answer_by_row(requests[0], batches[0], exc)]
        responses, start = [], 0
        for request, texts in zip(requests, batches, strict=True):
            end = start + len(texts)
            responses.append(self._response(request, outputs, start, end))
            start = end
        return responses

    def _tell(self, exc: Exception) -> None:
        """In a line of Triton's log, one a second at most: a model may fail for every text."""
        if (now_s := int(time.monotonic())) != self._told_s:
            self._told_s = now_s
            self._backend.Logger.log_warn(f"{self._name}: the model failed: {type(exc).__name__}")

    def _texts(self, request: Any) -> list[str]:
        tensor = self._backend.get_input_tensor_by_name(request, "text").as_numpy()
        return [text.decode() for text in tensor.ravel()]

    def _predict(self, texts: Sequence[str]) -> dict[str, Any]:
        """The outputs for n texts: (n, size) each."""
        predictions = self._model.predict(texts)
        outputs = {
            "scores": predictions.scores,
            "features": predictions.features,
            "error": np.zeros((len(texts), 1), bool),
        }
        if predictions.value is not None:
            outputs["value"] = predictions.value.reshape(-1, 1)
        return outputs

    def _answer_by_row(self, request: Any, texts: Sequence[str], exc: Exception) -> Any:
        """Who asks for `error` is told which texts it was; others, that it was one of them."""
        if "error" not in request.requested_output_names():
            return self._backend.InferenceResponse(error=self._refusal(exc))
        return self._response(request, self._halve(texts), 0, len(texts))

    def _halve(self, texts: Sequence[str]) -> dict[str, Any]:
        """Predict texts that failed together so that each which fails does so alone."""
        if len(texts) == 1:
            return self._failed_row()
        middle = len(texts) // 2
        halves = [self._predict_each(part) for part in (texts[:middle], texts[middle:])]
        names = halves[0].keys() & halves[1].keys()
        return {name: np.concatenate([half[name] for half in halves]) for name in names}

    def _predict_each(self, texts: Sequence[str]) -> dict[str, Any]:
        try:
            return self._predict(texts)
        except Exception:  # whatever a model raises
            return self._halve(texts)

    def _failed_row(self) -> dict[str, Any]:
        zeros = {name: np.zeros((1, size), np.float32) for name, size in self._sizes.items()}
        return {**zeros, "error": np.ones((1, 1), bool)}

    def _refusal(self, exc: Exception) -> Any:
        """INVALID_ARG sets the model's own failures apart from those of the server.

        It says the kind of the error only, since the message may quote the text.
        """
        error = self._backend.TritonError
        return error(f"the model failed: {type(exc).__name__}", error.INVALID_ARG)

    def _response(self, request: Any, outputs: Mapping[str, Any], start: int, end: int) -> Any:
        """Rows of the outputs that the request names; one that names none gets all."""
        wanted = request.requested_output_names()
        return self._backend.InferenceResponse(
            [
                self._backend.Tensor(name, rows[start:end])
                for name, rows in outputs.items()
                if name in wanted
            ]
        )


def _give_way() -> None:
    """Lower this thread: the versions that serve have the processor first."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
