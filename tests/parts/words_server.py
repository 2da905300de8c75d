"""A plain server with the model of words.py, and faults."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.parts import words
from tests.parts.oip_server import Answer, OipServer

Outputs = Mapping[str, npt.NDArray[Any]]

LABELS = words.LABELS
MODEL, VERSION = "words", "1"


def good_words(texts: Sequence[str]) -> Outputs:
    """Two numbers of each text are its features."""
    scores, values = words.predict(texts)
    features = [[len(text), len(text.split())] for text in texts]
    return {
        "scores": np.array(scores, np.float32).reshape(-1, len(LABELS)),
        "value": np.array(values, np.float32).reshape(-1, 1),
        "features": np.array(features, np.float32).reshape(-1, 2),
    }


def good_words_by_row(texts: Sequence[str]) -> Outputs:
    """As our own entry for Triton: an output `error`, and zeros where the model failed."""
    bad = [words.POISON in text.split() for text in texts]
    outputs = good_words(["" if is_bad else t for t, is_bad in zip(texts, bad, strict=True)])
    flags = np.array(bad).reshape(-1, 1)
    return {name: np.where(flags, 0, rows) for name, rows in outputs.items()} | {"error": flags}


def words_server(answer: Answer = good_words, **options: Any) -> OipServer:
    """One that declares nothing, as most do; options: of OipServer."""
    return OipServer(answer, **{"model": MODEL, "version": VERSION, "declares": False, **options})
