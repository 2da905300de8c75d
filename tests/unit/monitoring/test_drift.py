"""Distances of histograms, and what chance makes of them."""

from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from monitoring import drift
from monitoring.counts import Words
from monitoring.drift import is_drift
from monitoring.references import PLACES, Vocabulary

SHARES = {"negative": 0.5, "neutral": 0.2, "positive": 0.3}
MOVED = {"negative": 0.2, "neutral": 0.2, "positive": 0.6}


def drawn(shares: dict[str, float], rows: int, seed: int) -> "Counter[str]":
    counts = np.random.default_rng(seed).multinomial(rows, list(shares.values()))
    return Counter(dict(zip(shares, counts.tolist(), strict=True)))


def test_a_distance_is_that_of_scipy() -> None:
    one, other = drawn(SHARES, 500, 1), drawn(MOVED, 300, 2) + Counter(new=7)
    keys = sorted(one | other)
    expected = jensenshannon([one[k] for k in keys], [other[k] for k in keys])
    value, interval = drift.distance(one, other)
    assert value == pytest.approx(expected)
    assert interval.low <= value <= interval.high


@pytest.mark.parametrize("rows", [1, 5, 30, 100, 1_000, 100_000])
@pytest.mark.parametrize("bins", [2, 3, 20])
def test_chance_alone_is_no_drift(rows: int, bins: int) -> None:
    shares = {str(i): 1 / bins for i in range(bins)}
    reference = drawn(shares, 2_000, 0)
    for seed in range(1, 101):
        _, interval = drift.distance(reference, drawn(shares, rows, seed))
        assert not is_drift("label_drift", interval.low)


def test_a_shift_is_drift_once_there_are_rows_enough_to_tell() -> None:
    reference = drawn(SHARES, 2_000, 0)
    flagged = {
        rows: sum(
            is_drift("label_drift", drift.distance(reference, drawn(MOVED, rows, seed))[1].low)
            for seed in range(1, 51)
        )
        for rows in (3, 1_000)
    }
    assert flagged == {3: 0, 1_000: 50}


def test_an_interval_has_the_true_distance_as_often_as_it_says() -> None:
    true = float(jensenshannon(list(SHARES.values()), list(MOVED.values())))
    intervals = [
        drift.distance(drawn(SHARES, 1_000, seed), drawn(MOVED, 400, 1_000 + seed))[1]
        for seed in range(200)
    ]
    assert sum(low <= true <= high for low, high in intervals) >= 180


def test_what_more_texts_of_a_kind_would_not_know_is_foretold() -> None:
    """Words of a law with a long tail: a half of the texts says what the other half lacks."""
    random = np.random.default_rng(3)
    words = np.minimum(random.zipf(1.4, 40_000), PLACES - 1)
    known, others = words[:20_000], words[20_000:]
    vocabulary = Vocabulary.of(Counter(known.tolist()).items())
    assert vocabulary is not None
    unknown = float(np.mean(~np.isin(others, known)))
    assert vocabulary.unknown_words == pytest.approx(unknown, abs=0.01)
    bits = np.unpackbits(np.frombuffer(vocabulary.bits, np.uint8), bitorder="little")
    assert set(np.flatnonzero(bits)) == set(known)


def test_unknown_words_are_told_against_what_was_foretold() -> None:
    figure = drift.unknown_words(Words(100, 2_000.0, 300.0, 40_100.0, 6_050.0, 1_000.0))
    assert figure.value == 0.15
    drifted = drift.vocabulary_drift(figure, 0.05, rows=1_000)
    assert drifted.value == pytest.approx(0.1)
    assert drifted.interval is not None
    assert is_drift("vocabulary_drift", drifted.interval.low)
    of_one = drift.vocabulary_drift(figure, 0.05, rows=1).interval
    assert of_one is not None  # a text, which foretells little
    assert not is_drift("vocabulary_drift", of_one.low)
    assert of_one.high > drifted.interval.high
    assert not is_drift("unknown_words", 1.0)  # of which alone nothing follows
    assert not is_drift("label_drift", None)
