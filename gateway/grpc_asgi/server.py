"""The server: which method a request is for, how a failed call ends, what is in flight."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import grpc

from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.call import Call
from gateway.grpc_asgi.metadata import metadata_from_headers
from gateway.grpc_asgi.method import Method, method_from_handler
from gateway.grpc_asgi.status import RpcFailure, Status, UndecodableRequest

_LOGGER = logging.getLogger(__name__)

_CONTENT_TYPES = frozenset({b"application/grpc", b"application/grpc+proto"})
_MAX_RECEIVE_BYTES = 4 * 1024 * 1024  # grpcio's default

_LOOK_INTERVAL_S = 0.1
_LOOKS_AT_ONCE = 256  # bounds what many idle streams cost
_UNWIND_S = 1.0

_CANCELLED = Status(grpc.StatusCode.CANCELLED, "Cancelled")
_DRAINED = Status(grpc.StatusCode.UNAVAILABLE, "Server shutting down")
_NOT_FOUND = Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


def status_like_grpc_aio(method: str, exc: Exception) -> grpc.Status:
    """Shows the exception to the client."""
    _LOGGER.error("Unexpected error in %s", method, exc_info=exc)
    return Status(grpc.StatusCode.UNKNOWN, f"Unexpected {type(exc)}: {exc}")


def undecodable_like_grpc_aio(method: str, payload: bytes, exc: Exception) -> grpc.Status:
    return status_like_grpc_aio(method, exc)


@dataclass(frozen=True, slots=True)
class _CallDetails(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: Any


class Server:
    """An ASGI application for type `http` on which `add_XServicer_to_server` works.

    on_error: (method path, exception of the handler) to the status that the client sees; a code
        that the handler had set stays. What it does not show, it logs.
    on_undecodable: (method path, payload, exception of the deserializer), likewise.
    max_receive_bytes: of one message, as sent and decompressed.
    """

    def __init__(
        self,
        *,
        on_error: Callable[[str, Exception], grpc.Status] = status_like_grpc_aio,
        on_undecodable: Callable[
            [str, bytes, Exception], grpc.Status
        ] = undecodable_like_grpc_aio,
        max_receive_bytes: int = _MAX_RECEIVE_BYTES,
    ) -> None:
        self._on_error = on_error
        self._on_undecodable = on_undecodable
        self._max_receive_bytes = max_receive_bytes
        self._methods: dict[str, Method] = {}
        self._generic_handlers: list[grpc.GenericRpcHandler] = []
        self._calls: dict[Call, None] = {}  # in flight, the one looked at longest ago first
        self._look_timer: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        """How many calls have not ended."""
        return len(self._calls)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            self._methods[path] = self._method(path, handler)

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
    ) -> None:
        """These are asked for the methods that nobody registered."""
        self._generic_handlers.extend(generic_rpc_handlers)

    async def __call__(
        self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send
    ) -> None:
        headers = dict(scope["headers"])
        if scope["method"] != "POST":
            await _refuse(send, 405, [(b"allow", b"POST")])
            return
        if headers.get(b"content-type") not in _CONTENT_TYPES:
            await _refuse(send, 415, [(b"accept", b"application/grpc")])
            return
        method = self._methods.get(scope["path"]) or self._generic_method(scope)
        if method is None:
            await ...
            return
        call = Call(scope, headers, receive, send, method)
        self._calls[call] = None
        if self._look_timer is None:
            self._schedule_look()
        try:
            await method.run(call, method)
        except (Exception, asyncio.CancelledError) as exc:
            await call.end(self._status_of_failure(call, method, exc))
        finally:
            del self._calls[call]
            call.close()
