"""A gateway with an access policy, asked by each protocol with headers byte by byte."""

import base64
import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

from google.rpc.status_pb2 import Status
from predict.v1.prediction_service_pb2 import PredictRequest

from contract.access import Permission
from contract.status import error_info
from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.parts.issuer import AUDIENCE, ISSUER

ROLES = {
    "app": {"predict": ["*"]},
    "annotator": {"label": ["*"]},
    "operator": {"observe": ["*"], "release": ["*"], "manage": ["*"]},
    "nothing": {},
    **{f"only-{permission}": {str(permission): ["*"]} for permission in Permission},
}
PREDICT, REST = "/predict.v1.PredictionService/Predict", "/v1/models/sentiment:predict"
PROTOCOLS = ("rest", "grpc", "grpc-web")
PASSED = "passed"
Headers = Sequence[tuple[str, str | bytes]]


def guarded(
    folder: Path,
    *,
    jwks: str,
    roles_claim: str = "roles",
    environment: Mapping[str, str] | None = None,
    **changes: Any,
) -> GatewayProcess:
    """jwks: where the issuer's keys are. environment: of the gateway, beside the tests' own."""
    tokens = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks, "roles_claim": roles_claim}
    access = folder / "access.json"
    access.write_text(json.dumps({"tokens": tokens, "roles": ROLES}))
    settings = echo_settings(access=access, **changes)
    return GatewayProcess(log=folder / "stderr.log", settings=settings, environment=environment)


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reached(self) -> bool:
        """Whether it is an answer of the application about predictions."""
        return b"featuresUri" in self.body or b'"predictions"' in self.body


def send(port: int, method: str, path: str, headers: Headers = (), body: bytes = b"") -> Reply:
    """One request as it is, on a connection of its own."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", "connection: close"]
    lines += [f"content-length: {len(body)}"] if body else []
    head = "\r\n".join(lines).encode("latin-1")
    for name, value in headers:
        head += f"\r\n{name}: ".encode() + (value if isinstance(value, bytes) else value.encode())
    return exchange(port, head + b"\r\n\r\n" + body, method)


def exchange(port: int, sent: bytes, method: str = "GET") -> Reply:
    """The first answer to what is sent on a connection of its own. method: what it asks by."""
    with socket.create_connection(("127.0.0.1", port), timeout=100) as connection:
        # What is refused early is not read to its end.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        response = HTTPResponse(connection, method=method)
        response.begin()
        answer = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, answer, response.read())


def bearer(token: str) -> Headers:
    return [("authorization", f"Bearer {token}")]


def predict(port: int, protocol: str, headers: Headers = (), *, path: str = "") -> Reply:
    """A prediction, asked for by one protocol. path: another one than that of it."""
    if protocol == "rest":
        json_type = ("content-type", "application/json")
        return send(port, "POST", path or REST, [json_type, *headers], b'{"text": "a"}')
    message = PredictRequest(model="sentiment", text="a").SerializeToString()
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    grpc_type = ("content-type", f"application/{protocol}")
    return send(port, "POST", path or PREDICT, [grpc_type, ("te", "trailers"), *headers], framed)


def decision(reply: Reply) -> str:
    """PASSED, or the reason of the refusal; over each protocol, its code is the reason's."""
    if "grpc-status" in reply.headers:
        status = Status.FromString(_unpadded(reply.headers["grpc-status-details-bin"]))
        assert int(reply.headers["grpc-status"]) == status.code
        return error_info(status).reason
    if reply.status == 200:
        return PASSED
    return str(json.loads(reply.body)["details"][0]["reason"])


def _unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
