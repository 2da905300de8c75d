"""A registered method: what it takes and gives, and its limits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.grpc_asgi.status import UndecodableRequest


@dataclass(frozen=True, slots=True)
class Method:
    """`run` takes a call from its request to its last response."""

    path: str
    behavior: Callable[[Any, Any], Any]
    deserialize: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]
    max_message_bytes: int
    timeout_s: float | None
    """Of a call whose client gives no shorter one."""
    request_timeout_s: float | None
    """Of a single request to come, where that is bounded otherwise than the call."""
    run: Callable[[Any, "Method"], Awaitable[None]]

    def decode(self, payload: bytes) -> Any:
        """Raises UndecodableRequest."""
        try:
            return self.deserialize(payload)
        except Exception as exc:
            raise UndecodableRequest(payload, exc) from exc
