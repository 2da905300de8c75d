"""What the right answers are: the models on Triton, asked directly."""

from collections.abc import Mapping, Sequence

import numpy as np
import tritonclient.grpc as triton
from predict.v1.model_service_pb2 import ListModelsRequest

from tests.e2e.mesh import Mesh

TOLERANCE = 1e-5
BATCH = 256


class Oracle:
    """Version 1 of each model."""

    def __init__(self, mesh: Mesh) -> None:
        self._client = triton.InferenceServerClient(mesh.triton)
        models = mesh.grpc.call("ListModels", ListModelsRequest()).message.models
        self.labels = {model.id: list(model.labels) for model in models}

    def scores(self, model: str, texts: Sequence[str]) -> list[dict[str, float]]:
        """The scores of each text."""
        return [
            scores
            for start in range(0, len(texts), BATCH)
            for scores in self._ask(model, texts[start : start + BATCH])
        ]

    def _ask(self, model: str, texts: Sequence[str]) -> list[dict[str, float]]:
        tensor = triton.InferInput("text", [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
        rows = self._client.infer(model, [tensor], model_version="1").as_numpy("scores")
        assert rows is not None
        return [dict(zip(self.labels[model], row.tolist(), strict=True)) for row in rows]


def agree(given: Mapping[str, float], right: Mapping[str, float]) -> bool:
    """Whether scores are the same but for the rounding of sums."""
    return given.keys() == right.keys() and all(
        abs(given[label] - score) < TOLERANCE for label, score in right.items()
    )
