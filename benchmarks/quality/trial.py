"""One variant: trained, timed, and asked about the held-out texts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from modelkit.abstract_model import AbstractModel, Example, Progress
from modelkit.artifact import model_class

BATCH_SIZE = 32
TIMED_TEXTS = 3200
REPETITIONS = 5


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a variant answered, and what that cost."""

    values: npt.NDArray[np.float32]
    """(trainings, n) of the n held-out texts."""
    training_s: float
    """The mean of the trainings."""
    text_us: float
    """To predict one text of a batch of 32, on one core."""
    weights_mib: float


def run_trial(
    variant: str,
    learned: Sequence[Example],
    held_out: Sequence[Example],
    *,
    seeds: int,
    progress: Progress,
) -> Trial:
    """Train the variant with the seeds 0, 1, ...; raises UnknownModel."""
    texts = [example.text for example in held_out]
    values, seconds = [], []
    for seed in range(seeds):
        model = model_class("sentiment", variant)()
        began = time.perf_counter()
        model.train(learned, seed=seed, progress=partial(_progress, progress, seed, seeds))
        seconds.append(time.perf_counter() - began)
        values.append(_values(model, texts))
    return Trial(
        values=np.stack(values),
        training_s=float(np.mean(seconds)),
        text_us=_text_us(model, [example.text for example in learned]),
        weights_mib=sum(array.nbytes for array in model.weights().values()) / 2**20,
    )


def _progress(progress: Progress, done: int, trainings: int, share: float) -> None:
    progress((done + share) / trainings)


def _values(model: AbstractModel, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    batches = [texts[i : i + BATCH_SIZE] for i in range(0, len(texts), BATCH_SIZE)]
    return np.concatenate([model.predict(batch).value for batch in batches])


def _text_us(model: AbstractModel, texts: Sequence[str]) -> float:
    """The fastest of some repetitions: others on the machine can only slow it down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        _values(model, texts[:TIMED_TEXTS])
        seconds.append(time.perf_counter() - began)
    torch.set_num_threads(threads)
    return min(seconds) / len(texts[:TIMED_TEXTS]) * 1e6
