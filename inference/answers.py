"""What a server says of texts, checked: nothing goes on that the contract could not carry."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contract.errors import ModelFailed
from contract.limits import SCORES_TOLERANCE
from inference.output import Output
from inference.tensors import ERROR, FEATURES, SCORES, VALUE, BadTensor, BoolArray, FloatArray


class Answers(NamedTuple):
    """What a server says of n texts, in their order."""

    outputs: list[Output | ModelFailed]
    features: FloatArray | None
    """(n, d), d >= 1; rows of failed texts mean nothing. None: not asked for, or there are none."""

    def good(self) -> list[int]:
        """Which texts have an output."""
        return [row for row, output in enumerate(self.outputs) if isinstance(output, Output)]


def check(
    tensors: Mapping[str, npt.NDArray[Any]], model: str, labels: Sequence[str], count: int
) -> Answers:
    """The answers for `count` texts. labels: in the order of the scores.

    A text whose numbers are none, or whose scores are no shares of 1, has failed by itself.
    Raises BadTensor if the tensors are not those of the contract at all.
    """
    if not labels:
        raise BadTensor("the version has no labels")
    if SCORES not in tensors:
        raise BadTensor(f"there is no output {SCORES}")
    scores = _floats(tensors[SCORES], SCORES, (count, len(labels)))
    value = _floats(tensors[VALUE], VALUE, (count, 1)) if VALUE in tensors else None
    features = _features(tensors[FEATURES], count) if FEATURES in tensors else None
    error = _flags(tensors[ERROR], count) if ERROR in tensors else None
    good = _good(scores, value, error)
    numbers = [None] * count if value is None else value.ravel().tolist()
    shares = np.minimum(scores, 1).tolist()
    rows = zip(good, scores.argmax(axis=1).tolist(), shares, numbers, strict=True)
    return Answers(
        [
            Output(labels[best], row[best], dict(zip(labels, row, strict=True)), number)
            if is_good
            else ModelFailed(model)
            for is_good, best, row, number in rows
        ],
        features,
    )


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers of parts of a batch, in order; rows of features where any part has them."""
    outputs = [output for part in parts for output in part.outputs]
    width = next((part.features.shape[1] for part in parts if part.features is not None), 0)
    if not width:
        return Answers(outputs, None)
    rows: list[FloatArray] = [
        part.features
        if part.features is not None
        else np.zeros((len(part.outputs), width), np.float32)
        for part in parts
    ]
    return Answers(outputs, np.concatenate(rows))


def _good(scores: FloatArray, value: FloatArray | None, error: BoolArray | None) -> list[bool]:
    """Which texts have an answer that can be recorded and sent as JSON."""
    # NaN fails every comparison.
    good = (np.abs(scores.sum(axis=1) - 1) <= SCORES_TOLERANCE) & (scores >= 0).all(axis=1)
    if value is not None:
        good &= np.isfinite(value).all(axis=1)
    if error is not None:
        good &= ~error
    flags: list[bool] = good.tolist()
    return flags


def _floats(array: npt.NDArray[Any], name: str, shape: tuple[int, int]) -> FloatArray:
    if array.dtype.kind != "f":
        raise BadTensor(f"{name} are {array.dtype}, not float")
    if array.shape != shape:
        if array.size == shape[0] * shape[1] and name == VALUE:
            return array.reshape(shape)  # some servers leave out dimensions of one
        raise BadTensor(f"{name} have the shape {array.shape}, not {shape}")
    return array


def _flags(array: npt.NDArray[Any], count: int) -> BoolArray:
    if array.dtype.kind != "b" or array.size != count:
        raise BadTensor(f"{ERROR} are {array.dtype} of the shape {array.shape}, not ({count}, 1)")
    return array.ravel()


def _features(array: npt.NDArray[Any], count: int) -> FloatArray | None:
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[0] != count:
        raise BadTensor(f"{FEATURES} have the shape {array.shape}, not ({count}, d)")
    return array.astype(np.float32, copy=False) if array.shape[1] else None
