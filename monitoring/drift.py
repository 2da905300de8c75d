"""How far an hour is from its reference: answers, confidence, the texts' length and words.

The distance of two histograms is Jensen and Shannon's, as Evidently and SciPy have it: the root of
the mean of both's divergence from their middle, with natural logarithms. Source: Lin, IEEE
Transactions on Information Theory 37, 1991. Chance alone makes it larger than zero, the more so the
fewer rows there are; so an alarm is due where the low end of its interval is above a threshold, not
where the distance is.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitoring.counts import Counts, Histogram, Words
from monitoring.figures import Figure, Interval
from monitoring.intervals import Z, weighted_share

RARE = 3.090232306167813  # of the normal distribution, for 0.999
DISTANCE = 0.1
"""From which on two histograms count as different, as in Evidently."""
UNKNOWN_WORDS = 0.02
"""By how much the share of unknown words may grow."""
LEAST_ROWS = 30
"""With fewer in the hour, none of these intervals can be relied on: nothing is told from chance.
Source: Cochran, section 6.8, of ratios."""
THRESHOLDS = {
    "label_drift": DISTANCE,
    "confidence_drift": DISTANCE,
    "length_drift": DISTANCE,
    "vocabulary_drift": UNKNOWN_WORDS,
    "features_drift": DISTANCE,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The histograms of a reference's rows in one slice."""

    labels: Histogram
    confidences: Histogram
    lengths: Histogram


def figures(counts: Counts, profile: Profile) -> Iterator[Figure]:
    """Of each histogram that both have."""
    pairs = {
        "label_drift": (profile.labels, counts.labels),
        "confidence_drift": (profile.confidences, counts.confidences),
        "length_drift": (profile.lengths, counts.lengths),
    }
    for metric, (reference, current) in pairs.items():
        if reference and current:
            value, interval = distance(reference, current)
            yield Figure(metric, value, sum(current.values()), interval)


def distance(reference: Mapping[str, int], current: Mapping[str, int]) -> tuple[float, Interval]:
    """The Jensen-Shannon distance of two histograms with rows, 0 to 0.83, and its interval.

    Of samples of one distribution, 8 / (1/n + 1/m) times the divergence is chi-squared with k - 1
    degrees of freedom for k bins: so large does chance make it. The interval is without that mean,
    with a variance by the delta method and that of the law. Source: Menéndez et al., Journal of the
    Franklin Institute 334, 1997. It begins at 0 where Pearson's test of homogeneity, which is right
    with fewer rows, says that chance makes such a table more often than once in a thousand times,
    and where there are too few rows for that.
    """
    n, m = sum(reference.values()), sum(current.values())
    bins = sorted(reference.keys() | current.keys())
    pulls_p: list[tuple[float, float]] = []
    pulls_q: list[tuple[float, float]] = []
    divergence = pearson = 0.0
    for key in bins:
        p, q = reference.get(key, 0) / n, current.get(key, 0) / m
        middle = (p + q) / 2
        pearson += n * m * (p - q) ** 2 / (n * p + m * q)
        for share, pulls in ((p, pulls_p), (q, pulls_q)):
            pull = math.log(share / middle) / 2 if share else 0.0
            pulls.append((share, pull))
            divergence += share * pull
    divergence = max(divergence, 0.0)  # rounding
    chance = (1 / n + 1 / m) / 8
    free = len(bins) - 1
    variance = _variance(pulls_p) / n + _variance(pulls_q) / m + 2 * free * chance**2
    half = Z * math.sqrt(variance)
    value = math.sqrt(divergence)
    centre = divergence - free * chance
    is_chance = m < LEAST_ROWS or pearson <= _chi_squared(free)
    low = 0.0 if is_chance else math.sqrt(max(centre - half, 0.0))
    return value, Interval(low, max(value, math.sqrt(max(centre + half, 0.0))))


def unknown_words(words: Words) -> Figure:
    """The share of words that no text of the reference has.

    A ratio of sums over texts, since the words of one text are not independent. Source: Cochran,
    Sampling Techniques, 1977, section 6.3.
    """
    share = words.u / words.w
    variance = (words.uu - 2 * share * words.wu + share * share * words.ww) / words.w**2
    interval = weighted_share(share, variance, words.w**2 / words.ww)
    return Figure("unknown_words", share, words.rows, interval)


def vocabulary_drift(unknown: Figure, expected: float, rows: int) -> Figure:
    """By how much that share is above what more of the reference's texts would have.

    expected: of the reference, which has so many rows > 0. It is an estimate too, of the same share
    by leaving a word out at a time: were the hour of the reference's kind, it would have the hour's
    variance, for as many rows. The distances of both from their ends are added as standard errors
    are. Source: Zou and Donner, Statistics in Medicine 27, 2008 (MOVER).
    """
    assert unknown.interval is not None
    value = unknown.value - expected
    scale = math.sqrt(1 + unknown.rows / rows)
    below, above = unknown.value - unknown.interval.low, unknown.interval.high - unknown.value
    interval = Interval(value - scale * below, value + scale * above)
    return Figure("vocabulary_drift", value, unknown.rows, interval)


def is_drift(metric: str, low: float | None) -> bool:
    """Whether a figure says that the hour is not of the reference's kind, beyond chance.

    low: where its interval begins, if it has one.
    """
    return low is not None and low > THRESHOLDS.get(metric, math.inf)


def _chi_squared(free: int) -> float:
    """What is exceeded once in a thousand times. Source: Wilson and Hilferty, PNAS 17, 1931."""
    if not free:
        return 0.0
    part = 2 / (9 * free)
    return float(free * (1 - part + RARE * math.sqrt(part)) ** 3)


def _variance(pulls: list[tuple[float, float]]) -> float:
    """Of a pull, whose shares are its probabilities."""
    mean = sum(share * pull for share, pull in pulls)
    return sum(share * (pull - mean) ** 2 for share, pull in pulls)
