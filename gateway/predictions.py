"""The work itself: making predictions, now or later, and finding them again.

No gRPC, no SQL: servicers call this, and this calls the store and the models.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Protocol

from contract.errors import (
    PredictionFailed,
    PredictionFinished,
    PredictionNotFound,
    RequestIdReused,
    ShuttingDown,
    StoreUnavailable,
)
from contract.ids import uuid7
from gateway import pages, request_context
from gateway.models import Answer
from gateway.prediction import ListFilter, Page, Prediction, State
from gateway.request_context import RequestContext
from gateway.request_keys import request_key

MAX_PAGE_TEXT_BYTES = 2 * 1024 * 1024
CANCEL_PAUSES_S = (0, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Before each try."""


class Store(Protocol):
    """The record of predictions."""

    def insert_finished(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> Awaitable[bool]: ...
    def insert_accepted(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> Awaitable[bool]: ...
    async def get(self, prediction_id: str, *, with_text: bool) -> Prediction | None: ...
    async def find(self, request_key: str) -> Prediction | None: ...
    async def search(
        self,
        where: ListFilter,
        *,
        before_id: str | None,
        limit: int,
        max_bytes: int,
        with_text: bool,
    ) -> list[Prediction]: ...
    async def cancel(self, prediction_id: str) -> None: ...


class Models(Protocol):
    """The models, by id and version."""

    def choose_version(self, model: str, *, pinned: str, sticky_key: str) -> str: ...
    def predict(
        self, model: str, version: str, *, prediction_id: str, text: str, deadline: float | None
    ) -> Awaitable[Answer]: ...


class Changes(Protocol):
    """Tells when a prediction may have changed."""

    ended: bool
    """Whether nobody is to wait any more."""

    def watch(self, prediction_id: str) -> AbstractContextManager[asyncio.Event]: ...


class PredictionService:
    """What every door into the gateway calls. Raises contract.errors.

    The doors give what keeps to the rules of the contract, and ids in small letters. Without
    its text, a prediction has "" for it.
    """

    def __init__(self, *, store: Store, models: Models, changes: Changes) -> None:
        self._store = store
        self._models = models
        self._changes = changes

    async def predict(self, *, model: str, text: str, request_id: str, version: str) -> Prediction:
        """Predict now; the prediction is durable when this returns.

        request_id: "" or a UUID of the caller's; a known one gives the prediction it stands for.
        version: "" leaves the choice to the traffic policy, sticky by the caller's session.
        """
        request = request_context.current()
        key = request_key(request.caller, request_id)
        if key and (known := await self._store.find(key)):
            return await self._finished(known, model, text, request_id)
        prediction = self._new(model, text, version, request, sticky_key=request_id)
        answer = await self._models.predict(
            model,
            prediction.version,
            prediction_id=prediction.id,
            text=text,
            deadline=request.deadline,
        )
        prediction.state = State.SUCCEEDED
        prediction.output, prediction.features_uri = answer
        prediction.complete_time = datetime.now(UTC)
        if await self._store.insert_finished(prediction, key, traceparent=request.traceparent):
            return prediction
        return await self._finished(await self._winner(key), model, text, request_id)

    async def create(
        self, *, model: str, text: str, request_id: str, version: str, ttl: timedelta
    ) -> Prediction:
        """Accept a text to be predicted later; it is durable when this returns.

        ttl: how long the work may wait and run before it is given up.
        """
        request = request_context.current()
        key = request_key(request.caller, request_id)
        if key and (known := await self._store.find(key)):
            return _same_request(known, model, text, request_id)
        prediction = self._new(model, text, version, request, sticky_key=request_id)
        prediction.expire_time = prediction.create_time + ttl
        if await self._store.insert_accepted(prediction, key, traceparent=request.traceparent):
            return prediction
        return _same_request(await self._winner(key), model, text, request_id)

    async def get(self, prediction_id: str, *, with_text: bool = True) -> Prediction:
        """Read one prediction."""
        if prediction := await self._store.get(prediction_id, with_text=with_text):
            return prediction
        raise PredictionNotFound(prediction_id)

    async def search(
        self, where: ListFilter, *, page_size: int, page_token: str, with_text: bool = True
    ) -> Page:
        """Read a page of predictions, newest first.

        page_size: 0 for the default. The page is shorter where its texts are long: clients of
        gRPC take no more than 4 MiB unless told to.
        page_token: of a page with or without texts, which follow each other in the same order.
        """
        limit = pages.size_to_use(page_size)
        found = await self._store.search(
            where,
            before_id=pages.decode_id(page_token, where),
            limit=limit + 1,
            max_bytes=MAX_PAGE_TEXT_BYTES,
            with_text=with_text,
        )
        sizes = accumulate(len(prediction.text.encode()) for prediction in found)
        fitting = sum(size <= MAX_PAGE_TEXT_BYTES for size in sizes)
        page = found[: min(limit, max(fitting, 1))]
        more = len(found) > len(page)
        return Page(page, pages.encode_token(page[-1].id, where) if more else "")

    async def wait(
        self, prediction_id: str, *, at_most: timedelta, with_text: bool = True
    ) -> Prediction:
        """Read a prediction once it is finished, or as it stands after the wait.

        The wait also ends when the gateway is about to.
        """
        prediction = await self.get(prediction_id, with_text=with_text)
        with suppress(TimeoutError, ShuttingDown):
            async with asyncio.timeout(at_most.total_seconds()):
                async for state in self.watch(prediction_id, with_text=with_text):
                    prediction = state
        return prediction

    async def watch(
        self, prediction_id: str, *, with_text: bool = True
    ) -> AsyncIterator[Prediction]:
        """Yield a prediction as it stands and at each change, up to its terminal state.

        Raises ShuttingDown when the gateway is about to end.
        """
        with self._changes.watch(prediction_id) as changed:
            prediction = await self.get(prediction_id, with_text=with_text)
            yield prediction
            while not prediction.state.terminal:
                if self._changes.ended:
                    raise ShuttingDown
                await changed.wait()
                changed.clear()
                current = await self.get(prediction_id, with_text=with_text)
                if current.state is not prediction.state:
                    prediction = current
                    yield prediction

    async def cancel(self, prediction_id: str) -> Prediction:
        """Take an unfinished prediction back; its work is not run, or its result dropped.

        Somebody may be changing it, such as a worker that claims it. If that does not end within a
        second, the client is told to try again, by UNAVAILABLE with STORE_UNAVAILABLE; the
        prediction is then as it was.
        """
        for pause_s in CANCEL_PAUSES_S:
            await asyncio.sleep(pause_s)
            await self._store.cancel(prediction_id)
            prediction = await self.get(prediction_id)
            if prediction.state is State.CANCELLED:
                return prediction
            if prediction.state.terminal:
                raise PredictionFinished(prediction_id, prediction.state)
        raise StoreUnavailable()

    def _new(
        self, model: str, text: str, version: str, request: RequestContext, *, sticky_key: str
    ) -> Prediction:
        """sticky_key: of a request without a session; "" for none."""
        prediction_id = uuid7()
        chosen = self._models.choose_version(
            model, pinned=version, sticky_key=request.session or sticky_key or prediction_id
        )
        return Prediction(
            id=prediction_id,
            model=model,
            version=chosen,
            text=text,
            state=State.ACCEPTED,
            create_time=datetime.now(UTC),
            caller=request.caller,
        )

    async def _winner(self, key: str) -> Prediction:
        """The prediction of a request that another call has just written."""
        prediction = await self._store.find(key)
        if prediction is None:
            raise RuntimeError(f"the request {key} is taken by no prediction")
        return prediction

    async def _finished(
        self, known: Prediction, model: str, text: str, request_id: str
    ) -> Prediction:
        """The output of a request that was made before, waited for if it is still in work."""
        _same_request(known, model, text, request_id)
        if not known.state.terminal:
            async for state in self.watch(known.id):
                known = state
        if known.error is not None:
            raise PredictionFailed(known.error)
        if known.state is not State.SUCCEEDED:
            raise PredictionFinished(known.id, known.state)
        return known


def _same_request(known: Prediction, model: str, text: str, request_id: str) -> Prediction:
    if (known.model, known.text) != (model, text):
        raise RequestIdReused(request_id)
    return known
