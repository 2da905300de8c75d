"""What others reached on the same sentences.

Source: C.J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis
of Social Media Text", ICWSM 2014, table 4. The F1 score there is of three classes, cut at -0.05
and 0.05; the paper does not say how it is averaged.
"""

from typing import NamedTuple


class Figures(NamedTuple):
    """Of one domain."""

    pearson_r: float
    f1: float


BEST_TOOL = {
    "movies": Figures(0.451, 0.61),
    "amazon": Figures(0.565, 0.63),
    "tweets": Figures(0.881, 0.96),
}
"""The best of eight lexicon tools, which need no training."""

ONE_HUMAN = {
    "movies": Figures(0.899, 0.92),
    "amazon": Figures(0.911, 0.85),
    "tweets": Figures(0.888, 0.84),
}
"""One person against the mean of all."""
