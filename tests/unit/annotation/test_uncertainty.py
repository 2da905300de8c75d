"""How unsure a model is."""

import pytest

from annotation.uncertainty import uncertainty


def test_it_is_0_for_one_label_alone_and_1_for_all_alike() -> None:
    assert uncertainty({"a": 1.0, "b": 0.0, "c": 0.0}) == 0
    assert uncertainty({"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}) == pytest.approx(1)


def test_both_the_margin_and_the_entropy_count() -> None:
    near = uncertainty({"a": 0.5, "b": 0.5, "c": 0.0})
    assert near > uncertainty({"a": 0.6, "b": 0.4, "c": 0.0})  # a larger margin
    assert near < uncertainty({"a": 0.4, "b": 0.4, "c": 0.2})  # more labels in question


def test_two_labels_are_by_their_margin() -> None:
    found = [uncertainty({"a": a, "b": 1 - a}) for a in (0.5, 0.55, 0.7, 0.9, 1.0)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 5


def test_scores_need_not_sum_to_1() -> None:
    assert uncertainty({"a": 8.0, "b": 2.0}) == pytest.approx(uncertainty({"a": 0.8, "b": 0.2}))


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"a": 1.0},
        {"a": float("nan"), "b": 0.5},
        {"a": float("inf"), "b": 0.5},
        {"a": -0.5, "b": 0.5},
        {"a": 0.0, "b": 0.0},
        {"a": 1e308, "b": 1e308},
    ],
)
def test_scores_that_say_nothing_do_not_say_that_it_is_sure(scores: dict[str, float]) -> None:
    assert uncertainty(scores) == 1
