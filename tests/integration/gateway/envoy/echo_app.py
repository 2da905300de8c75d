"""An application whose answers say what reached it through Envoy's filters."""

import asyncio
from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from predict.v1 import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_pb2,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send


def as_received(request: Message) -> str:
    return MessageToJson(request, indent=None)


def echo(request: Any) -> prediction_pb2.Prediction:
    """A prediction whose features_uri is the request."""
    return prediction_pb2.Prediction(
        model=getattr(request, "model", ""),
        text=getattr(request, "text", ""),
        state=prediction_pb2.PREDICTION_STATE_SUCCEEDED,
        output=prediction_pb2.PredictionOutput(label="none", confidence=0.0),
        features_uri=as_received(request),
    )


def refusal() -> status_pb2.Status:
    status = status_pb2.Status(code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="text: no")
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason="TEXT_EMPTY", domain="predict.v1", metadata={"field": "text"}
        )
    )
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="text", description="no", reason="TEXT_EMPTY"
    )
    status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return status


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    async def Predict(self, request: Any, context: Any) -> Any:
        if request.text == "refuse":
            await context.abort_with_status(rpc_status.to_status(refusal()))
        prediction = echo(request)
        prediction.output.label = repr(sorted(context.invocation_metadata()))
        return prediction_service_pb2.PredictResponse(prediction=prediction)

    async def BatchPredict(self, request: Any, context: Any) -> Any:
        results = [{"prediction": echo(entry)} for entry in request.entries]
        return prediction_service_pb2.BatchPredictResponse(results=results)

    async def CreatePrediction(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.CreatePredictionResponse(prediction=echo(request))

    async def GetPrediction(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.GetPredictionResponse(prediction=echo(request))

    async def ListPredictions(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.ListPredictionsResponse(next_page_token=as_received(request))

    async def WaitPrediction(self, request: Any, context: Any) -> Any:
        await asyncio.sleep(request.timeout.ToMilliseconds() / 1000)
        return prediction_service_pb2.WaitPredictionResponse(prediction=echo(request))

    async def WatchPrediction(self, request: Any, context: Any) -> Any:
        for state in (
            prediction_pb2.PREDICTION_STATE_RUNNING,
            prediction_pb2.PREDICTION_STATE_SUCCEEDED,
        ):
            prediction = prediction_pb2.Prediction(id=request.id, state=state)
            yield prediction_service_pb2.WatchPredictionResponse(prediction=prediction)

    async def CancelPrediction(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.CancelPredictionResponse(prediction=echo(request))

    async def DeletePrediction(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.DeletePredictionResponse(prediction=echo(request))


class Models(model_service_pb2_grpc.ModelServiceServicer):
    async def ListModels(self, request: Any, context: Any) -> Any:
        return model_service_pb2.ListModelsResponse(next_page_token=as_received(request))


server = Server()
prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(), server)
model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), server)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await server(scope, receive, send)
        return
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
