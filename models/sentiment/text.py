"""Turns texts into the hashed words, word pairs and letter groups that the model knows."""

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

BUCKETS = 2**17
LETTERS = range(2, 6)  # lengths of the letter groups
PAIR_FACTOR = 1_000_003
MAX_CACHED_WORDS = 50_000
BEGIN = "\n"  # stands before the first word, so that no text is empty

# The lengths bound what one hostile "word" can cost.
WORD = re.compile(r"\w{1,32}(?:'\w{1,8})?|[^\w\s]{1,8}")


class Bags(NamedTuple):
    """2 n bags of bucket numbers for n texts: first their words and pairs, then their letters."""

    ids: Ids
    sizes: Ids


class WordCache(dict[str, tuple[int, Ids]]):
    """The hash and the letter groups of each word seen, worked out once."""

    def __missing__(self, word: str) -> tuple[int, Ids]:
        if len(self) >= MAX_CACHED_WORDS:
            self.clear()
        self[word] = entry = (zlib.crc32(word.encode("utf-8", "replace")), _letter_groups(word))
        return entry


def bags(texts: Sequence[str], cache: WordCache) -> Bags:
    """Split and hash: bucket numbers are 0 to BUCKETS - 1."""
    lines = [[BEGIN, *WORD.findall(text.lower())] for text in texts]
    entries = [cache[word] for words in lines for word in words]
    counts = np.fromiter(map(len, lines), np.int64, len(lines))
    letters = [groups for _, groups in entries]
    letter_counts = np.zeros(len(letters) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, letters), np.int64, len(letters)), out=letter_counts[1:])
    ends = np.cumsum(counts)
    codes = np.fromiter((code for code, _ in entries), np.int64, len(entries))
    return Bags(
        ids=np.concatenate([_words_and_pairs(codes, ends - counts), *letters]),
        sizes=np.concatenate([2 * counts, letter_counts[ends] - letter_counts[ends - counts]]),
    )


def _letter_groups(word: str) -> Ids:
    framed = f"<{word}>"
    groups = {framed[i : i + n] for n in LETTERS for i in range(len(framed) - n + 1)}
    codes = (zlib.crc32(group.encode("utf-8", "replace")) for group in sorted(groups))
    return np.fromiter((code % BUCKETS for code in codes), np.int64, len(groups))


def _words_and_pairs(codes: Ids, starts: Ids) -> Ids:
    """Each word's bucket followed by that of the pair which it ends."""
    previous = np.roll(codes, 1)
    previous[starts] = 0
    pairs = previous * PAIR_FACTOR ^ codes
    buckets: Ids = np.stack([codes, pairs], axis=1).reshape(-1) % BUCKETS
    return buckets
