"""Learning curves: how right a model is with so many labels, chosen in one way or the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from annotation.selection import Candidate, select
from modelkit.abstract_model import AbstractModel, Example
from modelkit.artifact import model_class

MODEL = "sentiment"
POOL = 3_000
"""Texts that could be labelled, at most."""
STEPS = 4
"""As often are texts labelled: the first time by chance, whoever chooses."""
STEP = 0.1
"""Of the pool, each time."""
CONTROL = 0.2
CHANCE, CHOICE = "by chance", "by choice"


@dataclass(frozen=True)
class Curve:
    """One way to choose, with one seed."""

    seed: int
    way: str
    labels: tuple[int, ...]
    accuracy: tuple[float, ...]
    """On the held-out texts, after so many labels."""


def curves(
    learned: Sequence[Example], held_out: Sequence[Example], *, seeds: Iterable[int]
) -> Iterator[Curve]:
    """Both ways for each seed, each from the same pool and the same first labels."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        pool = [learned[row] for row in random.permutation(len(learned))[:POOL]]
        step = round(len(pool) * STEP)
        first = _trained(pool[:step], seed)
        for way in (CHANCE, CHOICE):
            model, known, rest = first, pool[:step], pool[step:]
            accuracy = [_accuracy(model, held_out)]
            for _ in range(STEPS - 1):
                chosen = _chosen(model, rest, step, seed) if way == CHOICE else set(range(step))
                known = known + [rest[row] for row in sorted(chosen)]
                rest = [example for row, example in enumerate(rest) if row not in chosen]
                model = _trained(known, seed)
                accuracy.append(_accuracy(model, held_out))
            labels = tuple(step * number for number in range(1, STEPS + 1))
            yield Curve(seed, way, labels, tuple(accuracy))


def _trained(examples: Sequence[Example], seed: int) -> AbstractModel:
    model = model_class(MODEL)()
    model.train(examples, seed=seed, progress=lambda share: None)
    return model


def _chosen(model: AbstractModel, rest: Sequence[Example], count: int, seed: int) -> set[int]:
    texts = [example.text for example in rest]
    candidates = [
        Candidate(
            prediction_id=f"{row:08}",
            text=text,
            scores=dict(zip(model.labels, scores.tolist(), strict=True)),
            drifted=False,
        )
        for row, (text, scores) in enumerate(zip(texts, model.predict(texts).scores, strict=True))
    ]
    return {int(chosen.prediction_id) for chosen in select(candidates, count, CONTROL, seed)}


def _accuracy(model: AbstractModel, held_out: Sequence[Example]) -> float:
    best = model.predict([example.text for example in held_out]).scores.argmax(axis=1)
    answers = [model.labels[label] for label in best]
    right = [
        answer == model.truth(example) for answer, example in zip(answers, held_out, strict=True)
    ]
    return float(np.mean(right))
