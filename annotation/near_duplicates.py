"""Which texts nearly repeat each other, in a time that grows with their number and no faster.

Two texts are near duplicates if their shingles, the runs of SHINGLE characters in them, have a
Jaccard index of about ALIKE or more. MinHash estimates it: the least values of a random function
over both are the same one with just that probability. Only texts whose values agree in a whole band
are compared at all, and those with the first such text only. Source: Broder, On the Resemblance and
Containment of Documents, 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 2020,
chapter 3.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Indices: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]

ALIKE = 0.7
MAX_CHARACTERS = 500
"""A longer text is read so far, so that a few long ones do not take all the time."""
AT_ONCE = 64
"""Texts whose shingles fit a core's cache together."""
SHINGLE = 5
BANDS, BAND = 8, 4
SEED = 1


def groups(texts: Sequence[str]) -> Indices:
    """(n,) a number from 0 for each of n texts: near duplicates have the same one."""
    random = np.random.default_rng(SEED)
    functions = random.integers(2**64, size=(2, BANDS * BAND), dtype=np.uint64)
    minima = _minima(texts, *functions)
    weights = random.integers(2**64, size=BAND, dtype=np.uint64)
    leaders = list(range(len(texts)))
    for band in range(BANDS):
        keys = minima[:, band * BAND : (band + 1) * BAND] @ weights
        _, first, key = np.unique(keys, return_index=True, return_inverse=True)
        others = first[key]
        alike = (minima == minima[others]).mean(axis=1) >= ALIKE
        for text in np.flatnonzero(alike).tolist():
            one, other = _leader(leaders, text), _leader(leaders, int(others[text]))
            leaders[max(one, other)] = min(one, other)
    ends = [_leader(leaders, text) for text in range(len(texts))]
    return np.unique(np.array(ends, dtype=np.int64), return_inverse=True)[1]


def _leader(leaders: list[int], text: int) -> int:
    """The first text of a group; ways to it are halved. Source: Tarjan and van Leeuwen, 1984."""
    while leaders[text] != text:
        leaders[text] = leaders[leaders[text]]
        text = leaders[text]
    return text


def _shingles(text: str) -> Hashes:
    """A hash of each run of characters, without case and of the length of spaces; at least one."""
    plain = " ".join(text[:MAX_CHARACTERS].lower().split()).ljust(SHINGLE)
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    found = np.zeros(len(codes) - SHINGLE + 1, dtype=np.uint64)
    for place in range(SHINGLE):  # 21 bits hold any character: of five, the sums differ enough
        found = found * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + len(found)]
    return found


def _minima(texts: Sequence[str], factors: Hashes, summands: Hashes) -> Hashes:
    """(n, functions) the least value of each function over each text's shingles."""
    minima = np.empty((len(texts), len(factors)), dtype=np.uint64)
    for start in range(0, len(texts), AT_ONCE):
        found = [_shingles(text) for text in texts[start : start + AT_ONCE]]
        shingles = np.concatenate(found)
        starts = np.cumsum([0, *map(len, found[:-1])])
        values = np.empty_like(shingles)
        for column, (factor, summand) in enumerate(
            zip(factors | np.uint64(1), summands, strict=True)
        ):
            np.add(np.multiply(shingles, factor, out=values), summand, out=values)
            minima[start : start + AT_ONCE, column] = np.minimum.reduceat(values, starts)
    return minima
