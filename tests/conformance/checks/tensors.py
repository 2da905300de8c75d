"""What an answer consists of."""

import numpy as np

from contract.limits import SCORES_TOLERANCE
from inference.tensors import FEATURES, SCORES, VALUE, read_outputs
from tests.conformance.check import Level, Unfit, check
from tests.conformance.target import Target
from tests.conformance.texts import VARIED

_COUNT = len(VARIED)


@check(
    "scores",
    expected="text BYTES [n, 1] is answered with scores FP32 [n, labels]",
    remedy="answer each text with one score a label, in the order of the version's labels",
    is_gate=True,
)
async def scores(target: Target) -> str:
    answer = await target.infer(VARIED)
    found = {output.name: output for output in answer.outputs}
    if SCORES not in found:
        raise Unfit(f"its outputs are {', '.join(found) or 'none'}")
    output = found[SCORES]
    shape = list(output.shape)
    seen = f"{output.datatype} {shape} for {_COUNT} texts"
    width = len(target.labels) or (shape[-1] if shape else 0)
    tensors = read_outputs(answer)
    if SCORES not in tensors or tensors[SCORES].dtype.kind != "f":
        raise Unfit(seen)
    if shape != [_COUNT, width] or not width:
        expected = f", not [{_COUNT}, {width}]" if target.labels else ""
        raise Unfit(seen + expected)
    if not target.labels:
        target.labels = [str(number) for number in range(width)]
    return seen


@check(
    "shares",
    expected="the scores of each text are 0 or more and add up to 1",
    remedy="normalize them, by softmax or by their sum; NaN means that the model failed",
)
async def shares(target: Target) -> str:
    rows = await target.scores(VARIED)
    sums = rows.sum(axis=1)
    if not np.isfinite(rows).all():
        raise Unfit(f"{int((~np.isfinite(rows)).any(axis=1).sum())} of {_COUNT} texts have NaN")
    if (rows < 0).any():
        raise Unfit(f"a score of {rows.min():.3g}")
    worst = float(sums[np.abs(sums - 1).argmax()])
    if abs(worst - 1) > SCORES_TOLERANCE:
        raise Unfit(f"they add up to {worst:.4g}")
    return f"they add up to 1, within {abs(worst - 1):.0e}"


@check(
    "value",
    expected="if there is a value, it is FP32 [n, 1] and finite",
    remedy="answer one number a text, or leave the output out",
)
async def value(target: Target) -> str:
    tensors = read_outputs(await target.infer(VARIED))
    if VALUE not in tensors:
        return "it has none"
    numbers = tensors[VALUE]
    if numbers.dtype.kind != "f" or numbers.size != _COUNT:
        raise Unfit(f"{numbers.dtype} {list(numbers.shape)} for {_COUNT} texts")
    if not np.isfinite(numbers).all():
        raise Unfit("some are no numbers")
    return f"from {numbers.min():.3g} to {numbers.max():.3g}"


@check(
    "features",
    expected="if there are features, they are FP32 [n, d]",
    remedy="answer as many numbers for each text, or leave the output out",
)
async def features(target: Target) -> str:
    tensors = read_outputs(await target.infer(VARIED))
    if FEATURES not in tensors:
        return "it has none: predictions are recorded without features"
    rows = tensors[FEATURES]
    if rows.dtype.kind != "f" or rows.ndim != 2 or len(rows) != _COUNT:
        raise Unfit(f"{rows.dtype} {list(rows.shape)} for {_COUNT} texts")
    return f"{rows.shape[1]} numbers a text"


@check(
    "contents",
    expected="raw or typed contents",
    remedy="",
    level=Level.NOTE,
)
async def contents(target: Target) -> str:
    answer = await target.infer(VARIED)
    if answer.raw_output_contents:
        return "raw: the cheaper way"
    return "typed: each number is packed and unpacked by itself"


@check(
    "outputs asked for",
    expected="only what was asked for is answered",
    remedy="leave out the outputs that a request does not name: each call carries them",
    level=Level.RECOMMENDED,
)
async def outputs_asked_for(target: Target) -> str:
    answer = await target.infer(VARIED, outputs=[SCORES])
    others = [output.name for output in answer.outputs if output.name != SCORES]
    if others:
        raise Unfit(f"{', '.join(others)} came without being asked for")
    return "nothing else came"


@check(
    "version named",
    expected="the answer names the version that was asked, or none",
    remedy="answer as the version of the request; a proxy must not send calls elsewhere",
)
async def version_named(target: Target) -> str:
    named = (await target.infer(VARIED)).model_version
    if named not in ("", target.version):
        raise Unfit(f"asked as version {target.version}, it answers as {named}")
    return f"it names {named}" if named else "it names none"
