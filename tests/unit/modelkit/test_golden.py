"""What a model said when it was trained, and whether it still says so."""

from pathlib import Path

import numpy as np
import pytest

from modelkit.abstract_model import Predictions
from modelkit.golden import EDGE_TEXTS, Golden, GoldenMismatch
from tests.unit.modelkit.counter import Counter


@pytest.fixture
def golden() -> Golden:
    return Golden.record(Counter(), [f"text {n} " + "a" * n for n in range(95)])


def test_some_held_out_texts_and_all_edge_cases_are_asked(golden: Golden) -> None:
    assert len(golden.texts) == 10 + len(EDGE_TEXTS)
    assert golden.texts[-len(EDGE_TEXTS) :] == list(EDGE_TEXTS)


def test_one_held_out_text_is_enough() -> None:
    assert Golden.record(Counter(), ["only"]).texts == ["only", *EDGE_TEXTS]


def test_what_is_written_is_read(golden: Golden, tmp_path: Path) -> None:
    golden.write(tmp_path)
    assert Golden.read(tmp_path) == golden


def test_the_same_model_passes(golden: Golden) -> None:
    golden.check(Counter().predict(golden.texts))


@pytest.mark.parametrize("change", [1e-2, float("nan")])
@pytest.mark.parametrize("name", ["scores", "value"])
def test_another_number_does_not_pass(golden: Golden, name: str, change: float) -> None:
    predictions = Counter().predict(golden.texts)
    getattr(predictions, name)[3] += change
    with pytest.raises(GoldenMismatch, match=f"{name} are off by"):
        golden.check(predictions)


def test_other_shapes_do_not_pass(golden: Golden) -> None:
    scores, features, value = Counter().predict(golden.texts)
    for predictions, problem in [
        (Predictions(scores, np.hstack([features, features]), value), "features have 2"),
        (Predictions(scores[1:], features[1:], value), "scores have the shape"),
        (Predictions(scores, features, None), "value have the shape"),
    ]:
        with pytest.raises(GoldenMismatch, match=problem):
            golden.check(predictions)
