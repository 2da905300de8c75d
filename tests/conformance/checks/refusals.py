"""What the server does not do, and says so."""

import time

import grpc

from contract.errors import DeadlineExceeded, PredictError
from tests.conformance.check import Level, Unfit, check
from tests.conformance.target import Target
from tests.conformance.texts import VARIED

UNKNOWN_MODEL = "no-such-model"
UNKNOWN_VERSION = "987654321"
SHORT_S = 1e-6


@check(
    "unknown model",
    expected="a model that it does not have is refused",
    remedy="refuse it with NOT_FOUND",
)
async def unknown_model(target: Target) -> str:
    try:
        await target.infer(VARIED, model=UNKNOWN_MODEL)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    raise Unfit("it answers as any model")


@check(
    "unknown version",
    expected="a version that it does not have is refused",
    remedy="",
    level=Level.NOTE,
)
async def unknown_version(target: Target) -> str:
    try:
        await target.infer(VARIED, version=UNKNOWN_VERSION)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "this server ignores versions: it can stand for one version only"


@check(
    "discretion",
    expected="what the server says of a failure is passed on to no client",
    remedy="this is a fault of ours, in inference/: report it",
)
async def discretion(target: Target) -> str:
    try:
        await target.infer(VARIED, model=UNKNOWN_MODEL)
    except grpc.aio.AioRpcError as error:
        details = error.details() or ""
    else:
        return "it fails on nothing that this check knows"
    try:
        await target.predict(VARIED, model=UNKNOWN_MODEL)
    except PredictError as error:
        told = f"{error} {error.metadata}"
        if details and details in told:
            raise Unfit("clients would read the server's own words") from error
        return f"clients read: {error}"
    raise Unfit("the gateway takes the answer of another model")


@check(
    "deadline",
    expected="a call is given up at its deadline, and the server answers the next one",
    remedy="look whether calls that were given up hold the server: let them end, or end them",
)
async def deadline(target: Target) -> str:
    started = time.monotonic()
    try:
        await target.predict(VARIED, timeout_s=SHORT_S)
    except DeadlineExceeded:
        given_up_s = time.monotonic() - started
    else:
        raise Unfit(f"it is answered within {SHORT_S:g} s")
    started = time.monotonic()
    await target.predict(VARIED)
    next_ms = 1000 * (time.monotonic() - started)
    return f"given up after {given_up_s * 1000:.0f} ms, the next one answered in {next_ms:.0f} ms"
