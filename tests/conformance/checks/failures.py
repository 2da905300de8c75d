"""Texts that make the model fail, or hold it up, if the caller knows some."""

import asyncio
import time

from contract.errors import DeadlineExceeded, ModelFailed
from tests.conformance.check import NotTried, Unfit, check
from tests.conformance.target import Target
from tests.conformance.texts import VARIED

DEADLINE_S = 1.0
AGAIN_S = 0.1


@check(
    "bad text",
    expected="a text that makes the model fail fails alone",
    remedy="answer the call with INTERNAL or INVALID_ARGUMENT, and go on answering others",
)
async def bad_text(target: Target) -> str:
    if not target.bad:
        raise NotTried("no --bad TEXT was given")
    place = len(VARIED) // 2
    texts = [*VARIED[:place], target.bad, *VARIED[place:]]
    answers = await target.predict(texts)
    failures = [n for n, output in enumerate(answers.outputs) if isinstance(output, ModelFailed)]
    if not failures:
        raise Unfit("the model answers it")
    if failures != [place]:
        raise Unfit(f"{len(failures)} of {len(texts)} texts fail with it")
    if target.bad in str(answers.outputs[place]):
        raise Unfit("clients would read the text in the error")
    return f"it fails, {len(VARIED)} others beside it are answered"


@check(
    "slow text",
    expected=f"a text that takes longer than {DEADLINE_S:g} s is given up, and others are answered",
    remedy="let the server end the call, or answer others beside it",
)
async def slow_text(target: Target) -> str:
    if not target.slow:
        raise NotTried("no --slow TEXT was given")
    try:
        await target.predict([target.slow], timeout_s=DEADLINE_S)
    except DeadlineExceeded:
        return f"given up, others answered {await _until_it_answers(target):.1f} s later"
    raise Unfit("it is answered in time: give one that takes longer")


async def _until_it_answers(target: Target) -> float:
    started = time.monotonic()
    while not await target.server.is_well(target.model, target.version):
        if time.monotonic() - started > target.timeout_s:
            raise Unfit(f"others are not answered within {target.timeout_s:g} s")
        await asyncio.sleep(AGAIN_S)
    return time.monotonic() - started
