"""How a call ends."""

from dataclasses import dataclass

import grpc


@dataclass(frozen=True, slots=True)
class Status(grpc.Status):
    """A final status; `grpc_status.rpc_status.to_status` makes the same shape with rich details."""

    code: grpc.StatusCode
    details: str = ""
    trailing_metadata: tuple[tuple[str, str | bytes], ...] = ()


class RpcFailure(Exception):
    """Ends a call with this status: raised by the protocol itself, never by a handler."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.status = Status(code, details)


class UndecodableRequest(Exception):
    """The deserializer refused a message, with this error."""

    def __init__(self, payload: bytes, error: Exception) -> None:
        super().__init__("undecodable request")
        self.payload = payload
        self.error = error
