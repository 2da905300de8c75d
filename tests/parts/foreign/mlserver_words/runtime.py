"""The model of tests/parts/words.py, which is put beside this file, for MLServer."""

from mlserver import MLModel
from mlserver.types import Datatype, InferenceRequest, InferenceResponse, ResponseOutput
from words import LABELS, predict


class Words(MLModel):
    """From `text` BYTES [n, 1] to `scores` FP32 [n, 2] and `value` FP32 [n, 1]."""

    async def load(self) -> bool:
        """There is nothing to load."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """All outputs are answered, whichever were asked for."""
        data = payload.inputs[0].data
        texts = [text.decode() if isinstance(text, bytes) else text for text in data]
        scores, values = predict(texts)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                _output("scores", [len(texts), len(LABELS)], scores),
                _output("value", [len(texts), 1], values),
            ],
        )


def _output(name: str, shape: list[int], data: list[float]) -> ResponseOutput:
    return ResponseOutput(name=name, datatype=Datatype.FP32, shape=shape, data=data)
