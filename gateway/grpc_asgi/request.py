"""The body of one request as messages, and the news that its client has gone."""

import asyncio
from collections.abc import Callable

import grpc

from gateway.grpc_asgi.asgi import Event, Receive
from gateway.grpc_asgi.framing import PREFIX, PREFIX_BYTES, MessageBuffer
from gateway.grpc_asgi.status import RpcFailure


def whole_payload(event: Event, max_message_bytes: int) -> bytes | None:
    """The payload where `event` is all of a request with one plain message, as is usual."""
    body: bytes = event.get("body", b"")
    if event.get("more_body", True) or len(body) < PREFIX_BYTES:
        return None
    flag, length = PREFIX.unpack_from(body)
    if flag or length != len(body) - PREFIX_BYTES or length > max_message_bytes:
        return None
    return body[PREFIX_BYTES:]


class RequestStream:
    """Receives one event at a time: for a reader, or ahead of it to learn of a disconnect.

    pyvoy tells of a disconnect only to who receives, and answers at once with an empty event when
    the body is complete. So a server calls `look` now and then while a handler does not read.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        buffer: MessageBuffer,
        complete: bool,
        on_disconnect: Callable[[], None],
    ) -> None:
        self._receive = receive
        self._buffer = buffer
        self._complete = complete
        self._on_disconnect = on_disconnect
        self._pending: asyncio.Future[Event] | None = None
        self._reader: asyncio.Future[None] | None = None
        self._ended = False

    def end(self) -> None:
        """Have every read fail as UNAVAILABLE from now on, also one that waits."""
        self._ended = True
        self._wake()

    async def read(self) -> bytes | None:
        """The next payload; None at the end of the body.

        Raises CancelledError when the client has gone, RpcFailure for a malformed body and after
        `end`.
        """
        while True:
            if self._ended:
                raise RpcFailure(grpc.StatusCode.UNAVAILABLE, "Server shutting down")
            payload = self._buffer.pop()
            if payload is not None:
                return payload
            if self._complete:
                break
            await self._receive_event()
        if len(self._buffer):
            raise RpcFailure(grpc.StatusCode.INTERNAL, "Request ends within a message")
        return None

    async def read_only(self) -> bytes:
        """The payload of a request that must have exactly one. Raises as `read` does."""
        payload = await self.read()
        if payload is None:
            raise RpcFailure(grpc.StatusCode.UNIMPLEMENTED, "Request has no message")
        if await self.read() is not None:
            raise RpcFailure(grpc.StatusCode.UNIMPLEMENTED, "Request has more than one message")
        return payload

    async def accept(self, event: Event) -> None:
        """Takes an event that was received. Raises CancelledError when the client has gone."""
        if _is_disconnect(event):
            self._on_disconnect()
            await asyncio.sleep(0)  # where the handler's own task is cancelled
            raise asyncio.CancelledError
        self._buffer.feed(event.get("body", b""))
        self._complete = not event.get("more_body", False)

    def look(self) -> None:
        """Receives without waiting, so that a disconnect is noticed soon."""
        if self._pending is None:
            self._next_event().add_done_callback(self._looked)

    def _looked(self, future: asyncio.Future[Event]) -> None:
        if _is_disconnect(future.result()):
            self._on_disconnect()
        elif self._complete:
            self._pending = None

    async def _receive_event(self) -> None:
        pending = self._next_event()
        if not pending.done():
            # Not awaited itself: the transport completes it whether or not this task is cancelled.
            self._reader = asyncio.get_running_loop().create_future()
            pending.add_done_callback(self._wake)
            await self._reader
        if pending.done():
            self._pending = None
            await self.accept(pending.result())

    def _wake(self, _: object = None) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _next_event(self) -> asyncio.Future[Event]:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        return self._pending


def _is_disconnect(event: Event) -> bool:
    return bool(event["type"] == "http.disconnect")
