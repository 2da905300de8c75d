"""The gateway's servicers under an access policy, on a plain server of grpc.aio.

There is no Envoy here that verifies tokens: who calls sends a token that nobody has signed, and
says that it is verified, as Envoy would.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import symbol_database
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from predict.v1 import feedback_service_pb2 as feedback
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.prediction_pb2 import Prediction

from contract.access import AccessPolicy
from database.logins import GATEWAY
from tests.integration.gateway.whole import list_models, release
from tests.parts.catalog import environment
from tests.parts.doors import METHODS, Answer
from tests.parts.postgres import Database
from tests.parts.words_server import words_server

MODEL, OTHER_MODEL = "words", "other"
ISSUER = "https://a.example/"
Metadata = tuple[tuple[str, str], ...]
OF_THE_CALL = {"x-request-id", "date"}
"""Metadata that no two calls have in common."""


def verified(claims: Any, **header: Any) -> Metadata:
    """What a call comes with whose token says this, once Envoy has verified it."""
    token = f"{_encoded({'alg': 'ES256'} | header)}.{_encoded(claims)}.c2lnbmVk"
    return (("x-pmesh-issuer", ISSUER), ("authorization", f"Bearer {token}"))


def _encoded(said: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Caller:
    """Who calls, and in which roles."""

    name: str
    roles: tuple[str, ...] = ()

    @property
    def metadata(self) -> Metadata:
        return verified({"sub": self.name, "roles": self.roles})


@dataclass(frozen=True)
class Outcome:
    """All that a client can see of a call."""

    code: grpc.StatusCode
    details: str
    status: status_pb2.Status
    messages: Sequence[Any]
    metadata: Sequence[tuple[str, str | bytes]]

    @property
    def answer(self) -> Answer:
        """As others tell of a refusal."""
        return Answer(self.status, text=f"{self.details} {self.status}")

    @property
    def reason(self) -> str:
        """Of the call, or of its first text or label; "" where all is well."""
        return reason_of(self.status) or next(filter(None, map(_item_reason, self.messages)), "")


class Serving:
    """A server, asked by any caller."""

    def __init__(self, port: int, database: Database) -> None:
        self.address = f"127.0.0.1:{port}"
        self.channel = grpc.insecure_channel(self.address)
        self.database = database

    def call(
        self, rpc: str, requests: Message | Iterable[Message], caller: Caller | None
    ) -> Outcome:
        """Any rpc of the contract, with all that it answers. caller: None sends no token."""
        method = METHODS[rpc]
        answer = symbol_database.Default().GetSymbol(method.output_type.full_name)
        ask: Any = self.channel.stream_stream(
            f"/{method.containing_service.full_name}/{rpc}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        sent = [requests] if isinstance(requests, Message) else requests
        call = ask(iter(sent), metadata=caller and caller.metadata, timeout=60)
        messages: list[Any] = []
        status = status_pb2.Status()
        try:
            messages.extend(call)
        except grpc.RpcError as error:
            status = rpc_status.from_call(error) or status  # type: ignore[arg-type]
        metadata = [*call.initial_metadata(), *call.trailing_metadata()]
        return Outcome(
            call.code(),
            call.details(),
            status,
            messages,
            [(key, value) for key, value in metadata if key not in OF_THE_CALL],
        )

    def ask(self, rpc: str, request: Message, caller: Caller) -> Any:
        """The one answer to a call that is well."""
        outcome = self.call(rpc, request, caller)
        assert outcome.code is grpc.StatusCode.OK, outcome.details
        (message,) = outcome.messages
        return message

    def predict(self, caller: Caller, text: str = "good", model: str = MODEL) -> Prediction:
        prediction: Prediction = self.ask(
            "Predict", pb.PredictRequest(model=model, text=text), caller
        ).prediction
        return prediction

    def create(self, caller: Caller, text: str = "good") -> Prediction:
        prediction: Prediction = self.ask(
            "CreatePrediction", pb.CreatePredictionRequest(model=MODEL, text=text), caller
        ).prediction
        return prediction

    def label(self, caller: Caller, prediction_id: str) -> str:
        """The id of a new label."""
        request = feedback.AttachLabelRequest(prediction_id=prediction_id, label="positive")
        id_: str = self.ask("AttachLabel", request, caller).label.id
        return id_


@contextmanager
def serving(database: Database, folder: Path, policy: AccessPolicy) -> Iterator[Serving]:
    """Serves two models inside the block."""
    file = folder / "access.json"
    file.write_text(json.dumps(policy.as_json()))
    variables = {
        **os.environ,
        **environment(database, GATEWAY),
        "PMESH_GATEWAY_ACCESS": str(file),
        "PMESH_FEATURES_SPOOL": str(folder / "spool"),
    }
    program = [sys.executable, "-m", "tests.integration.gateway.envoy.aio_host"]
    with words_server(model="*") as model:
        list_models(database, MODEL, OTHER_MODEL, address=model.address)
        release(database, MODEL)
        release(database, OTHER_MODEL)
        with subprocess.Popen(program, env=variables, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                found = Serving(int(process.stdout.readline()), database)
                with found.channel:
                    yield found
            finally:
                process.terminate()


def reason_of(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return info.reason
    return ""


def _item_reason(message: Any) -> str:
    fields = message.DESCRIPTOR.fields_by_name
    if "results" in fields:
        return next(filter(None, (reason_of(one.error) for one in message.results)), "")
    if "error" in fields:
        return reason_of(message.error)
    return ""
