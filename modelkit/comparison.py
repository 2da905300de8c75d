"""Whether one version of a model is better than another, by a paired bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from modelkit.abstract_model import AbstractModel, Example, Predictions

RESAMPLES = 1_000
CONFIDENCE = 95  # per cent


class Verdict(StrEnum):
    """What the interval says of the candidate."""

    BETTER = "better"
    WORSE = "worse"
    NOT_DISTINGUISHABLE = "not distinguishable"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The primary metric of both, and how far apart they are."""

    metric: str
    candidate: float
    champion: float
    difference: float
    """Positive if the candidate is better."""
    low: float
    high: float
    """The 95 % interval of the difference."""

    @property
    def verdict(self) -> Verdict:
        """Better or worse only if the whole interval says so."""
        if self.low > 0:
            return Verdict.BETTER
        return Verdict.WORSE if self.high < 0 else Verdict.NOT_DISTINGUISHABLE

    def sentence(self, candidate: str, champion: str) -> str:
        """The comparison in words; candidate and champion: numbers of versions."""
        verdict = self.verdict
        than = "from" if verdict is Verdict.NOT_DISTINGUISHABLE else "than"
        return (
            f"version {candidate} is {verdict} {than} version {champion}:"
            f" {self.metric} {self.difference:+z.3f}"
            f" ({CONFIDENCE} % {self.low:z.3f} to {self.high:z.3f})"
        )


def compare(
    model: AbstractModel,
    examples: Sequence[Example],
    candidate: Predictions,
    champion: Predictions,
    seed: int,
) -> Comparison:
    """Compare what two versions said of the same n >= 1 examples.

    model: judges both, by its `eval` and `primary_metric`. Each resample draws n examples with
    replacement and judges both on them, so that easy and hard examples cancel out.
    """

    def judge(predictions: Predictions, chosen: npt.NDArray[np.int64]) -> float:
        scores, features, value = predictions
        part = Predictions(
            scores[chosen], features[chosen], None if value is None else value[chosen]
        )
        return model.eval([examples[i] for i in chosen], part)[model.primary_metric]

    everything = np.arange(len(examples))
    ours, theirs = judge(candidate, everything), judge(champion, everything)
    random = np.random.default_rng(seed)
    samples = (random.integers(len(examples), size=len(examples)) for _ in range(RESAMPLES))
    differences = [judge(candidate, sample) - judge(champion, sample) for sample in samples]
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(differences, [tail, 100 - tail])
    return Comparison(model.primary_metric, ours, theirs, ours - theirs, float(low), float(high))
