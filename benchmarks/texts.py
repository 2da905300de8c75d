"""What is asked: many different texts of the length of a review, always the same ones."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from modelkit.dataset import read_examples
from training.train import shipped_data

COUNT = 400
SENTENCES = 3


def texts() -> list[str]:
    """COUNT texts of about 110 characters, made of the sentiment model's own examples."""
    sentences = [example.text for example in read_examples(shipped_data("sentiment"))]
    choose = random.Random(7)  # noqa: S311
    return [" ".join(choose.sample(sentences, SENTENCES)) for _ in range(COUNT)]


def write_bodies(texts: Sequence[str], folder: Path) -> Path:
    """A file of requests by REST, one a line."""
    bodies = folder / "bodies.jsonl"
    bodies.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return bodies
