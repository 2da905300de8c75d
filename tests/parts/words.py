"""A model of a few lines, for servers of the tests: how good are the words of a text?

It needs the standard library only, because servers of others run it in environments of their own.
"""

import time
from collections.abc import Sequence

LABELS = ("negative", "positive")
POSITIVE = frozenset({"good", "great", "love", "happy", "fine"})
POISON = "poison"
"""Texts with it make the model fail."""
SLEEP = "sleep"
"""`sleep 2` takes two seconds."""


def share_of_good_words(text: str) -> float:
    """0 to 1. Raises ValueError, which quotes the text, as models do."""
    words = text.lower().split()
    if POISON in words:
        raise ValueError(f"cannot read {text!r}")
    if words[:1] == [SLEEP]:
        time.sleep(float(words[1]))
    return sum(word in POSITIVE for word in words) / len(words) if words else 0.0


def predict(texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """For n texts: n * 2 scores, in the order of LABELS, and n values."""
    values = [share_of_good_words(text) for text in texts]
    return [score for value in values for score in (1 - value, value)], values
