"""The design of what is labelled: its probabilities, its choices, and what is thinned out."""

from collections import Counter

import numpy as np
import pytest

from annotation.selection import Candidate, Chosen, probabilities, select

SURE, UNSURE = {"a": 0.98, "b": 0.01, "c": 0.01}, {"a": 0.34, "b": 0.33, "c": 0.33}
NAN = float("nan")


def candidate(
    number: int, scores: dict[str, float] = SURE, *, text: str = "", drifted: bool = False
) -> Candidate:
    """One with a text of its own, if none is given."""
    said = text or " ".join(np.random.default_rng(number).choice(list("abcdefghijkl"), 40))
    return Candidate(prediction_id=f"{number:05}", text=said, scores=scores, drifted=drifted)


def often(candidates: list[Candidate], count: int, *, times: int = 400) -> "Counter[str]":
    """How often each is chosen."""
    return Counter(
        chosen.prediction_id
        for seed in range(times)
        for chosen in select(candidates, count, 0.2, seed)
    )


def test_as_many_are_chosen_as_are_asked_for_and_none_twice() -> None:
    candidates = [candidate(i, UNSURE if i % 5 == 0 else SURE) for i in range(300)]
    for seed in range(20):
        chosen = select(candidates, 40, 0.2, seed)
        assert len({one.prediction_id for one in chosen}) == len(chosen) == 40


def test_each_is_chosen_as_often_as_its_weight_says() -> None:
    same = "the same text, sent again and again"
    candidates = [candidate(i, UNSURE if i < 10 else SURE, drifted=i % 7 == 0) for i in range(30)]
    candidates += [candidate(i, UNSURE, text=same) for i in range(30, 40)]
    weights: dict[str, float] = {}
    for seed in range(400):
        for chosen in select(candidates, 8, 0.3, seed):
            assert weights.setdefault(chosen.prediction_id, chosen.weight) == chosen.weight
    assert len(weights) == len(candidates)  # each has its chance
    assert sum(1 / weight for weight in weights.values()) == pytest.approx(8)
    found = Counter(
        chosen.prediction_id for seed in range(400) for chosen in select(candidates, 8, 0.3, seed)
    )
    for prediction, weight in weights.items():
        chance = 1 / weight
        deviation = (400 * chance * (1 - chance)) ** 0.5
        assert abs(found[prediction] - 400 * chance) < 5 * deviation + 1e-9


def test_probabilities_have_the_sum_that_is_asked_for_and_end_at_one() -> None:
    wants = np.random.default_rng(1).random(200) ** 8
    for count in (1, 3, 50, 199, 200):
        for share in (0.01, 0.2, 1.0):
            chance = probabilities(wants / wants.sum(), share * count / 200, count)
            assert chance.sum() == pytest.approx(count)
            assert chance.min() >= share * count / 200 - 1e-12
            assert chance.max() <= 1


def test_the_uncertain_ones_are_chosen_before_others_and_the_control_as_often_as_asked() -> None:
    candidates = [candidate(i, UNSURE if i < 200 else SURE) for i in range(1_000)]
    choices: Counter[str] = Counter()
    uncertain = 0
    for seed in range(20):
        for chosen in select(candidates, 100, 0.2, seed):
            choices[chosen.choice] += 1
            uncertain += chosen.prediction_id < "00200"
    assert set(choices) == {"uncertain", "control"}
    assert 300 < choices["control"] < 500  # of 2,000
    assert uncertain > 1_600  # by chance it would be 400


def test_the_control_alone_is_alike_for_all() -> None:
    candidates = [candidate(i, UNSURE if i < 250 else SURE) for i in range(1_000)]
    control = [
        chosen.prediction_id < "00250"
        for seed in range(20)
        for chosen in select(candidates, 100, 0.5, seed)
        if chosen.choice == "control"
    ]
    assert 0.2 < np.mean(control) < 0.3


def test_drifted_slices_are_asked_about_though_the_model_is_sure_there() -> None:
    candidates = [candidate(i, UNSURE if i < 500 else SURE, drifted=i >= 900) for i in range(1_000)]
    choices: Counter[str] = Counter()
    for seed in range(10):
        for chosen in select(candidates, 100, 0.2, seed):
            choices[chosen.choice] += 1
            assert chosen.choice != "drifted" or chosen.prediction_id >= "00900"
    assert 350 < choices["drifted"] < 450
    assert 350 < choices["uncertain"] < 450


def test_near_duplicates_share_the_chance_of_one_and_each_has_its_own() -> None:
    text = "My order has not come yet, and nobody at all answers the phone: number {}"
    again = [candidate(i, UNSURE, text=text.format(i)) for i in range(100)]
    others = [candidate(i, UNSURE) for i in range(100, 200)]
    chosen = select(again + others, 20, 0.01, seed=1)
    repeated = [one for one in chosen if one.prediction_id < "00100"]
    assert len(repeated) <= 2
    assert len(often(again + others, 20)) > 150


def test_who_is_sure_of_everything_is_asked_by_chance() -> None:
    for scores in ({"a": 1.0, "b": 0.0}, {"only": 1.0}, {}, {"a": NAN, "b": 0.5}):
        chosen = select([candidate(i, scores) for i in range(50)], 10, 0.2, seed=1)
        assert [one.weight for one in chosen] == pytest.approx([5.0] * 10)


def test_ties_are_alike() -> None:
    found = often([candidate(i, UNSURE) for i in range(20)], 5)
    assert len(found) == 20
    assert min(found.values()) > 60  # 100 are expected


@pytest.mark.parametrize("count", [7, 8, 1_000])
def test_where_there_are_no_more_all_are_chosen_and_stand_for_themselves(count: int) -> None:
    chosen = select([candidate(i) for i in range(7)], count, 0.2, seed=1)
    assert sorted(one.prediction_id for one in chosen) == [f"{i:05}" for i in range(7)]
    assert {one.weight for one in chosen} == {1.0}


def test_of_nothing_nothing_is_chosen() -> None:
    assert select([], 10, 0.2, seed=1) == []
    assert select([candidate(1)], 0, 0.2, seed=1) == []


def test_a_seed_decides_and_not_the_order_of_the_candidates() -> None:
    candidates = [candidate(i, UNSURE if i % 3 else SURE) for i in range(100)]
    chosen = select(candidates, 10, 0.2, seed=5)
    assert chosen == select(candidates[::-1], 10, 0.2, seed=5)
    assert chosen != select(candidates, 10, 0.2, seed=6)


def test_the_first_ones_are_like_all() -> None:
    """Whoever stops after half of them has not labelled the uncertain ones only."""
    candidates = [candidate(i, UNSURE if i < 300 else SURE) for i in range(1_000)]

    def unsure(chosen: list[Chosen]) -> float:
        return float(np.mean([one.prediction_id < "00300" for one in chosen]))

    halves = [
        (unsure(chosen[:50]), unsure(chosen[50:]))
        for chosen in (select(candidates, 100, 0.5, seed) for seed in range(20))
    ]
    first, second = np.mean(halves, axis=0)
    assert abs(first - second) < 0.1


@pytest.mark.parametrize(("count", "share"), [(-1, 0.2), (10, 0.0), (10, 1.5), (10, NAN)])
def test_what_cannot_be_is_refused(count: int, share: float) -> None:
    with pytest.raises(ValueError, match="needed"):
        select([candidate(1)], count, share, seed=1)


def test_a_candidate_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        select([candidate(1), candidate(1)], 1, 0.2, seed=1)
