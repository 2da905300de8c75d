"""What is taken for an answer, and what for a text's failure."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from contract.errors import ModelFailed
from inference.answers import Answers, check
from inference.output import Output
from inference.tensors import BadTensor

LABELS = ("negative", "neutral", "positive")
GOOD = [0.2, 0.1, 0.7]


def tensor(rows: list[Any], dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    return np.array(rows, dtype)


def checked(count: int = 1, **tensors: npt.NDArray[Any]) -> Answers:
    return check(tensors, "words", LABELS, count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_label_is_that_of_the_highest_score(dtype: npt.DTypeLike) -> None:
    (output,), features = checked(scores=tensor([GOOD], dtype))
    assert isinstance(output, Output)
    assert output.label == "positive"
    assert output.confidence == pytest.approx(0.7)
    assert output.scores == pytest.approx(dict(zip(LABELS, GOOD, strict=True)))
    assert output.value is None
    assert features is None


def test_a_value_comes_along_as_a_column_or_flat() -> None:
    for value in (tensor([[0.5], [-2]]), tensor([0.5, -2])):
        outputs, _ = checked(2, scores=tensor([GOOD, GOOD]), value=value)
        assert [o.value for o in outputs if isinstance(o, Output)] == [0.5, -2]


def test_features_come_along_as_32_bit_floats() -> None:
    features = checked(scores=tensor([GOOD]), features=tensor([[1, 2]], np.float64)).features
    assert features is not None
    assert features.dtype == np.float32
    assert features.tolist() == [[1, 2]]


def test_features_of_no_width_are_none() -> None:
    assert checked(scores=tensor([GOOD]), features=np.zeros((1, 0), np.float32)).features is None


@pytest.mark.parametrize(
    "row",
    [
        pytest.param([0.2, 0.1, np.nan], id="no number"),
        pytest.param([np.inf, 0.0, 0.0], id="infinite"),
        pytest.param([-0.2, 0.5, 0.7], id="negative"),
        pytest.param([0.2, 0.1, 0.6], id="below one together"),
        pytest.param([0.2, 0.2, 0.7], id="above one together"),
        pytest.param([0.0, 0.0, 0.0], id="zeros"),
    ],
)
def test_a_text_whose_scores_are_no_shares_of_one_has_failed_alone(row: list[float]) -> None:
    outputs, _ = checked(3, scores=tensor([GOOD, row, GOOD]))
    assert [type(output) for output in outputs] == [Output, ModelFailed, Output]


def test_scores_that_are_rounded_are_taken_and_never_exceed_one() -> None:
    (output,), _ = checked(scores=tensor([[0.0, 0.0, 1.0005]]))
    assert isinstance(output, Output)
    assert output.confidence == 1.0
    assert output.scores["positive"] == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_text_whose_value_is_no_number_has_failed_alone(value: float) -> None:
    outputs, _ = checked(2, scores=tensor([GOOD, GOOD]), value=tensor([[value], [1]]))
    assert [type(output) for output in outputs] == [ModelFailed, Output]


def test_a_text_that_the_server_calls_failed_has_failed_whatever_its_numbers() -> None:
    error = tensor([[True], [False]], np.bool_)
    outputs, _ = checked(2, scores=tensor([GOOD, GOOD]), error=error)
    assert [type(output) for output in outputs] == [ModelFailed, Output]


@pytest.mark.parametrize(
    "tensors",
    [
        pytest.param({}, id="no scores"),
        pytest.param({"scores": tensor([GOOD[:2]])}, id="scores for fewer labels"),
        pytest.param({"scores": tensor([[*GOOD, 0]])}, id="scores for more labels"),
        pytest.param({"scores": tensor([GOOD, GOOD])}, id="scores of more texts"),
        pytest.param({"scores": tensor(GOOD)}, id="flat scores"),
        pytest.param({"scores": tensor([[True] * 3], np.bool_)}, id="scores that are flags"),
        pytest.param({"scores": tensor([GOOD]), "value": tensor([[1, 2]])}, id="two values"),
        pytest.param({"scores": tensor([GOOD]), "features": tensor([1])}, id="flat features"),
        pytest.param(
            {"scores": tensor([GOOD]), "features": tensor([[1], [2]])},
            id="features of more texts",
        ),
        pytest.param(
            {"scores": tensor([GOOD]), "error": tensor([True, False], np.bool_)},
            id="errors of more texts",
        ),
        pytest.param({"scores": tensor([GOOD]), "error": tensor([[0]])}, id="errors as numbers"),
    ],
)
def test_what_is_not_of_the_contract_is_no_answer_at_all(
    tensors: dict[str, npt.NDArray[Any]],
) -> None:
    with pytest.raises(BadTensor):
        checked(**tensors)
