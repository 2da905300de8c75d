"""An application whose answers say what reached it through Envoy's filters."""

import asyncio
import os
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status
from predict.v1 import (
    feedback_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    monitoring_service_pb2_grpc,
    prediction_pb2,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from contract.access import read_policy
from gateway.app import SERVICES
from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from gateway.interceptors.authorize import authorize
from gateway.interceptors.explain import explain
from gateway.interceptors.identify import identify
from gateway.interceptors.intercepted import Intercepted
from gateway.interceptors.interceptor import Interceptor
from gateway.servicers import standard

ACCESS = "PMESH_GATEWAY_ACCESS"


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
            if request.id == "rests":
                await asyncio.sleep(600)
            if request.id == "refuse":
                await context.abort_with_status(rpc_status.to_status(refusal()))

    async def CancelPrediction(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.CancelPredictionResponse(prediction=echo(request))

    async def DeletePrediction(self, request: Any, context: Any) -> Any:
        return prediction_service_pb2.DeletePredictionResponse(prediction=echo(request))


class Models(model_service_pb2_grpc.ModelServiceServicer):
    async def ListModels(self, request: Any, context: Any) -> Any:
        return model_service_pb2.ListModelsResponse(next_page_token=as_received(request))


def interceptors() -> tuple[Interceptor, ...]:
    """Those of the gateway that decide who may call."""
    if file := os.environ.get(ACCESS):
        return (explain, identify, authorize(read_policy(Path(file))))
    return (explain, identify)


server = Server()
registry: Any = Intercepted(server, interceptors())
prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(), registry)
model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), registry)
feedback_service_pb2_grpc.add_FeedbackServiceServicer_to_server(
    feedback_service_pb2_grpc.FeedbackServiceServicer(), registry
)
monitoring_service_pb2_grpc.add_MonitoringServiceServicer_to_server(
    monitoring_service_pb2_grpc.MonitoringServiceServicer(), registry
)
health_pb2_grpc.add_HealthServicer_to_server(health_pb2_grpc.HealthServicer(), registry)
standard.add_reflection(registry, SERVICES)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await server(scope, receive, send)
        return
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
