"""The model runtimes: which version answers, and the micro-batches that go to it."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from predict.v1.model_runtime_service_pb2 import (
    PredictBatchRequest,
    PredictBatchResponse,
    RuntimeResult,
)
from predict.v1.model_runtime_service_pb2_grpc import ModelRuntimeServiceStub

from gateway.batching import Batcher
from gateway.errors import (
    ModelFailed,
    ModelNotFound,
    ModelNotReleased,
    ModelUnavailable,
    Overloaded,
    VersionNotFound,
)
from gateway.store.catalog import Model

_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    # A runtime that comes back is found within a second, not gRPC's two minutes.
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class _Entry(NamedTuple):
    prediction_id: str
    text: str


class Runtimes:
    """Calls the runtime of each model; open with `async with`."""

    def __init__(
        self,
        models: Callable[[], Mapping[str, Model]],
        *,
        max_batch: int,
        batches_in_flight: int,
        max_waiting: int,
        timeout_s: float,
    ) -> None:
        """models: the catalog as it now stands, by id.

        batches_in_flight: for one version of a model.
        """
        self._models = models
        self._max_batch = max_batch
        self._batches_in_flight = batches_in_flight
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._batchers: dict[tuple[str, str, str], Batcher[_Entry, RuntimeResult]] = {}

    async def __aenter__(self) -> "Runtimes":
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()

    def choose_version(self, model: str, *, pinned: str, sticky_key: str) -> str:
        """The pinned version, or the one that the traffic policy gives to this key.

        Raises ModelNotFound, VersionNotFound, ModelNotReleased.
        """
        known = self._model(model)
        if pinned:
            if not known.serves(pinned):
                raise VersionNotFound(model, pinned)
            return pinned
        if not known.traffic:
            raise ModelNotReleased(model)
        if len(known.traffic) == 1:
            return next(iter(known.traffic))
        return _split(known.traffic, sticky_key)

    async def predict(
        self, model: str, version: str, *, prediction_id: str, text: str
    ) -> RuntimeResult:
        """Have one text predicted, together with what else waits for this version.

        Raises Overloaded, VersionNotFound, ModelUnavailable, TimeoutError.
        """
        address = self._model(model).address
        key = (model, version, address)
        batcher = self._batchers.get(key) or self._add_batcher(key)
        return await batcher.submit(_Entry(prediction_id, text))

    def _model(self, model: str) -> Model:
        known = self._models().get(model)
        if known is None:
            raise ModelNotFound(model)
        return known

    def _add_batcher(self, key: tuple[str, str, str]) -> Batcher[_Entry, RuntimeResult]:
        model, version, address = key
        channel = self._channels.get(address)
        if channel is None:
            channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
            self._channels[address] = channel
        client = _VersionClient(channel, model, version, timeout_s=self._timeout_s)

        async def run(entries: list[_Entry]) -> Sequence[RuntimeResult | Exception]:
            try:
                return await client.predict(entries)
            except VersionNotFound:
                # It has been unloaded: what does not exist is not remembered.
                self._batchers.pop(key, None)
                raise

        batcher = self._batchers[key] = Batcher(
            run,
            max_batch=self._max_batch,
            max_in_flight=self._batches_in_flight,
            max_waiting=self._max_waiting,
        )
        return batcher


class _VersionClient:
    """Asks one version of a model."""

    def __init__(
        self, channel: grpc.aio.Channel, model: str, version: str, *, timeout_s: float
    ) -> None:
        self._stub = ModelRuntimeServiceStub(channel)
        self._model = model
        self._version = version
        self._timeout_s = timeout_s

    async def predict(self, entries: list[_Entry]) -> Sequence[RuntimeResult | Exception]:
        """Predict a batch; a text that makes the model fail is found by halving, to fail alone."""
        try:
            return await self._predict_together(entries)
        except ModelFailed as error:
            if len(entries) == 1:
                return [error]
        middle = len(entries) // 2
        first, second = await asyncio.gather(
            self.predict(entries[:middle]), self.predict(entries[middle:])
        )
        return [*first, *second]

    async def _predict_together(self, entries: list[_Entry]) -> Sequence[RuntimeResult | Exception]:
        request = PredictBatchRequest(model=self._model, version=self._version)
        for prediction_id, text in entries:
            entry = request.entries.add()
            entry.prediction_id, entry.text = prediction_id, text
        try:
            response: PredictBatchResponse = await self._stub.PredictBatch(
                request,
                timeout=self._timeout_s,
                metadata=(("x-model-version", self._version),),
            )
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error
        return [self._checked(result) for result in response.results]

    def _checked(self, result: RuntimeResult) -> RuntimeResult | Exception:
        """The result, if its numbers are numbers: no others can be recorded or sent as JSON."""
        output = result.output
        scores = output.scores  # read by key, which takes half the time of its values()
        if math.isfinite(output.confidence + output.value + sum([scores[name] for name in scores])):
            return result
        return ModelFailed(self._model)

    def _error(self, error: grpc.aio.AioRpcError) -> Exception:
        match error.code():
            case grpc.StatusCode.NOT_FOUND:
                return VersionNotFound(self._model, self._version)
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                return Overloaded()
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return TimeoutError()
            case grpc.StatusCode.UNAVAILABLE:
                return ModelUnavailable(self._model)
            case _ if _reason(error) == "MODEL_FAILED":
                return ModelFailed(self._model)
            case code:
                return RuntimeError(f"the runtime of {self._model} answered {code.name}")


def _split(traffic: Mapping[str, int], sticky_key: str) -> str:
    """The version whose share of 0..99 holds the key's hash; the same for the same key."""
    digest = hashlib.blake2b(sticky_key.encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") % 100
    for version, percent in sorted(traffic.items(), key=lambda share: int(share[0])):
        point -= percent
        if point < 0:
            return version
    raise ValueError("the shares of a traffic policy add up to 100")


def _reason(error: grpc.aio.AioRpcError) -> str:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""
