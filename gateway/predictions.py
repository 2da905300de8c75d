"""The work itself: making predictions, now or later.

No gRPC, no SQL: servicers call this, and this calls the store and the models.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Protocol

from contract.errors import (
    PredictError,
    PredictionErased,
    PredictionFailed,
    PredictionFinished,
    RequestIdReused,
)
from contract.ids import uuid7
from gateway import request_context
from gateway.metrics.stages import StagesByVersion
from gateway.metrics.texts import ACCEPTED, SUCCEEDED
from gateway.models import Answer
from gateway.outcomes import Outcomes
from gateway.prediction import Prediction, State
from gateway.rates import Rates
from gateway.recorded import RecordedPredictions
from gateway.request_context import RequestContext
from gateway.request_keys import request_key


class Store(Protocol):
    """The record of predictions."""

    def insert_finished(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> asyncio.Future[bool]: ...
    def insert_accepted(
        self, prediction: Prediction, request_key: str, *, traceparent: str
    ) -> asyncio.Future[bool]: ...
    async def find(self, request_key: str) -> Prediction | None: ...


class Models(Protocol):
    """The models, by id and version."""

    def knows(self, model: str) -> bool: ...
    def choose_version(self, model: str, *, pinned: str, sticky_key: str) -> str: ...
    def predict(
        self, model: str, version: str, *, prediction_id: str, text: str, deadline: float | None
    ) -> Awaitable[Answer]: ...


class PredictionService:
    """What every door into the gateway calls with a text. Raises contract.errors.

    The doors give what keeps to the rules of the contract, and ids in small letters.
    """

    def __init__(
        self,
        *,
        store: Store,
        models: Models,
        recorded: RecordedPredictions,
        outcomes: Outcomes,
        stages: StagesByVersion,
        rates: Rates,
    ) -> None:
        self._store = store
        self._models = models
        self._recorded = recorded
        self._outcomes = outcomes
        self._stages = stages
        self._rates = rates

    async def turn(self, model: str) -> None:
        """Wait until the caller may send one more text to a model that he may use.

        For whoever sends many one after the other; `predict` is told that it has been waited for.
        """
        request = request_context.current()
        if request.rights.allow(model) and self._models.knows(model):
            await self._rates.turn(request.caller, model)

    async def predict(
        self,
        *,
        model: str,
        text: str,
        request_id: str,
        version: str,
        tags: Mapping[str, str] | None = None,
        has_turn: bool = False,
    ) -> Prediction:
        """Predict now; the prediction is durable when this returns.

        request_id: "" or a UUID of the caller's; a known one gives the prediction it stands for.
        version: "" leaves the choice to the traffic policy, sticky by the caller's session.
        has_turn: whether `turn` has been waited for.
        """
        request = request_context.current()
        self._admit(model, request, has_turn=has_turn)
        key = request_key(request.caller, request_id)
        if key and (known := await self._store.find(key)):
            return await self._finished(known, model, text, request_id)
        prediction = _new(model, text, request, tags)
        try:
            self._choose_version(prediction, version, request, request_id)
            answer = await self._models.predict(
                model,
                prediction.version,
                prediction_id=prediction.id,
                text=text,
                deadline=request.deadline,
            )
            answered = perf_counter()
            prediction.state = State.SUCCEEDED
            prediction.output, prediction.features_uri = answer
            prediction.complete_time = datetime.now(UTC)
            if await self._store.insert_finished(prediction, key, traceparent=request.traceparent):
                self._recorded_in_time(prediction, request, answered)
                self._outcomes.ended(prediction, request, SUCCEEDED)
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
        self._admit(model, request)
        key = request_key(request.caller, request_id)
        if key and (known := await self._store.find(key)):
            return _same_request(known, model, text, request_id)
        prediction = _new(model, text, request, tags)
        prediction.expire_time = prediction.create_time + ttl
        try:
            self._choose_version(prediction, version, request, request_id)
            # What becomes of it later may be recorded, though this call is not.
            traceparent = request.call.context.traceparent if request.call else request.traceparent
            if await self._store.insert_accepted(prediction, key, traceparent=traceparent):
                self._outcomes.ended(prediction, request, ACCEPTED)
                return prediction
        except asyncio.CancelledError:
            self._outcomes.left(prediction, key, request)
            raise
        except Exception as error:
            seen = await self._outcomes.failed(prediction, key, request, error)
            raise seen from None
        return _same_request(await self._winner(key), model, text, request_id)

    def _admit(self, model: str, request: RequestContext, *, has_turn: bool = False) -> None:
        """Before anything is done or told. Raises PermissionDenied, RateLimited."""
        try:
            request.rights.check(model)
            if not has_turn:
                self._rates.take(request.caller, model)
        except PredictError as error:
            self._outcomes.refused(model, request, error)
            raise

    def _choose_version(
        self, prediction: Prediction, pinned: str, request: RequestContext, request_id: str
    ) -> None:
        call, began = request.call, perf_counter()
        sticky_key = request.session or request_id or prediction.id
        prediction.version = self._models.choose_version(
            prediction.model, pinned=pinned, sticky_key=sticky_key
        )
        if call is not None:
            call.tell(prediction.id, prediction.model, prediction.version)
            if call.sampled:  # of others it is no reason to be slow
                call.mark("choose version", began, perf_counter())

    def _recorded_in_time(
        self, prediction: Prediction, request: RequestContext, answered: float
    ) -> None:
        """answered: when its model had, by perf_counter."""
        now = perf_counter()
        record = self._stages.of(prediction.model, prediction.version).record
        if (call := request.call) is None:
            record.observe(now - answered)
        else:
            record.observe(now - answered, call.exemplar)
            call.mark("record", answered, now)

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
            async for state in self._recorded.watch(known.id):
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


def _same_request(known: Prediction, model: str, text: str, request_id: str) -> Prediction:
    if known.erase_time is not None:  # with its text, what could tell the requests apart is gone
        raise PredictionErased(known.id)
    if (known.model, known.text) != (model, text):
        raise RequestIdReused(request_id)
    return known
