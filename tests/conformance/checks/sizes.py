"""Texts that are odd, long, or many."""

import time
from collections.abc import Sequence

import numpy as np

from contract.errors import ModelFailed
from contract.limits import MAX_BATCH_TEXTS, MAX_TEXT_BYTES
from inference.calls import MAX_REQUEST_TEXT_BYTES
from tests.conformance.check import Unfit, check
from tests.conformance.target import Target
from tests.conformance.texts import LONGEST, LONGEST_WIDE, ODD, VARIED


@check(
    "odd texts",
    expected="emoji, scripts, accents, invisible and control characters are answered",
    remedy="decode texts as UTF-8; give texts without a known word some answer",
)
async def odd_texts(target: Target) -> str:
    answers = await target.predict(list(ODD.values()))
    failed = [
        name
        for name, output in zip(ODD, answers.outputs, strict=True)
        if isinstance(output, ModelFailed)
    ]
    if failed:
        raise Unfit(f"the model fails on: {', '.join(failed)}")
    return f"{len(ODD)} are answered"


@check(
    "longest text",
    expected=f"a text of {MAX_TEXT_BYTES:,} bytes is answered",
    remedy="shorten it inside the model: clients may send as much",
)
async def longest_text(target: Target) -> str:
    return await _answered(target, [LONGEST, LONGEST_WIDE])


@check(
    "most texts",
    expected=f"{MAX_BATCH_TEXTS} texts are answered together",
    remedy="raise the server's limit of a batch",
)
async def most_texts(target: Target) -> str:
    return await _answered(target, [VARIED[n % len(VARIED)] for n in range(MAX_BATCH_TEXTS)])


@check(
    "most bytes",
    expected=f"{MAX_REQUEST_TEXT_BYTES >> 20} MiB of texts are answered together",
    remedy="raise the server's limit of a message to 4 MiB or more",
)
async def most_bytes(target: Target) -> str:
    return await _answered(target, [LONGEST] * (MAX_REQUEST_TEXT_BYTES // MAX_TEXT_BYTES))


async def _answered(target: Target, texts: Sequence[str]) -> str:
    """In one call, which the gateway would halve if it failed."""
    started = time.monotonic()
    rows = await target.scores(texts)
    failed = int((~np.isfinite(rows)).any(axis=1).sum())
    if failed:
        raise Unfit(f"the model fails on {failed} of {len(texts)} texts")
    return f"answered in {time.monotonic() - started:.2f} s"
