"""The gateway as the command line calls it: by gRPC, errors with what to do about them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from predict.v1.model_pb2 import Model, Release
from predict.v1.model_service_pb2 import ListModelsRequest, ListReleasesRequest
from predict.v1.model_service_pb2_grpc import ModelServiceStub
from predict.v1.prediction_pb2 import Prediction, PredictionState
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    StreamPredictRequest,
    WaitPredictionRequest,
)
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from contract.status import error_info

_CALL_S = 30
_WAIT_S = 60

_REMEDIES = {
    "MODEL_NOT_FOUND": "curl http://127.0.0.1:{port}/v1/models lists the models",
    "MODEL_NOT_RELEASED": "pmesh train {model}, then pmesh release {model}@VERSION",
    "MODEL_UNAVAILABLE": "pmesh status, then pmesh logs triton",
    "OVERLOADED": "wait a moment; or use --later, which queues the work",
    "STORE_UNAVAILABLE": "pmesh status, then pmesh logs postgres",
}


class CallFailedError(Exception):
    """The gateway refused a call, or there is none."""

    def __init__(
        self, message: str, *, reason: str = "", remedy: str = "", status: Status | None = None
    ) -> None:
        super().__init__(f"{message} ({reason})" if reason else message)
        self.remedy = remedy
        self.status = status
        """As the gateway gave it; None if it gave no answer."""


class GatewayClient:
    """Asks the gateway of this machine. Every method raises CallFailedError."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub = PredictionServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def models(self) -> Iterator[Model]:
        """The models that the gateway lists, ordered by id."""
        request = ListModelsRequest()
        with self._failures(""):
            while True:
                answer = self._models.ListModels(request, timeout=_CALL_S)
                yield from answer.models
                if not answer.next_page_token:
                    return
                request.page_token = answer.next_page_token

    def releases(self, model: str, *, limit: int) -> list[Release]:
        """The last things that were asked of a model's traffic, the newest first."""
        request = ListReleasesRequest(model=model, page_size=limit)
        with self._failures(model):
            return list(self._models.ListReleases(request, timeout=_CALL_S).releases)

    def predict(self, model: str, text: str) -> Prediction:
        """A finished prediction."""
        request = PredictRequest(model=model, text=text)
        with self._failures(model):
            return self._stub.Predict(request, timeout=_CALL_S).prediction

    def predict_each(self, model: str, texts: Iterable[str]) -> Iterator[Prediction | Status]:
        """A finished prediction, or why there is none, for each text in order."""
        requests = (
            StreamPredictRequest(request=PredictRequest(model=model, text=text)) for text in texts
        )
        with self._failures(model):
            for answer in self._stub.StreamPredict(requests):
                found = answer.WhichOneof("result") == "prediction"
                yield answer.prediction if found else answer.error

    def create(self, model: str, text: str) -> Prediction:
        """An accepted prediction."""
        request = CreatePredictionRequest(model=model, text=text)
        with self._failures(model):
            return self._stub.CreatePrediction(request, timeout=_CALL_S).prediction

    def create_each(self, model: str, texts: Iterable[str]) -> Iterator[Prediction | Status]:
        """An accepted prediction for each text in order, or what is wrong with the text."""
        for text in texts:
            try:
                yield self.create(model, text)
            except CallFailedError as error:
                if error.status is None or error.status.code != code_pb2.INVALID_ARGUMENT:
                    raise
                yield error.status

    def wait(self, prediction: Prediction) -> Prediction:
        """The same prediction once it is finished."""
        request = WaitPredictionRequest(id=prediction.id, timeout=Duration(seconds=_WAIT_S))
        unfinished = (
            PredictionState.PREDICTION_STATE_ACCEPTED,
            PredictionState.PREDICTION_STATE_RUNNING,
        )
        with self._failures(prediction.model):
            while prediction.state in unfinished:
                answer = self._stub.WaitPrediction(request, timeout=_WAIT_S + _CALL_S)
                prediction = answer.prediction
        return prediction

    @contextmanager
    def _failures(self, model: str) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise self._explain(error, model) from error

    def _explain(self, error: grpc.RpcError, model: str) -> CallFailedError:
        assert isinstance(error, grpc.Call)  # what stubs raise is both
        status = rpc_status.from_call(error)
        if status is None:  # not from the gateway
            nobody = f"nothing answers on port {self._port}: {error.details()}"
            return CallFailedError(nobody, remedy="pmesh status, or pmesh up")
        reason = error_info(status).reason
        remedy = _REMEDIES.get(reason, "").format(model=model, port=self._port)
        return CallFailedError(status.message, reason=reason, remedy=remedy, status=status)
