"""A server of others, asked for one version; its answers are checked as those of artifacts are."""

from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from contract.limits import SCORES_TOLERANCE
from inference.blocking import InferenceError, ServerUnavailable, infer, stub
from inference.calls import PROBE_TEXT
from inference.tensors import FEATURES, SCORES, VALUE, BadTensor, infer_request, read_outputs
from modelkit.abstract_model import FloatArray, Predictions
from rollout.refusal import Reason, Refused

ANSWER_S = 60.0
BATCH_SIZE = 32
"""Of the longest texts, as many as fit into gRPC's usual 4 MiB."""
NOBODYS = "999999"
"""Appended to the number of a version, it is one that no server has."""


class ForeignServer:
    """One version of one model, by the address of its server."""

    def __init__(self, address: str, model: str, version: str, *, labels: Sequence[str]) -> None:
        """labels: of the version, in the order of its scores."""
        self.address = address
        self._model = model
        self._version = version
        self._labels = labels

    def ask(self, texts: Sequence[str]) -> Predictions:
        """What the version says of n >= 1 texts; without features, they are (n, 0).

        Raises Refused: nothing of what the server says is in it, since that may quote a text.
        """
        starts = range(0, len(texts), BATCH_SIZE)
        parts = [self._ask(texts[start : start + BATCH_SIZE]) for start in starts]
        scores, features, values = zip(*parts, strict=True)
        value = None if values[0] is None else np.concatenate(values)
        try:
            return Predictions(np.concatenate(scores), np.concatenate(features), value)
        except ValueError as error:
            detail = "the number of features differs from batch to batch"
            raise Refused(Reason.OUTPUT_SHAPE, detail) from error

    def ignores_versions(self) -> bool:
        """Whether a server that has answered for the version does so for one that nobody has."""
        nobodys = f"{self._version}{NOBODYS}"
        try:
            infer(self.address, self._model, nobodys, [PROBE_TEXT], timeout_s=ANSWER_S)
        except InferenceError:  # with whatever code: some call an unknown version UNAVAILABLE
            return False
        return True

    def _ask(self, texts: Sequence[str]) -> Predictions:
        request = infer_request(self._model, self._version, texts, [])
        try:
            with stub(self.address) as server:
                response = server.ModelInfer(request, timeout=ANSWER_S)
            outputs = read_outputs(response)
        except ServerUnavailable as error:
            detail = f"{self.address} {_code(error)}"
            raise Refused(Reason.SERVER_UNAVAILABLE, detail) from error
        except InferenceError as error:
            detail = f"{self.address} answers {len(texts)} texts with {_code(error)}"
            raise Refused(Reason.FAILS, detail) from error
        except BadTensor as error:
            raise Refused(Reason.OUTPUT_SHAPE, str(error)) from error
        if response.model_version not in ("", self._version):  # some servers name none
            said = f"{self.address} answers as version {response.model_version!r}"
            raise Refused(Reason.ANOTHER_VERSION, said)
        return self._checked(outputs, len(texts))

    def _checked(self, outputs: dict[str, npt.NDArray[Any]], count: int) -> Predictions:
        if SCORES not in outputs:
            raise Refused(Reason.OUTPUT_NAME, f"there is no output {SCORES!r} of floats")
        scores = _floats(SCORES, outputs[SCORES], (count, len(self._labels)))
        if np.abs(scores.sum(axis=1) - 1).max() > SCORES_TOLERANCE or scores.min() < 0:
            raise Refused(Reason.FAILS, "the scores of a text are no shares of 1")
        features = outputs.get(FEATURES, np.zeros((count, 0), np.float32))
        width = features.shape[1] if features.ndim == 2 else 1
        features = _floats(FEATURES, features, (count, width))
        if VALUE not in outputs:
            return Predictions(scores, features)
        value = _floats(VALUE, outputs[VALUE].reshape(-1, 1), (count, 1))
        return Predictions(scores, features, value.ravel())


def _floats(name: str, array: npt.NDArray[Any], shape: tuple[int, int]) -> FloatArray:
    if array.dtype.kind != "f":
        raise Refused(Reason.OUTPUT_TYPE, f"{name} are {array.dtype}, not floats")
    if array.shape != shape:
        raise Refused(Reason.OUTPUT_SHAPE, f"{name} are {array.shape}, not {shape}")
    if not np.isfinite(array).all():
        raise Refused(Reason.FAILS, f"{name} are not all finite")
    return array.astype(np.float32, copy=False)


def _code(error: InferenceError) -> str:
    """The gRPC code behind an error."""
    cause = error.__cause__
    return str(cause.code().name) if isinstance(cause, grpc.Call) else type(error).__name__
