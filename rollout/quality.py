"""Whether a version is good enough to take the champion's place."""

from collections.abc import Callable, Sequence

from modelkit.abstract_model import AbstractModel, Example, Predictions
from modelkit.comparison import compare
from rollout.refusal import Reason, Refused

ANY_LOSS = 1.0
"""The margin that lets a version in however bad it is."""


def judge_quality(
    judge: AbstractModel,
    examples: Sequence[Example],
    candidate: Predictions,
    *,
    version: str,
    champion: str,
    ask_champion: Callable[[], Predictions | None],
    margin: float,
) -> str:
    """Compare a version with the champion on held-out examples: the outcome in a sentence.

    candidate: what the version says of the examples. ask_champion: what the champion says, or None
    if it fails on them, which is no reason to keep it. Raises Refused if the version is worse by
    more than the margin.
    """
    before = ask_champion()
    if before is None or (judge.has_value and before.value is None):
        return f"version {champion} cannot answer what this one is judged by"
    comparison = compare(judge, examples, candidate=candidate, champion=before, seed=0)
    verdict = comparison.sentence(version, champion)
    if comparison.difference < -margin and margin < ANY_LOSS:
        raise Refused(Reason.QUALITY_WORSE, f"{verdict}; it may lose {margin:g}")
    return verdict
