"""PredictionService over gRPC: convert, call, convert. The work is in
gateway.predictions and gateway.recorded."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from datetime import timedelta
from typing import Protocol, TypeVar

from grpc.aio import ServicerContext
from predict.v1 import prediction_pb2, prediction_service_pb2_grpc
from predict.v1 import prediction_service_pb2 as pb

from contract.errors import InvalidArgument
from gateway import request_context, validation
from gateway.convert import (
    duration_from_proto,
    has_text,
    list_filter_from_proto,
    write_prediction,
)
from gateway.metrics.texts import Unrecorded
from gateway.prediction import Prediction
from gateway.predictions import PredictionService
from gateway.recorded import RecordedPredictions
from gateway.refusals import to_status
from gateway.turns import Turns

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = ServicerContext[Request, Response]


class _WithPrediction(Protocol):
    @property
    def prediction(self) -> prediction_pb2.Prediction: ...


Filled = TypeVar("Filled", bound=_WithPrediction)

Answers = asyncio.Queue[tuple[asyncio.Task[Prediction], bool] | None]
"""Of a stream: what is in work, and whether its text is to be answered; None at the end."""

DEFAULT_TTL = timedelta(hours=24)
DEFAULT_WAIT = timedelta(seconds=30)
STREAM_WINDOW = 64  # texts of one stream that are in work at once
TEXTS_AT_ONCE = 512
"""Of the batches and streams of one caller, who has more of them wait."""


class PredictionServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The door for gRPC, gRPC-Web and, through Envoy's transcoder, REST."""

    def __init__(
        self,
        service: PredictionService,
        recorded: RecordedPredictions,
        *,
        max_call_s: float,
        unrecorded: Unrecorded,
    ) -> None:
        """max_call_s: for each text of a batch or a stream; the server limits the others."""
        self._service = service
        self._recorded = recorded
        self._max_call_s = max_call_s
        self._unrecorded = unrecorded
        self._turns = Turns(each=TEXTS_AT_ONCE)

    async def Predict(
        self, request: pb.PredictRequest, context: Context[pb.PredictRequest, pb.PredictResponse]
    ) -> pb.PredictResponse:
        """Answer with the finished prediction."""
        prediction = await self._predict(request)
        return _filled(pb.PredictResponse(), prediction, with_text=has_text(request.view))

    async def BatchPredict(
        self,
        request: pb.BatchPredictRequest,
        context: Context[pb.BatchPredictRequest, pb.BatchPredictResponse],
    ) -> pb.BatchPredictResponse:
        """Answer with each entry's prediction or error."""
        validation.check_batch_text(request.ByteSize())
        async with self._turns.turn(request_context.current().caller, len(request.entries)):
            outcomes = await asyncio.gather(
                *(
                    self._predict_in_time(
                        pb.PredictRequest(
                            model=request.model,
                            text=entry.text,
                            request_id=entry.request_id,
                            version=request.version,
                            tags=entry.tags,
                        )
                    )
                    for entry in request.entries
                ),
                return_exceptions=True,
            )
        response = pb.BatchPredictResponse()
        with_text = has_text(request.view)
        for outcome in outcomes:
            _write_result(outcome, response.results.add(), with_text=with_text)
        return response

    async def StreamPredict(
        self,
        request_iterator: AsyncIterable[pb.StreamPredictRequest],
        context: Context[pb.StreamPredictRequest, pb.StreamPredictResponse],
    ) -> AsyncIterator[pb.StreamPredictResponse]:
        """Answer each text in turn; up to STREAM_WINDOW of them are in work at once."""
        answers: Answers = asyncio.Queue(STREAM_WINDOW)
        reader = asyncio.create_task(self._read(request_iterator, answers))
        try:
            while (answer := await answers.get()) is not None:
                task, with_text = answer
                (outcome,) = await asyncio.gather(task, return_exceptions=True)
                response = pb.StreamPredictResponse()
                _write_result(outcome, response, with_text=with_text)
                yield response
            await reader  # raises what ended the stream of requests early
        finally:
            reader.cancel()
            _cancel_all(answers)

    async def CreatePrediction(
        self,
        request: pb.CreatePredictionRequest,
        context: Context[pb.CreatePredictionRequest, pb.CreatePredictionResponse],
    ) -> pb.CreatePredictionResponse:
        """Answer with the accepted prediction."""
        has_ttl = request.HasField("ttl")
        prediction = await self._service.create(
            model=request.model,
            text=request.text,
            request_id=request.request_id.lower(),
            version=request.version,
            ttl=duration_from_proto(request.ttl, field="ttl") if has_ttl else DEFAULT_TTL,
            tags=request.tags,
        )
        return _filled(pb.CreatePredictionResponse(), prediction)

    async def GetPrediction(
        self,
        request: pb.GetPredictionRequest,
        context: Context[pb.GetPredictionRequest, pb.GetPredictionResponse],
    ) -> pb.GetPredictionResponse:
        """Answer with the prediction as it stands."""
        with_text = has_text(request.view)
        prediction = await self._recorded.get(
            request.id.lower(), with_text=with_text, with_label=with_text
        )
        return _filled(pb.GetPredictionResponse(), prediction)

    async def ListPredictions(
        self,
        request: pb.ListPredictionsRequest,
        context: Context[pb.ListPredictionsRequest, pb.ListPredictionsResponse],
    ) -> pb.ListPredictionsResponse:
        """Answer with a page."""
        page = await self._recorded.search(
            list_filter_from_proto(request),
            page_size=request.page_size,
            page_token=request.page_token,
            with_text=has_text(request.view),
        )
        response = pb.ListPredictionsResponse(next_page_token=page.next_page_token)
        for prediction in page.predictions:
            write_prediction(prediction, response.predictions.add())
        return response

    async def WaitPrediction(
        self,
        request: pb.WaitPredictionRequest,
        context: Context[pb.WaitPredictionRequest, pb.WaitPredictionResponse],
    ) -> pb.WaitPredictionResponse:
        """Answer when the prediction is finished or the wait is over."""
        has_timeout = request.HasField("timeout")
        prediction = await self._recorded.wait(
            request.id.lower(),
            at_most=duration_from_proto(request.timeout, field="timeout")
            if has_timeout
            else DEFAULT_WAIT,
            with_text=has_text(request.view),
        )
        return _filled(pb.WaitPredictionResponse(), prediction)

    async def WatchPrediction(
        self,
        request: pb.WatchPredictionRequest,
        context: Context[pb.WatchPredictionRequest, pb.WatchPredictionResponse],
    ) -> AsyncIterator[pb.WatchPredictionResponse]:
        """Answer with each state up to the terminal one."""
        with_text = has_text(request.view)
        async for prediction in self._recorded.watch(request.id.lower(), with_text=with_text):
            yield _filled(pb.WatchPredictionResponse(), prediction)

    async def CancelPrediction(
        self,
        request: pb.CancelPredictionRequest,
        context: Context[pb.CancelPredictionRequest, pb.CancelPredictionResponse],
    ) -> pb.CancelPredictionResponse:
        """Answer with the cancelled prediction."""
        prediction = await self._recorded.cancel(request.id.lower())
        return _filled(pb.CancelPredictionResponse(), prediction)

    async def DeletePrediction(
        self,
        request: pb.DeletePredictionRequest,
        context: Context[pb.DeletePredictionRequest, pb.DeletePredictionResponse],
    ) -> pb.DeletePredictionResponse:
        """Answer with what is left of the prediction."""
        prediction = await self._recorded.delete(request.id.lower())
        return _filled(pb.DeletePredictionResponse(), prediction)

    async def _read(
        self,
        requests: AsyncIterable[pb.StreamPredictRequest],
        answers: Answers,
    ) -> None:
        caller = request_context.current().caller
        try:
            async for message in requests:
                request = message.request
                await self._service.turn(request.model)  # the next one is not read before
                await self._turns.begin(caller)
                task = asyncio.create_task(self._predict_in_time(request, has_turn=True))
                task.add_done_callback(lambda _: self._turns.end(caller))
                try:
                    await answers.put((task, has_text(request.view)))
                except asyncio.CancelledError:
                    task.cancel()
                    raise
        finally:
            await answers.put(None)

    async def _predict_in_time(
        self, request: pb.PredictRequest, *, has_turn: bool = False
    ) -> Prediction:
        """One of several texts: one that is refused or slow does not take the others with it."""
        try:
            validation.check(request)
        except InvalidArgument as error:  # of a call that may well be OK
            self._unrecorded.count(error.reason)
            raise
        request_context.limit(self._max_call_s)
        async with asyncio.timeout(self._max_call_s):
            return await self._predict(request, has_turn=has_turn)

    def _predict(
        self, request: pb.PredictRequest, *, has_turn: bool = False
    ) -> Awaitable[Prediction]:
        return self._service.predict(
            model=request.model,
            text=request.text,
            request_id=request.request_id.lower(),
            version=request.version,
            tags=request.tags,
            has_turn=has_turn,
        )


def _filled(response: Filled, prediction: Prediction, *, with_text: bool = True) -> Filled:
    write_prediction(prediction, response.prediction, with_text=with_text)
    return response


def _write_result(
    outcome: Prediction | BaseException,
    message: pb.BatchPredictResult | pb.StreamPredictResponse,
    *,
    with_text: bool,
) -> None:
    if isinstance(outcome, BaseException):
        message.error.CopyFrom(to_status(outcome))
        if (call := request_context.current().call) is not None:
            call.note(message.error)
    else:
        write_prediction(outcome, message.prediction, with_text=with_text)


def _cancel_all(answers: Answers) -> None:
    while not answers.empty():
        if answer := answers.get_nowait():
            answer[0].cancel()
