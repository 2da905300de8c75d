"""The server: which method a request is for, how a failed call ends, what is in flight."""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import grpc

from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.call import Call, send_status
from gateway.grpc_asgi.handlers import method_from_handler
from gateway.grpc_asgi.metadata import Header, metadata_from_headers
from gateway.grpc_asgi.method import Method
from gateway.grpc_asgi.status import RpcFailure, Status, UndecodableRequest

_LOGGER = logging.getLogger(__name__)

_CONTENT_TYPES = frozenset({b"application/grpc", b"application/grpc+proto"})
_MAX_RECEIVE_BYTES = 4 * 1024 * 1024  # grpcio's default

_LOOK_INTERVAL_S = 0.1
_LOOKS_AT_ONCE = 256  # bounds what many idle streams cost
_UNWIND_S = 1.0

_CANCELLED = Status(grpc.StatusCode.CANCELLED, "Cancelled")
_DRAINED = Status(grpc.StatusCode.UNAVAILABLE, "Server shutting down")


def status_like_grpc_aio(method: str, exc: Exception) -> grpc.Status:
    """Shows the exception to the client."""
    _LOGGER.error("Unexpected error in %s", method, exc_info=exc)
    return Status(grpc.StatusCode.UNKNOWN, f"Unexpected {type(exc)}: {exc}")


def undecodable_like_grpc_aio(method: str, payload: bytes, exc: Exception) -> grpc.Status:
    return status_like_grpc_aio(method, exc)


def as_it_is(method: str, status: grpc.Status) -> grpc.Status:
    return status


class _CallDetails(grpc.HandlerCallDetails):
    def __init__(self, scope: asgi.Scope) -> None:
        self.method = scope["path"]
        self.invocation_metadata = metadata_from_headers(scope["headers"])


