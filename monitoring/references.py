"""What hours are compared with: the histograms of a window, or of a version's held-out data.

The words of a reference are a string of 2^17 bits, one for each place that a word can have
(monitoring_v1.place), so that no text is kept. How many words of further texts of its kind would be
unknown is estimated by those that it has once only. Source: Good, Biometrika 40, 1953.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from monitoring.counts import Counts
from monitoring.drift import Profile

PLACES = 1 << 17


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a reference."""

    bits: bytes
    unknown_words: float
    """The share of words that are not in it, in more texts of its kind."""

    @classmethod
    def of(cls, places: Iterable[tuple[int, int]]) -> Self | None:
        """places: each with how many words are at it. None if there is none."""
        found = dict(places)
        if not found:
            return None
        bits = np.zeros(PLACES, np.uint8)
        bits[list(found)] = 1
        once = sum(words == 1 for words in found.values())
        packed = np.packbits(bits, bitorder="little").tobytes()
        return cls(packed, once / sum(found.values()))


@dataclass(frozen=True, slots=True)
class Reference:
    """What the hours of a model, or of one version, are compared with."""

    name: str
    """As it is shown with each figure."""
    rows: int
    profiles: Mapping[str, Profile]
    """By slice."""
    vocabulary: Vocabulary | None

    @classmethod
    def of(cls, name: str, counts: Mapping[str, Counts], places: Iterable[tuple[int, int]]) -> Self:
        """Of what was counted in a window, by slice."""
        profiles = {
            slice_: Profile(found.labels, found.confidences, found.lengths)
            for slice_, found in counts.items()
        }
        rows = sum(counts[""].labels.values()) if "" in counts else 0
        return cls(name, rows, profiles, Vocabulary.of(places))


def profiles_to_json(profiles: Mapping[str, Profile]) -> dict[str, Any]:
    """As the column `profiles` has them."""
    return {
        slice_: {
            "label": profile.labels,
            "confidence": profile.confidences,
            "length": profile.lengths,
        }
        for slice_, profile in profiles.items()
    }


def profiles_from_json(profiles: Mapping[str, Any]) -> dict[str, Profile]:
    """The way back."""
    return {
        slice_: Profile(
            Counter(found["label"]), Counter(found["confidence"]), Counter(found["length"])
        )
        for slice_, found in profiles.items()
    }
