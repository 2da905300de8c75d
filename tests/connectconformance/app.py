"""The conformance service on the gateway's gRPC module: the application inside Envoy."""

import asyncio
import os
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import grpc
from connectrpc.conformance.v1 import service_pb2, service_pb2_grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from gateway.grpc_asgi import Server
from tests.parts.asgi_app import App

Payload = service_pb2.ConformancePayload
Context = grpc.aio.ServicerContext[Any, Any]


class ConformanceServicer(service_pb2_grpc.ConformanceServiceServicer):
    async def Unary(
        self, request: service_pb2.UnaryRequest, context: Context
    ) -> service_pb2.UnaryResponse:
        payload = await _unary_payload(context, request.response_definition, [request])
        return service_pb2.UnaryResponse(payload=payload)

    async def IdempotentUnary(
        self, request: service_pb2.IdempotentUnaryRequest, context: Context
    ) -> service_pb2.IdempotentUnaryResponse:
        payload = await _unary_payload(context, request.response_definition, [request])
        return service_pb2.IdempotentUnaryResponse(payload=payload)

    async def ClientStream(
        self, requests: AsyncIterator[service_pb2.ClientStreamRequest], context: Context
    ) -> service_pb2.ClientStreamResponse:
        received = [request async for request in requests]
        definition = received[0].response_definition if received else None
        payload = await _unary_payload(context, definition, received)
        return service_pb2.ClientStreamResponse(payload=payload)

    async def ServerStream(
        self, request: service_pb2.ServerStreamRequest, context: Context
    ) -> AsyncIterator[service_pb2.ServerStreamResponse]:
        definition = request.response_definition
        await _send_metadata(context, definition)
        info = _request_info(context, [request])
        for data in definition.response_data:
            await asyncio.sleep(definition.response_delay_ms / 1000)
            yield service_pb2.ServerStreamResponse(payload=Payload(data=data, request_info=info))
            info = None
        await _fail_if_defined(context, definition, info)

    async def BidiStream(
        self, requests: AsyncIterator[service_pb2.BidiStreamRequest], context: Context
    ) -> AsyncIterator[service_pb2.BidiStreamResponse]:
        received = [await anext(requests)]
        definition, full_duplex = received[0].response_definition, received[0].full_duplex
        if not full_duplex:
            received += [request async for request in requests]
        await _send_metadata(context, definition)
        info = _request_info(context, received)
        for data in definition.response_data:
            await asyncio.sleep(definition.response_delay_ms / 1000)
            yield service_pb2.BidiStreamResponse(payload=Payload(data=data, request_info=info))
            received = [request] if full_duplex and (request := await anext(requests, None)) else []
            info = Payload.RequestInfo(requests=_packed(received))
        await _fail_if_defined(context, definition, info)


async def _unary_payload(
    context: Context,
    definition: service_pb2.UnaryResponseDefinition,
    requests: Sequence[Message],
) -> Payload:
    await _send_metadata(context, definition)
    await asyncio.sleep(definition.response_delay_ms / 1000)
    info = _request_info(context, requests)
    await _fail_if_defined(context, definition, info)
    return Payload(data=definition.response_data, request_info=info)


async def _send_metadata(context: Context, definition: Any) -> None:
    await context.send_initial_metadata(_metadata(definition.response_headers))
    context.set_trailing_metadata(_metadata(definition.response_trailers))


async def _fail_if_defined(context: Context, definition: Any, info: Payload.RequestInfo) -> None:
    """Aborts with the error of the definition; its details say what was requested, if unsaid."""
    if not definition.HasField("error"):
        return
    error = definition.error
    answered = isinstance(definition, service_pb2.StreamResponseDefinition) and bool(
        definition.response_data
    )
    details = [*error.details, *([] if answered else _packed([info]))]
    status = Status(code=error.code, message=error.message, details=details)
    rich = rpc_status.to_status(status)
    trailers = (*_metadata(definition.response_trailers), *rich.trailing_metadata)
    await context.abort(rich.code, rich.details, trailers)


def _request_info(context: Context, requests: Sequence[Message]) -> Payload.RequestInfo:
    remaining_s = context.time_remaining()
    values: dict[str, list[str]] = {}
    for key, value in context.invocation_metadata():
        text = value if isinstance(value, str) else b64encode(value).decode()
        values.setdefault(key, []).append(text)
    return Payload.RequestInfo(
        request_headers=[service_pb2.Header(name=k, value=v) for k, v in values.items()],
        timeout_ms=None if remaining_s is None else round(remaining_s * 1000),
        requests=_packed(requests),
    )


def _packed(messages: Iterable[Message]) -> list[AnyMessage]:
    packed = [AnyMessage() for _ in messages]
    for any_message, message in zip(packed, messages, strict=True):
        any_message.Pack(message)
    return packed


def _metadata(headers: Iterable[service_pb2.Header]) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(
        (key, b64decode(value + "==") if key.endswith("-bin") else value)
        for header in headers
        for key, value in ((header.name.lower(), value) for value in header.value)
    )


_server = Server(max_receive_bytes=int(os.environ["CONFORMANCE_MAX_RECEIVE_BYTES"]))
service_pb2_grpc.add_ConformanceServiceServicer_to_server(ConformanceServicer(), _server)
app = App(_server)
