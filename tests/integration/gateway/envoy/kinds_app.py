"""An application that answers each rpc of kinds.proto with the requests that reached it."""

from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from gateway.grpc_asgi import Server
from gateway.grpc_asgi.asgi import Receive, Scope, Send
from tests.integration.gateway.envoy.kinds import SERVICE, message, pool

Received, Parts = message("Received"), message("Parts")


def received(requests: list[Any]) -> Any:
    return Received(messages=[r.SerializeToString(deterministic=True) for r in requests])


async def whole(request: Any, context: Any) -> Any:
    return received([request])


async def stream(requests: Any, context: Any) -> Any:
    return received([request async for request in requests])


async def part(request: Any, context: Any) -> Any:
    """The request's own inner, strings and number, each where the request has it."""
    parts = Parts(before='a "quoted" {[,:', texts=request.strings)
    if request.HasField("inner"):
        parts.inner.CopyFrom(request.inner)
    if request.HasField("number"):
        parts.number = request.number
    return parts


async def part_stream(request: Any, context: Any) -> Any:
    for text in request.strings:
        yield Parts(before=text, inner={"a_string": text})


def handler(name: str, request: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    codec = {
        "request_deserializer": request.FromString,
        "response_serializer": lambda answer: answer.SerializeToString(),
    }
    if name == "Stream":
        return grpc.stream_unary_rpc_method_handler(stream, **codec)
    if name == "PartStream":
        return grpc.unary_stream_rpc_method_handler(part_stream, **codec)
    return grpc.unary_unary_rpc_method_handler(part if name == "Part" else whole, **codec)


server = Server()
rpcs = pool().FindServiceByName(SERVICE).methods
handlers = {rpc.name: handler(rpc.name, GetMessageClass(rpc.input_type)) for rpc in rpcs}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await server(scope, receive, send)
        return
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
