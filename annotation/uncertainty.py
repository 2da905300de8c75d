"""How unsure a model is of an answer, by the scores of its labels."""

import math
from collections.abc import Mapping


def uncertainty(scores: Mapping[str, float]) -> float:
    """From 0, sure, to 1, all labels alike: the mean of two measures, of scores scaled to sum to 1.

    One is 1 - margin, where the margin is between the best two scores: whether a little would
    change the answer. The other is the entropy, over the most that it can be: how many labels are
    in question. With two labels both put texts in the same order; with more, the margin alone takes
    a toss-up of two labels for one of ten. Scores that say nothing, as there are fewer than two of
    them, or one is no number or negative, are 1: nothing tells that the model is sure.
    Source: Settles, Active Learning Literature Survey, 2009, section 3.1.
    """
    values = list(scores.values())
    total = sum(values)
    if len(values) < 2 or not all(value >= 0 for value in values) or not 0 < total < math.inf:
        return 1.0
    shares = sorted((value / total for value in values), reverse=True)
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    found = (1 - (shares[0] - shares[1]) + entropy / math.log(len(shares))) / 2
    return min(max(found, 0.0), 1.0)
