"""Texts to predict: as many as a test wants, no two alike, each with an answer of its own."""

import random
from uuid import uuid4

CANARY = "zq7canary"
"""In every text of the suite: what no log may hold."""

_VOCABULARY = """
awful bad boring bright broken brilliant cheap clever dull excellent fine flimsy funny good great
happy hate lazy lovely love noisy perfect poor quick sad silly slow solid terrible tired useful
useless warm weak wonderful worst actor battery camera ending film kettle lamp morning music pan
phone plot scene screen story train weather never not very really so too
"""
_WORDS = _VOCABULARY.split()
_random = random.Random(7)  # noqa: S311


def new_text() -> str:
    """One text that no other call has given."""
    words = _random.choices(_WORDS, k=_random.randint(4, 12))
    return f"{' '.join(words)} {CANARY}{uuid4().hex[:12]}"


def new_texts(number: int) -> list[str]:
    """Several."""
    return [new_text() for _ in range(number)]
