"""Predictions that have been asked for: found again, waited for, taken back, erased.

No gRPC, no SQL: servicers call this, and this calls the store.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate
from typing import Protocol

from contract.errors import (
    PredictionFinished,
    PredictionNotFound,
    PredictionUnfinished,
    ShuttingDown,
    StoreUnavailable,
)
from gateway import pages, request_context
from gateway.prediction import ListFilter, Page, Prediction, State
from gateway.rights import Rights

MAX_PAGE_TEXT_BYTES = 2 * 1024 * 1024
UNCERTAIN_OF = 10_000
"""So many of the newest are looked at for those that models were the least sure of."""
CHANGE_PAUSES_S = (0, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Before each try to change a prediction that others may hold."""


class RecordStore(Protocol):
    """The record of predictions."""

    async def get(
        self, prediction_id: str, *, rights: Rights, with_text: bool, with_label: bool = False
    ) -> Prediction | None: ...
    async def search(
        self,
        where: ListFilter,
        *,
        rights: Rights,
        before_id: str | None,
        limit: int,
        max_bytes: int,
        with_text: bool,
        least_confident_of: int = 0,
    ) -> list[Prediction]: ...
    async def cancel(self, prediction_id: str) -> None: ...
    async def erase(self, prediction_id: str) -> None: ...


class Changes(Protocol):
    """Tells when a prediction may have changed."""

    ended: bool
    """Whether nobody is to wait any more."""

    def watch(self, prediction_id: str) -> AbstractContextManager[asyncio.Event]: ...


class RecordedPredictions:
    """What every door into the gateway calls with the id of a prediction, or for a list.

    The doors give what keeps to the rules of the contract, and ids in small letters. Without
    its text, a prediction has "" for it. One that is out of the reach of the present request is as
    one that there is not. Raises contract.errors.
    """

    def __init__(self, *, store: RecordStore, changes: Changes) -> None:
        self._store = store
        self._changes = changes

    async def get(
        self, prediction_id: str, *, with_text: bool = True, with_label: bool = False
    ) -> Prediction:
        """Read one prediction."""
        rights = request_context.current().rights
        prediction = await self._store.get(
            prediction_id, rights=rights, with_text=with_text, with_label=with_label
        )
        if prediction is None:
            raise PredictionNotFound(prediction_id)
        return prediction

    async def see(self, prediction_id: str) -> None:
        """Raises PredictionNotFound for one that is out of reach: before it is changed."""
        if not request_context.current().rights.reach_all:
            await self.get(prediction_id, with_text=False)

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
            rights=request_context.current().rights,
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
            rights=request_context.current().rights,
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
        await self.see(prediction_id)
        for pause_s in CHANGE_PAUSES_S:
            await asyncio.sleep(pause_s)
            await self._store.cancel(prediction_id)
            prediction = await self.get(prediction_id)
            if prediction.state is State.CANCELLED:
                return _shown(prediction)
            if prediction.state.terminal:
                raise PredictionFinished(prediction_id, prediction.state)
        raise StoreUnavailable()

    async def delete(self, prediction_id: str) -> Prediction:
        """Erase what a finished prediction holds of a person; an erased one is left as it is.

        While somebody holds it, as in `cancel`.
        """
        await self.see(prediction_id)
        for pause_s in CHANGE_PAUSES_S:
            await asyncio.sleep(pause_s)
            await self._store.erase(prediction_id)
            prediction = await self.get(prediction_id)
            if prediction.erase_time is not None:
                return _shown(prediction)
            if not prediction.state.terminal:
                raise PredictionUnfinished(prediction_id, prediction.state)
        raise StoreUnavailable()


def _shown(prediction: Prediction) -> Prediction:
    """What who takes back or erases it may see of it: not what another's text was, or said."""
    if request_context.current().rights.show_text(prediction.caller):
        return prediction
    return replace(
        prediction, text="", tags=None, output=None, error=None, label=None, features_uri=""
    )


def _fitting(found: list[Prediction]) -> list[Prediction]:
    """Those whose texts go into one page, and the first in any case."""
    sizes = accumulate(len(prediction.text.encode()) for prediction in found)
    return found[: max(sum(size <= MAX_PAGE_TEXT_BYTES for size in sizes), 1)]
