"""The two doors of the gateway, asked alike: a request of the contract by gRPC or by REST."""

import re
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import grpc
import httpx
from google.api import annotations_pb2
from google.protobuf import json_format, symbol_database
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from predict.v1 import (
    feedback_service_pb2,
    model_service_pb2,
    monitoring_service_pb2,
    prediction_service_pb2,
)
from predict.v1.error_reason_pb2 import ErrorReason

from contract.reasons import http_status

SERVICES = (
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"],
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
    feedback_service_pb2.DESCRIPTOR.services_by_name["FeedbackService"],
    monitoring_service_pb2.DESCRIPTOR.services_by_name["MonitoringService"],
)
METHODS: dict[str, MethodDescriptor] = {
    method.name: method for service in SERVICES for method in service.methods
}


@dataclass(frozen=True)
class Answer:
    """What came back: a message, or the status of an error."""

    status: status_pb2.Status
    message: Any = None
    text: str = ""
    """All that a client could read of an error."""

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        """The one ErrorInfo of an error."""
        (info,) = self._details(error_details_pb2.ErrorInfo())
        return info

    @property
    def fields(self) -> list[str]:
        """The fields that are to blame."""
        return [
            violation.field
            for bad_request in self._details(error_details_pb2.BadRequest())
            for violation in bad_request.field_violations
        ]

    def _details(self, kind: Any) -> list[Any]:
        return [
            type(kind).FromString(detail.value)
            for detail in self.status.details
            if detail.Is(kind.DESCRIPTOR)
        ]


class Door(Protocol):
    """One protocol."""

    def call(self, rpc: str, request: Message, *, timeout_s: float = 30) -> Answer:
        """Ask one rpc that answers once, or that streams: then the first message."""


class Grpc:
    """gRPC, by grpcio."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def call(self, rpc: str, request: Message, *, timeout_s: float = 30) -> Answer:
        return self.send(rpc, request.SerializeToString(), timeout_s=timeout_s)

    def send(self, rpc: str, payload: bytes, *, timeout_s: float = 30) -> Answer:
        """Send bytes that need not be a message."""
        method = METHODS[rpc]
        path = f"/{method.containing_service.full_name}/{rpc}"
        response = symbol_database.Default().GetSymbol(method.output_type.full_name)
        kind: Any = (
            self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        )
        call = kind(path, response_deserializer=response.FromString)
        try:
            answer = call(payload, timeout=timeout_s)
            return Answer(status_pb2.Status(), next(answer) if method.server_streaming else answer)
        except grpc.RpcError as error:
            return failed(error)


class Rest:
    """REST, as the http annotations of the contract bind it."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def call(self, rpc: str, request: Message, *, timeout_s: float = 30) -> Answer:
        method = METHODS[rpc]
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
        path = re.sub(
            r"{(\w+)}", lambda name: quote(fields.pop(name[1]), safe=""), getattr(rule, verb)
        )
        where = {"json": fields} if rule.body else {"params": fields}
        response = self.client.request(verb.upper(), path, timeout=timeout_s, **where)  # type: ignore[arg-type]
        if response.status_code != httpx.codes.OK:
            return refused(response)
        body = response.json()
        message = symbol_database.Default().GetSymbol(method.output_type.full_name)()
        wrapped = {rule.response_body: body} if rule.response_body else body
        return Answer(status_pb2.Status(), json_format.ParseDict(wrapped, message))


def failed(error: Any) -> Answer:
    """The error of a gRPC call."""
    status = rpc_status.from_call(error) or status_pb2.Status(
        code=error.code().value[0], message=error.details()
    )
    return Answer(status, text=f"{error.details()} {status}")


def refused(response: httpx.Response) -> Answer:
    """The error of a REST call."""
    answer = Answer(json_format.Parse(response.text, status_pb2.Status()), text=response.text)
    reason = ErrorReason.Value(f"ERROR_REASON_{answer.info.reason}")
    assert response.status_code == http_status(reason)
    assert response.headers["content-type"] == "application/json"
    return answer
