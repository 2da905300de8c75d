"""A request of the contract, asked of a gateway by gRPC or by REST."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import httpx
from google.api import annotations_pb2
from google.protobuf import json_format, symbol_database
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_status import rpc_status
from predict.v1 import model_service_pb2, prediction_service_pb2


class Answer(NamedTuple):
    """A message, the first one of a stream, or the status of an error."""

    status: status_pb2.Status
    message: Any = None


Ask = Callable[[Message, float], Answer]
"""A request, and within how many seconds it must be answered."""

_METHODS: dict[str, MethodDescriptor] = {
    method.input_type.full_name: method
    for file in (prediction_service_pb2, model_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def by_grpc(channel: grpc.Channel) -> Ask:
    def ask(request: Message, timeout_s: float) -> Answer:
        method, response = _method(request)
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = kind(path, type(request).SerializeToString, response.FromString)
        try:
            answer = call(request, timeout=timeout_s)
            message = next(answer) if method.server_streaming else answer
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)  # type: ignore[arg-type]
            return Answer(status or status_pb2.Status(code=error.code().value[0]))
        return Answer(status_pb2.Status(), message)

    return ask


def by_rest(client: httpx.Client) -> Ask:
    """Of those that answer once, or fail."""

    def ask(request: Message, timeout_s: float) -> Answer:
        method, response = _method(request)
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
        path = re.sub(r"{(\w+)}", lambda name: fields.pop(name[1]), getattr(rule, verb))
        where: Any = {"json": fields} if rule.body else {"params": fields}
        answer = client.request(verb.upper(), path, timeout=timeout_s, **where)
        if answer.status_code != httpx.codes.OK:
            return Answer(json_format.Parse(answer.text, status_pb2.Status()))
        body = answer.json()
        wrapped = {rule.response_body: body} if rule.response_body else body
        return Answer(status_pb2.Status(), json_format.ParseDict(wrapped, response()))

    return ask


def _method(request: Message) -> tuple[MethodDescriptor, Any]:
    """What takes it, and the class of its response."""
    method = _METHODS[request.DESCRIPTOR.full_name]
    return method, symbol_database.Default().GetSymbol(method.output_type.full_name)
