"""Whether texts that are asked together are answered as they are alone."""

import asyncio

import numpy as np
import numpy.typing as npt

from contract.errors import ModelFailed
from tests.conformance.check import NotTried, Unfit, check
from tests.conformance.target import Target
from tests.conformance.texts import VARIED

ALIKE = 0.01
"""What the scores of a text may differ by: arithmetic on batches of other sizes is not the same."""
SIDE_BY_SIDE = 8

Scores = npt.NDArray[np.float64]


@check(
    "by the gateway",
    expected="each text has an answer that the gateway takes",
    remedy="see the checks above: the gateway asks for the outputs that are declared",
    is_gate=True,
)
async def by_the_gateway(target: Target) -> str:
    answers = await target.predict(VARIED, features=True)
    failures = sum(isinstance(output, ModelFailed) for output in answers.outputs)
    if failures:
        raise Unfit(f"{failures} of {len(VARIED)} texts have no answer")
    return f"{len(VARIED)} texts are answered"


@check(
    "order",
    expected="the answers of a batch are in the order of its texts",
    remedy="answer row i for text i, also if the model sorts its texts by length",
)
async def order(target: Target) -> str:
    alone = await _alone(target)
    if np.ptp(alone, axis=0).max() <= ALIKE:
        raise NotTried("all texts have the same scores: their order cannot be told")
    together = await target.scores(VARIED)
    # [i, j]: how far the answer at place i is from that of text j.
    distances = np.abs(together[:, None] - alone[None]).max(axis=2)
    misplaced = (distances.diagonal() > distances.min(axis=1) + ALIKE).sum()
    if misplaced:
        raise Unfit(f"{misplaced} of {len(VARIED)} answers are nearer to those of other texts")
    return "each answer is that of its text"


@check(
    "alone and together",
    expected=f"a text has the same scores alone and in a batch, within {ALIKE}",
    remedy="keep what pads or normalizes a batch away from the other texts",
)
async def alone_and_together(target: Target) -> str:
    alone = await _alone(target)
    difference = np.abs(await target.scores(VARIED) - alone).max()
    if not difference <= ALIKE:
        raise Unfit(f"they differ by {difference:.3g}")
    return f"they differ by {difference:.0e} at most"


@check(
    "side by side",
    expected="calls at the same time are answered each with its own",
    remedy="keep what belongs to a call out of what calls share",
)
async def side_by_side(target: Target) -> str:
    expected = await target.scores(VARIED)
    rounds = range(SIDE_BY_SIDE)
    turned = [[*VARIED[number:], *VARIED[:number]] for number in rounds]
    answers = await asyncio.gather(*(target.scores(texts) for texts in turned))
    wrong = sum(
        not np.abs(np.roll(answer, number, axis=0) - expected).max() <= ALIKE
        for number, answer in zip(rounds, answers, strict=True)
    )
    if wrong:
        raise Unfit(f"{wrong} of {SIDE_BY_SIDE} batches have other answers")
    return f"{SIDE_BY_SIDE} batches have their own answers"


async def _alone(target: Target) -> Scores:
    return np.concatenate([await target.scores([text]) for text in VARIED])
