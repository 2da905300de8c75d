"""How requests end that have no answer: in the record, with the group commits of the others.

A caller hears of a failure once it is recorded; whoever has left is not waited for. What would keep
a gateway busy for nobody is counted only: requests that are invalid, not allowed, shed, or of no
known model or version, and those that no database could take.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, Self

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import DeadlineExceeded, PredictError, StoreUnavailable
from contract.logs import about
from contract.reasons import reason_name
from contract.status import to_status
from gateway.allowance import Allowance
from gateway.metrics.texts import CANCELLED, TextOutcomes, Unrecorded
from gateway.prediction import Prediction, State
from gateway.refusals import to_error
from gateway.request_context import RequestContext

MAX_BYTES = 16 << 20
"""Of text, that waits to be recorded."""
LEAST_BYTES = 16 << 10
"""As which a shorter text counts."""
FLUSH_S = 2.0
"""What the end of the gateway waits for."""
EARLY_S = 0.01
"""A timer of the loop may fire so much before its time."""

COUNTED_ONLY = frozenset(
    {
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        ErrorReason.ERROR_REASON_VERSION_NOT_FOUND,
        ErrorReason.ERROR_REASON_OVERLOADED,
        ErrorReason.ERROR_REASON_STORE_UNAVAILABLE,
    }
)
FINAL = frozenset({ErrorReason.ERROR_REASON_MODEL_FAILED})
"""Trying again gives the same, so that the request_id stands for it."""


class Record(Protocol):
    """Where they are written."""

    def insert_finished(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> asyncio.Future[bool]: ...


class Outcomes:
    """Open with `async with`, whose end waits a moment for what is not recorded yet."""

    def __init__(
        self,
        store: Record,
        unrecorded: Unrecorded,
        outcomes: TextOutcomes,
        *,
        knows: Callable[[str], bool],
    ) -> None:
        """To be made in the event loop that it works in. knows: whether there is such a model."""
        self._store = store
        self._unrecorded = unrecorded
        self._counts = outcomes
        self._knows = knows
        self._clock = asyncio.get_running_loop().time
        self._writing: set[asyncio.Future[bool]] = set()
        self._bytes = Allowance(MAX_BYTES)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writing:
            await asyncio.wait(self._writing, timeout=FLUSH_S)

    def ended(self, prediction: Prediction, request: RequestContext, outcome: str) -> None:
        """Count a text that was predicted, or is going to be. outcome: of gateway.metrics.texts."""
        self._counts.count(prediction.model, prediction.version, request.protocol, outcome)

    def refused(self, model: str, request: RequestContext, error: PredictError) -> None:
        """Count a text that its caller may not send, or not now."""
        self._unrecorded.count(error.reason)
        self._count(model, "", request, reason_name(error.reason))

    async def failed(
        self, prediction: Prediction, request_key: str, request: RequestContext, error: Exception
    ) -> PredictError:
        """Record that there is no answer; answers with what the caller is to see."""
        with about(**self._about(prediction)):
            seen = to_error(error)
        self._count(prediction.model, prediction.version, request, reason_name(seen.reason))
        if prediction.is_sent or seen.reason in COUNTED_ONLY:
            self._unrecorded.count(seen.reason)
            return seen
        self._end(prediction, seen)
        key = request_key if seen.reason in FINAL else ""
        if written := self._write(prediction, key, request.traceparent):
            with suppress(Exception):  # which _on_written has counted
                await asyncio.shield(written)
        return seen

    def left(self, prediction: Prediction, request_key: str, request: RequestContext) -> None:
        """Record what became of a request whose caller is not there any more.

        A prediction that was made is recorded as such: he may ask for it by its request_id.
        """
        over = request.deadline is not None and self._clock() >= request.deadline - EARLY_S
        outcome = reason_name(DeadlineExceeded.reason) if over else CANCELLED
        self._count(prediction.model, prediction.version, request, outcome)
        if prediction.is_sent:
            return
        if prediction.output is None:
            request_key = ""
            self._end(prediction, DeadlineExceeded() if over else None)
        self._write(prediction, request_key, request.traceparent)

    def _count(self, model: str, version: str, request: RequestContext, outcome: str) -> None:
        """A name that is nobody's becomes no series."""
        known = model if self._knows(model) else ""
        self._counts.count(known, version, request.protocol, outcome)

    def _about(self, prediction: Prediction) -> Mapping[str, str]:
        """Where a line of the log belongs."""
        known = self._knows(prediction.model)
        return {
            "prediction_id": prediction.id,
            **({"model": prediction.model, "version": prediction.version} if known else {}),
        }

    def _end(self, prediction: Prediction, error: PredictError | None) -> None:
        """error: None: its client took it back, by leaving."""
        prediction.state = State.CANCELLED if error is None else State.FAILED
        prediction.error = None if error is None else to_status(error)
        prediction.complete_time = datetime.now(UTC)
        prediction.expire_time = None

    def _write(
        self, prediction: Prediction, request_key: str, traceparent: str
    ) -> asyncio.Future[bool] | None:
        caller = prediction.caller
        size = max(len(prediction.text.encode()), LEAST_BYTES)
        if not self._bytes.take(caller, size):
            self._unrecorded.count(ErrorReason.ERROR_REASON_OVERLOADED)
            return None
        try:
            written = self._store.insert_finished(prediction, request_key, traceparent=traceparent)
        except PredictError as error:
            self._bytes.give_back(caller, size)
            self._unrecorded.count(error.reason)
            return None
        self._writing.add(written)
        written.add_done_callback(partial(self._on_written, caller, size))
        return written

    def _on_written(self, caller: str, size: int, written: asyncio.Future[bool]) -> None:
        self._bytes.give_back(caller, size)
        self._writing.discard(written)
        if written.cancelled():
            self._unrecorded.count(StoreUnavailable.reason)
        elif error := written.exception():
            seen = error if isinstance(error, PredictError) else StoreUnavailable()
            self._unrecorded.count(seen.reason)
