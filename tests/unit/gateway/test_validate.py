"""The interceptor that has requests checked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from predict.v1 import model_service_pb2, prediction_service_pb2
from predict.v1.prediction_service_pb2 import StreamPredictRequest

from contract.errors import InvalidArgument
from gateway.grpc_asgi.status import UndecodableRequest
from gateway.interceptors.interceptor import Rpc
from gateway.interceptors.validate import validate

SERVICES = [
    service
    for file in (prediction_service_pb2, model_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
]
UNARY = [m for service in SERVICES for m in service.methods if not m.client_streaming]


class Handler:
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    async def __call__(self, request: Any, context: Any) -> str:
        if isinstance(request, Message):
            self.requests.append(request)
        else:
            self.requests += [message async for message in request]
        return "answer"


def of(method: MethodDescriptor) -> Rpc:
    return Rpc(method.containing_service.full_name, method.name)


@pytest.mark.parametrize("method", UNARY, ids=lambda method: method.name)
async def test_every_rpc_of_the_contract_is_checked(method: MethodDescriptor) -> None:
    handler = Handler()
    fields = {field.name: field for field in method.input_type.fields}
    bad: dict[str, Any] = {"page_size": -1} if "page_size" in fields else {}
    request = GetMessageClass(method.input_type)(**bad)  # else without model or id
    with pytest.raises(InvalidArgument):
        await validate(of(method), handler)(request, None)  # type: ignore[arg-type]
    assert handler.requests == []


async def test_a_good_request_reaches_its_handler_as_it_is() -> None:
    handler = Handler()
    rpc = Rpc("predict.v1.ModelService", "ListModels")
    request = model_service_pb2.ListModelsRequest(page_size=7)
    assert await validate(rpc, handler)(request, None) == "answer"  # type: ignore[arg-type]
    assert handler.requests[0] is request


async def test_the_requests_of_a_stream_come_through_in_order() -> None:
    async def requests() -> AsyncIterator[StreamPredictRequest]:
        for text in ("a", "", "b"):
            yield StreamPredictRequest(request={"text": text})

    handler = Handler()
    rpc = Rpc("predict.v1.PredictionService", "StreamPredict")
    await validate(rpc, handler)(requests(), None)  # type: ignore[arg-type]
    assert [message.request.text for message in handler.requests] == ["a", "", "b"]


@pytest.mark.parametrize("name", ["_OTHER/", "grpc.reflection.v1.ServerReflection/Unknown"])
async def test_of_what_has_no_descriptor_only_what_is_no_message_is_refused(name: str) -> None:
    service, method = name.split("/")
    handler = Handler()
    checked = validate(Rpc(service, method), handler)
    request = StreamPredictRequest()
    await checked(request, None)  # type: ignore[arg-type]
    assert handler.requests == [request]
    with pytest.raises(UndecodableRequest):
        await checked(UndecodableRequest(b"\xff", ValueError()), None)  # type: ignore[arg-type]
