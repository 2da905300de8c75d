"""Krippendorff's alpha against numbers that others have worked out."""

from collections import Counter

import pytest

from annotation.agreement import agreement

# Four observers, twelve units, 0: it did not say. Krippendorff, "Computing Krippendorff's
# Alpha-Reliability", 2011, section C, has alpha = 0.743 for these.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)


def units(*observers: tuple[int, ...]) -> list[tuple[dict[str, int], int]]:
    found = [Counter(str(said) for said in unit if said) for unit in zip(*observers, strict=True)]
    return [(dict(unit), 1) for unit in found if unit.total() > 1]


def test_it_is_that_of_the_example_of_its_author() -> None:
    found = agreement(units(*OBSERVERS))
    assert found.alpha is not None
    assert round(found.alpha, 3) == 0.743
    assert (found.predictions, found.labels) == (11, 40)


def test_two_observers_by_hand() -> None:
    # Of 10, 3 are said differently: Do = 6/20. Labels a 11, b 9: De = 2 * 11 * 9 / (20 * 19).
    said = [({"a": 2}, 4), ({"b": 2}, 3), ({"a": 1, "b": 1}, 3)]
    assert agreement(said).alpha == pytest.approx(1 - (6 / 20) / (2 * 11 * 9 / 380))


@pytest.mark.parametrize(
    ("said", "alpha"),
    [
        ([({"a": 2}, 5), ({"b": 2}, 5)], 1.0),
        ([({"a": 3}, 5)], None),  # one label only: chance gives as much
        ([], None),
    ],
)
def test_agreement_in_all_and_of_nothing(
    said: list[tuple[dict[str, int], int]], alpha: float | None
) -> None:
    assert agreement(said).alpha == alpha


def test_who_always_says_the_other_thing_agrees_less_than_chance() -> None:
    alpha = agreement([({"a": 1, "b": 1}, 10)]).alpha
    assert alpha is not None
    assert alpha < 0
