"""The work itself: making predictions, now or later, and finding them again.

No gRPC, no SQL: servicers call this, and this calls the store and the models.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Protocol

from contract.errors import (
    PredictionErased,
    PredictionFailed,
    PredictionFinished,
    PredictionNotFound,
    PredictionUnfinished,
    RequestIdReused,
    ShuttingDown,
    StoreUnavailable,
)
from contract.ids import uuid7
from gateway import pages, request_context
from gateway.models import Answer
from gateway.outcomes import Outcomes
from gateway.prediction import ListFilter, Page, Prediction, State
from gateway.request_context import RequestContext
from gateway.request_keys import request_key

MAX_PAGE_TEXT_BYTES = 2 * 1024 * 1024
UNCERTAIN_OF = 10_000
"""So many of the newest are looked at for those that models were the least sure of."""
CHANGE_PAUSES_S = (0, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Before each try to change a prediction that others may hold."""


class Store(Protocol):
    """The record of predictions."""

    def insert_finished(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> asyncio.Future[bool]: ...
    def insert_accepted(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> asyncio.Future[bool]: ...
    async def get(
        self, prediction_id: str, *, with_text: bool, with_label: bool = False
    ) -> Prediction | None: ...
    async def find(self, request_key: str) -> Prediction | None: ...
    async def search(
        self,
        where: ListFilter,
        *,
        before_id: str | None,
        limit: int,
        max_bytes: int,
        with_text: bool,
        least_confident_of: int = 0,
    ) -> list[Prediction]: ...
    async def cancel(self, prediction_id: str) -> None: ...
    async def erase(self, prediction_id: str) -> None: ...


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

    def __init__(
        self, *, store: Store, models: Models, changes: Changes, outcomes: Outcomes
    ) -> None:
        self._store = store
        self._models = models
        self._changes = changes
        self._outcomes = outcomes

    async def predict(
        self,
        *,
        model: str,
        text: str,
        request_id: str,
        version: str,
        tags: Mapping[str, str] | None = None,
    ) -> Prediction:
        """Predict now; the prediction is durable when this returns.

        request_id: "" or a UUID of the caller's; a known one gives the prediction it stands for.
        version: "" leaves the choice to the traffic policy, sticky by the caller's session.
        """
        request = request_context.current()
        key = request_key(request.caller, request_id)
        if key and (known := await self._store.find(key)):
            return await self._finished(known, model, text, request_id)
        prediction = _new(model, text, request, tags)
        try:
            prediction.version = self._choose_version(prediction, version, request, request_id)
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
        except asyncio.CancelledError:
            self._outcomes.left(prediction, key, request)
            raise
        except Exception as error:
            seen = await self._outcomes.failed(prediction, key, request, error)
            raise seen from None
        return await self._finished(await self._winner(key), model, text, request_id)

    async def create(
        self,
        *,
        model: str,
        text: str,
        request_id: str,
        version: str,
        ttl: timedelta,
        tags: Mapping[str, str] | None = None,
    ) -> Prediction:
        """Accept a text to be predicted later; it is durable when this returns.

        ttl: how long the work may wait and run before it is given up.
        """
        request = request_context.current()
        key = request_key(request.caller, request_id)
        if key and (known := await self._store.find(key)):
            return _same_request(known, model, text, request_id)
        prediction = _new(model, text, request, tags)
        prediction.expire_time = prediction.create_time + ttl
        try:
            prediction.version = self._choose_version(prediction, version, request, request_id)
            if await self._store.insert_accepted(prediction, key, traceparent=request.traceparent):
                return prediction
        except asyncio.CancelledError:
            self._outcomes.left(prediction, key, request)
            raise
        except Exception as error:
            seen = await self._outcomes.failed(prediction, key, request, error)
            raise seen from None
        return _same_request(await self._winner(key), model, text, request_id)

    async def get(
        self, prediction_id: str, *, with_text: bool = True, with_label: bool = False
    ) -> Prediction:
        """Read one prediction."""
        prediction = await self._store.get(
            prediction_id, with_text=with_text, with_label=with_label
        )
        if prediction is None:
            raise PredictionNotFound(prediction_id)
        return prediction

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
        page = _fitting(found)[:limit]
        more = len(found) > len(page)
        return Page(page, pages.encode_token(page[-1].id, where) if more else "")

    async def search_uncertain(
        self, where: ListFilter, *, page_size: int, page_token: str, with_text: bool = True
    ) -> Page:
        """Read the predictions that models were the least sure of, of the newest; as `search`,
        but for the order, and one page only.
        """
        pages.decode_id(page_token, "uncertain")  # which no page has given
        found = await self._store.search(
            where,
            before_id=None,
            limit=pages.size_to_use(page_size),
            max_bytes=MAX_PAGE_TEXT_BYTES,
            with_text=with_text,
            least_confident_of=UNCERTAIN_OF,
        )
        return Page(_fitting(found), "")

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
        for pause_s in CHANGE_PAUSES_S:
            await asyncio.sleep(pause_s)
            await self._store.cancel(prediction_id)
            prediction = await self.get(prediction_id)
            if prediction.state is State.CANCELLED:
                return prediction
            if prediction.state.terminal:
                raise PredictionFinished(prediction_id, prediction.state)
        raise StoreUnavailable()

    async def delete(self, prediction_id: str) -> Prediction:
        """Erase what a finished prediction holds of a person; an erased one is left as it is.

        While somebody holds it, as in `cancel`.
        """
        for pause_s in CHANGE_PAUSES_S:
            await asyncio.sleep(pause_s)
            await self._store.erase(prediction_id)
            prediction = await self.get(prediction_id)
            if prediction.erase_time is not None:
                return prediction
            if not prediction.state.terminal:
                raise PredictionUnfinished(prediction_id, prediction.state)
        raise StoreUnavailable()

    def _choose_version(
        self, prediction: Prediction, pinned: str, request: RequestContext, request_id: str
    ) -> str:
        sticky_key = request.session or request_id or prediction.id
        return self._models.choose_version(prediction.model, pinned=pinned, sticky_key=sticky_key)

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


def _new(
    model: str, text: str, request: RequestContext, tags: Mapping[str, str] | None
) -> Prediction:
    """One that no version is chosen for yet."""
    return Prediction(
        id=uuid7(),
        model=model,
        version="",
        text=text,
        state=State.ACCEPTED,
        create_time=datetime.now(UTC),
        caller=request.caller,
        tags=dict(tags) if tags else None,
    )


def _fitting(found: list[Prediction]) -> list[Prediction]:
    """Those whose texts go into one page, and the first in any case."""
    sizes = accumulate(len(prediction.text.encode()) for prediction in found)
    return found[: max(sum(size <= MAX_PAGE_TEXT_BYTES for size in sizes), 1)]


def _same_request(known: Prediction, model: str, text: str, request_id: str) -> Prediction:
    if known.erase_time is not None:  # with its text, what could tell the requests apart is gone
        raise PredictionErased(known.id)
    if (known.model, known.text) != (model, text):
        raise RequestIdReused(request_id)
    return known
