"""Turns texts into the hashed words, word pairs and letter groups that the model knows."""

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
BYTES_OF_ID = 8

BUCKETS = 2**17
LETTERS = range(3, 6)  # lengths of the letter groups
PAIR_FACTOR = 1_000_003
MAX_CACHED_WORDS = 50_000
BEGIN = "\n"  # stands before the first word, so that no text is empty

# The lengths bound what one hostile "word" can cost.
WORD = re.compile(r"\w{1,32}(?:'\w{1,8})?|[^\w\s]{1,8}")

# A negation changes the words behind it, up to so many or to the next punctuation mark.
NEGATION = re.compile(
    r"no|not|never|none|nor|neither|nothing|nobody|without|hardly|barely|cannot|cant|dont|.*n't"
)
NEGATED_WORDS = 5
NEGATED = 0x9E3779B1  # added to the hash of a negated word

# What a word does to the words behind it stands above the 32 bits of its hash.
HASH_BITS = 32
NEGATES, ENDS_NEGATION = 1, 2


class Bags(NamedTuple):
    """2 n bags of bucket numbers for n texts: first their words and pairs, then their letters."""

    ids: Ids
    sizes: Ids


class Pieces(NamedTuple):
    """The words of n texts in a row, each a bag of bucket numbers: its own and its letters'."""

    ids: Ids
    sizes: Ids
    words: Ids
    """(n,) words of each text, 1 or more."""


class WordCache(dict[str, tuple[int, bytes]]):
    """The hash, with the role, and the letter groups of each word seen, worked out once.

    The groups' bucket numbers are bytes, as those are put together much faster than small arrays.
    """

    def __missing__(self, word: str) -> tuple[int, bytes]:
        if len(self) >= MAX_CACHED_WORDS:
            self.clear()
        code = zlib.crc32(word.encode("utf-8", "replace")) | _role(word) << HASH_BITS
        self[word] = entry = (code, _letter_groups(word).tobytes())
        return entry

    def look_up(self, lines: Iterable[list[str]]) -> tuple[Ids, Ids, Ids]:
        """The codes of all words, their letter groups in a row, and how many each has."""
        codes, letters = zip(*[self[word] for words in lines for word in words], strict=True)
        sizes = np.fromiter(map(len, letters), np.int64, len(letters)) // BYTES_OF_ID
        return np.array(codes), np.frombuffer(b"".join(letters), np.int64), sizes


def bags(texts: Sequence[str], cache: WordCache) -> Bags:
    """Split and hash: bucket numbers are 0 to BUCKETS - 1."""
    lines = [_words(text) for text in texts]
    codes, letters, letter_sizes = cache.look_up(lines)
    counts = np.fromiter(map(len, lines), np.int64, len(lines))
    starts = np.cumsum(counts) - counts
    return Bags(
        ids=np.concatenate([_words_and_pairs(_negate(codes), starts), letters]),
        sizes=np.concatenate([2 * counts, np.add.reduceat(letter_sizes, starts)]),
    )


def pieces(texts: Sequence[str], cache: WordCache, *, max_words: int) -> Pieces:
    """Split and hash the first words of each text."""
    lines = [_words(text)[:max_words] for text in texts]
    codes, letters, letter_sizes = cache.look_up(lines)
    starts = np.cumsum(letter_sizes) - letter_sizes
    return Pieces(
        ids=np.insert(letters, starts, codes % BUCKETS),
        sizes=1 + letter_sizes,
        words=np.fromiter(map(len, lines), np.int64, len(lines)),
    )


def _words(text: str) -> list[str]:
    return [BEGIN, *WORD.findall(text.lower())]


def _role(word: str) -> int:
    if NEGATION.fullmatch(word):
        return NEGATES
    return 0 if word[0].isalnum() else ENDS_NEGATION


def _letter_groups(word: str) -> Ids:
    framed = f"<{word}>"
    groups = {framed[i : i + n] for n in LETTERS for i in range(len(framed) - n + 1)}
    codes = (zlib.crc32(group.encode("utf-8", "replace")) for group in sorted(groups))
    return np.fromiter((code % BUCKETS for code in codes), np.int64, len(groups))


def _negate(codes: Ids) -> Ids:
    """Make hashes of the codes: those of negated words become those of other words."""
    roles = codes >> HASH_BITS
    place = np.arange(len(codes))
    # Each text begins with a word that ends what the text before it has negated.
    turn = np.maximum.accumulate(np.where(roles > 0, place, 0))
    negated = (roles[turn] == NEGATES) & (place > turn) & (place <= turn + NEGATED_WORDS)
    hashes: Ids = (codes + negated * NEGATED) & (2**HASH_BITS - 1)
    return hashes


def _words_and_pairs(codes: Ids, starts: Ids) -> Ids:
    """Each word's bucket followed by that of the pair which it ends."""
    previous = np.roll(codes, 1)
    previous[starts] = 0
    pairs = previous * PAIR_FACTOR ^ codes
    buckets: Ids = np.stack([codes, pairs], axis=1).reshape(-1) % BUCKETS
    return buckets
