"""Texts that differ in little more than case, punctuation or a word."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

SIMILARITY = 0.7
"""Near-duplicates share so much of their words: the Jaccard index of their sets of words."""

WORD = re.compile(r"\w+")

Words = frozenset[str]


def words_of(text: str) -> Words:
    """The words of a text without their case, or the text itself where it has none."""
    return frozenset(WORD.findall(text.lower()) or [text])


def near_duplicates(texts: Sequence[str], *, of: Sequence[str]) -> list[bool]:
    """For each text, whether it is a near-duplicate of one of the others.

    Two similar sets must share one of their rarest words: only texts that do are compared.
    Source: Chaudhuri et al., "A Primitive Operator for Similarity Joins", 2006.
    """
    sets, others = [words_of(text) for text in texts], [words_of(text) for text in of]
    frequency = Counter(word for words in (*sets, *others) for word in words)
    holders: dict[str, list[Words]] = defaultdict(list)
    for words in others:
        for word in _rarest(words, frequency):
            holders[word].append(words)
    return [
        any(
            _similar(words, other)
            for word in _rarest(words, frequency)
            for other in holders.get(word, ())
        )
        for words in sets
    ]


def _rarest(words: Words, frequency: Counter[str]) -> Iterator[str]:
    """So many of the rarest words that a similar set cannot be without them all."""
    count = len(words) - math.ceil(SIMILARITY * len(words)) + 1
    yield from sorted(words, key=lambda word: (frequency[word], word))[:count]


def _similar(one: Words, other: Words) -> bool:
    shared = len(one & other)
    return shared >= SIMILARITY * (len(one) + len(other) - shared)