class Server:
    """An ASGI application for type `http` on which `add_XServicer_to_server` works.

    on_error: (method path, exception of the handler) to the status that the client sees; a code
        that the handler had set stays. What it does not show, it logs.
    on_undecodable: (method path, payload, exception of the deserializer), likewise.
    on_failure: (method path, status that the protocol itself ends a call with: deadline, size,
        unknown method...) to the status that the client sees.
    max_receive_bytes: of one message, as sent and decompressed.
    timeout_s: of calls whose clients give no shorter one; they end up to 0.1 s later.
    unbounded: paths of the methods that have none, once their request has come.
    """

    def __init__(
        self,
        *,
        on_error: Callable[[str, Exception], grpc.Status] = status_like_grpc_aio,
        on_undecodable: Callable[[str, bytes, Exception], grpc.Status] = undecodable_like_grpc_aio,
        on_failure: Callable[[str, grpc.Status], grpc.Status] = as_it_is,
        max_receive_bytes: int = _MAX_RECEIVE_BYTES,
        timeout_s: float | None = None,
        unbounded: Container[str] = (),
    ) -> None:
        self._on_error = on_error
        self._on_failure = on_failure
        self._on_undecodable = on_undecodable
        self._max_receive_bytes = max_receive_bytes
        self._timeout_s = timeout_s
        self._unbounded = unbounded
        self._methods: dict[str, Method] = {}
        self._generic_handlers: list[grpc.GenericRpcHandler] = []
        self._calls: dict[Call, None] = {}  # in flight, the one looked at longest ago first
        self._look_timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._is_draining = self._is_stopped = False

    @property
    def in_flight(self) -> int:
        """How many calls have not ended."""
        return len(self._calls)

    @property
    def timeouts_s(self) -> dict[str, float | None]:
        """What each registered method has, by its path."""
        return {path: method.timeout_s for path, method in self._methods.items()}

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: "Mapping[str, grpc.RpcMethodHandler[Any, Any]]"
    ) -> None:
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            self._methods[path] = self._method(path, handler)

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
    ) -> None:
        """These are asked for the methods that nobody registered."""
        self._generic_handlers.extend(generic_rpc_handlers)

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        headers = dict(scope["headers"])
        if scope["method"] != "POST":
            await _refuse(send, 405, [(b"allow", b"POST")])
            return
        if headers.get(b"content-type") not in _CONTENT_TYPES:
            await _refuse(send, 415, [(b"accept", b"application/grpc")])
            return
        try:
            method = self._methods.get(scope["path"]) or self._generic_method(scope)
        except RpcFailure as failure:
            await send_status(send, self._on_failure(scope["path"], failure.status))
            return
        if self._is_stopped:
            await send_status(send, self._on_failure(method.path, _DRAINED))
            return
        call = Call(scope, headers, receive, send, method)
        if self._is_draining:
            call.end_requests()
        self._calls[call] = None
        if self._look_timer is None:
            self._schedule_look()
        try:
            await method.run(call, method)
        except (Exception, asyncio.CancelledError) as exc:
            await call.end(self._safe_status(call, method, exc))
        finally:
            del self._calls[call]
            if not self._calls:
                self._idle.set()
            call.close()

    def drain(self) -> None:
        """Ends streams of requests: what was read of them is answered, then they are UNAVAILABLE.

        Other calls go on, also those that still arrive: to send them elsewhere is Envoy's part.
        """
        self._is_draining = True
        for call in list(self._calls):
            call.end_requests()

    def stop(self) -> None:
        """Ends the calls that are left, and those that still arrive, as UNAVAILABLE."""
        self._is_draining = self._is_stopped = True
        for call in list(self._calls):
            call.stop(_DRAINED)

    async def unwind(self) -> None:
        """Waits for the calls that were stopped, for a second at the most."""
        if self._calls:
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _UNWIND_S)

    def _generic_method(self, scope: asgi.Scope) -> Method:
        details = _CallDetails(scope)
        for generic_handler in self._generic_handlers:
            handler = generic_handler.service(details)
            if handler is not None:
                return self._method(details.method, handler)
        raise RpcFailure(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    def _method(self, path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Method:
        return method_from_handler(
            path,
            handler,
            max_message_bytes=self._max_receive_bytes,
            timeout_s=None if path in self._unbounded else self._timeout_s,
            request_timeout_s=self._timeout_s if path in self._unbounded else None,
        )

    def _safe_status(
        self, call: Call, method: Method, exc: Exception | asyncio.CancelledError
    ) -> grpc.Status:
        """What leaves an ASGI application unhandled would reach the client as success."""
        try:
            return self._status_of_failure(call, method, exc)
        except Exception:
            _LOGGER.exception("A hook failed for %s", method.path)
            return Status(grpc.StatusCode.INTERNAL, "Internal error")

    def _status_of_failure(
        self, call: Call, method: Method, exc: Exception | asyncio.CancelledError
    ) -> grpc.Status:
        if (stopped := call.stopped()) is not None:
            return self._on_failure(method.path, stopped)
        if (aborted := call.aborted()) is not None:
            return aborted
        if isinstance(exc, asyncio.CancelledError):
            return _CANCELLED
        if isinstance(exc, RpcFailure):
            return self._on_failure(method.path, exc.status)
        if isinstance(exc, UndecodableRequest):
            return self._on_undecodable(method.path, exc.payload, exc.error)
        status = self._on_error(method.path, exc)
        return Status(
            call.code() or status.code,
            status.details,
            (*call.trailing_metadata(), *(status.trailing_metadata or ())),
        )

    def _schedule_look(self) -> None:
        self._look_timer = asyncio.get_running_loop().call_later(_LOOK_INTERVAL_S, self._look)

    def _look(self) -> None:
        """Learns whose time is over and which clients have gone, some of the calls in turn."""
        now = asyncio.get_running_loop().time()
        for call in list(self._calls):
            call.look_for_deadline(now)
        for call in list(islice(self._calls, _LOOKS_AT_ONCE)):
            self._calls[call] = self._calls.pop(call)
            call.look_for_disconnect()
        self._look_timer = None
        if self._calls:
            self._schedule_look()


async def _refuse(send: asgi.Send, http_status: int, headers: list[Header]) -> None:
    await send(asgi.start(headers, trailers=False, status=http_status))
    await send(asgi.END)
