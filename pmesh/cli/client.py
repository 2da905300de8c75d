"""The gateway as the command line calls it: by gRPC."""

from collections.abc import Iterable, Iterator

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status
from predict.v1.model_pb2 import Model
from predict.v1.model_service_pb2 import ListModelsRequest
from predict.v1.model_service_pb2_grpc import ModelServiceStub
from predict.v1.prediction_pb2 import Prediction, PredictionState
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    StreamPredictRequest,
    WaitPredictionRequest,
)
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from pmesh.calls import CallFailedError, failures
from pmesh.channel import open_channel

_CALL_S = 30
_WAIT_S = 60


class GatewayClient:
    """Asks the gateway of this machine. Every method raises CallFailedError."""

    def __init__(self, port: int, token: str = "") -> None:
        self._address = f"127.0.0.1:{port}"
        self._channel = open_channel(self._address, token)
        self._stub = PredictionServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)

    def __enter__(self) -> "GatewayClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def models(self) -> Iterator[Model]:
        """The models that the gateway lists, ordered by id."""
        request = ListModelsRequest()
        with failures(self._address):
            while True:
                answer = self._models.ListModels(request, timeout=_CALL_S)
                yield from answer.models
                if not answer.next_page_token:
                    return
                request.page_token = answer.next_page_token

    def predict(self, model: str, text: str) -> Prediction:
        """A finished prediction."""
        request = PredictRequest(model=model, text=text)
        with failures(self._address, model):
            return self._stub.Predict(request, timeout=_CALL_S).prediction

    def predict_each(self, model: str, texts: Iterable[str]) -> Iterator[Prediction | Status]:
        """A finished prediction, or why there is none, for each text in order."""
        requests = (
            StreamPredictRequest(request=PredictRequest(model=model, text=text)) for text in texts
        )
        with failures(self._address, model):
            for answer in self._stub.StreamPredict(requests):
                found = answer.WhichOneof("result") == "prediction"
                yield answer.prediction if found else answer.error

    def create(self, model: str, text: str) -> Prediction:
        """An accepted prediction."""
        request = CreatePredictionRequest(model=model, text=text)
        with failures(self._address, model):
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
        with failures(self._address, prediction.model):
            while prediction.state in unfinished:
                answer = self._stub.WaitPrediction(request, timeout=_WAIT_S + _CALL_S)
                prediction = answer.prediction
        return prediction
