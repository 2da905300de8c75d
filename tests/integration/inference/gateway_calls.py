"""The gateway, asked by gRPC; an error comes back as its code and reason."""

from collections.abc import Sequence

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from predict.v1.prediction_pb2 import Prediction
from predict.v1.prediction_service_pb2 import (
    BatchPredictEntry,
    BatchPredictRequest,
    BatchPredictResult,
    PredictRequest,
)
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

TIMEOUT_S = 20.0


class Refused(Exception):
    """An error, with its status."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(f"{code_pb2.Code.Name(status.code)}: {status.message}")
        self.status = status


class Gateway:
    """One model of the gateway at a port."""

    def __init__(self, channel: grpc.Channel, model: str) -> None:
        self._stub = PredictionServiceStub(channel)
        self._model = model

    def predict(self, text: str, *, version: str = "", timeout_s: float = TIMEOUT_S) -> Prediction:
        """Raises Refused."""
        request = PredictRequest(model=self._model, text=text, version=version)
        try:
            return self._stub.Predict(request, timeout=timeout_s).prediction
        except grpc.RpcError as error:
            raise Refused(_status(error)) from error

    def predict_all(self, texts: Sequence[str], *, version: str = "") -> list[BatchPredictResult]:
        """In one call."""
        entries = [BatchPredictEntry(text=text) for text in texts]
        request = BatchPredictRequest(model=self._model, entries=entries, version=version)
        return list(self._stub.BatchPredict(request, timeout=TIMEOUT_S).results)


def reason(status: status_pb2.Status) -> str:
    """Without its prefix; empty for an error that is not the gateway's own."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return info.reason
    return ""


def _status(error: grpc.RpcError) -> status_pb2.Status:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    return status or status_pb2.Status(code=error.code().value[0], message=error.details())
