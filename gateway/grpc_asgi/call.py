"""One call as it runs: messages in and out, the deadline, the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.context import Context
from gateway.grpc_asgi.framing import ACCEPTED_ENCODINGS, ENCODINGS, MessageBuffer, frame
from gateway.grpc_asgi.metadata import (
    AnyMetadata,
    Header,
    headers_from_metadata,
    percent_encoded,
    timeout_s_from_header,
)
from gateway.grpc_asgi.method import Method
from gateway.grpc_asgi.request import RequestStream, whole_payload
from gateway.grpc_asgi.status import RpcFailure, Status

_LOGGER = logging.getLogger(__name__)

_CANCELLED = Status(grpc.StatusCode.CANCELLED, "Cancelled by the client")
_DEADLINE_EXCEEDED = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
_LEAST_S = 0.001
"""A deadline that is sooner is over before a request could be read."""


class Call(Context):
    """The active half: what the four kinds of method, the server and the handler drive."""

    _request: RequestStream | None = None
    _task: asyncio.Task[Any] | None = None
    _deadline_timer: asyncio.TimerHandle | None = None
    _lasts = False
    _streams_in = False
    _requests_ended = False

    def __init__(
        self,
        scope: asgi.Scope,
        headers: dict[bytes, bytes],
        receive: asgi.Receive,
        send: asgi.Send,
        method: Method,
    ) -> None:
        self._scope = scope
        self._headers = headers
        self._receive = receive
        self._send = send
        self._method = method

    def begin(self) -> None:
        """Starts the deadline; the calling task is from here on the one that `stop` cancels."""
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        timeout = self._headers.get(b"grpc-timeout")
        if timeout is not None or self._method.timeout_s is not None:
            self._start_deadline(loop, timeout)
        encoding = self._headers.get(b"grpc-encoding")
        if encoding is not None and encoding not in ENCODINGS:
            name = encoding.decode("latin-1")
            raise RpcFailure(
                grpc.StatusCode.UNIMPLEMENTED, f"Compression algorithm {name} is not supported"
            )

    async def read_only(self) -> Any:
        """Begins the call with the message of a request that must have exactly one."""
        self.begin()
        if self._method.request_timeout_s is None:
            return await self._read_only()
        try:
            async with asyncio.timeout(self._method.request_timeout_s):
                return await self._read_only()
        except TimeoutError:
            raise RpcFailure(_DEADLINE_EXCEEDED.code, _DEADLINE_EXCEEDED.details) from None

    async def _read_only(self) -> Any:
        event = await self._receive()
        payload = whole_payload(event, self._method.max_message_bytes)
        if payload is None:
            request = self._request = self._request_stream(complete=False)
            await request.accept(event)
            payload = await request.read_only()
        return self._method.decode(payload)

    def begin_stream(self) -> AsyncIterator[Any]:
        """Begins the call; the messages of its request come as the handler asks for them."""
        self.begin()
        self._request = self._request_stream(complete=False)
        self._streams_in = True
        if self._requests_ended:
            self._request.end()
        return self._messages()

    async def read(self) -> Any:
        self._raise_if_over()
        payload = await self._open_request().read()
        return grpc.aio.EOF if payload is None else self._method.decode(payload)

    async def write(self, message: Any) -> None:
        self._raise_if_over()
        await self._send_more(self._frame(message))

    async def send_initial_metadata(self, initial_metadata: AnyMetadata) -> None:
        self._raise_if_over()
        if self._started:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        await self._send(self._begin_response(headers_from_metadata(initial_metadata)))
        await self._send_more(b"")

    async def reply(self, message: Any) -> None:
        """Ends a call that has one response."""
        self._raise_if_over()
        if self._code is not None and self._code is not grpc.StatusCode.OK:
            await self.end(self._status())
            return
        body = self._frame(message)
        try:
            if not self._started:
                await self._send(self._begin_response())
            self._done = True
            await self._send({"type": "http.response.body", "body": body})
            await self._send(self._trailers())
        except OSError:
            pass  # the client has gone

    async def finish(self) -> None:
        """Ends a call that has a stream of responses."""
        self._raise_if_over()
        await self.end(self._status())

    async def end(self, status: grpc.Status) -> None:
        """Ends the call with this status and no further message, unless it has ended."""
        if self._done:
            return
        self._done = True
        try:
            if self._started:
                await self._send(asgi.END)
                await self._send(asgi.trailers(_headers_from_status(status)))
            else:
                await send_status(self._send, status)
        except OSError:
            pass  # the client has gone

    def end_requests(self) -> None:
        """Ends a stream of requests: its next read fails as UNAVAILABLE."""
        self._requests_ended = True
        if self._streams_in:
            self._open_request().end()

    def stop(self, status: Status) -> None:
        """Cancels the handler; `status` is what the client sees."""
        if self._task is not None and not self._done and self._stopped is None:
            self._stopped = status
            self._task.cancel()

    def look_for_deadline(self, now: float) -> None:
        """Stops a call whose deadline has no timer of its own."""
        if self._deadline is not None and now >= self._deadline:
            self.stop(_DEADLINE_EXCEEDED)

    def look_for_disconnect(self) -> None:
        """Asks whether the client has gone, for a handler that neither reads nor writes.

        The first time it does not ask yet: most calls end before the second, and cost nothing.
        """
        if self._lasts and self._task is not None:
            self._open_request().look()
        self._lasts = True

    def close(self) -> None:
        """Lets go of the deadline and calls the handler's callbacks."""
        self._done = True
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        for callback in self._done_callbacks:
            try:
                callback(self)
            except Exception:
                _LOGGER.exception("Error in a done callback of %s", self._method.path)

    def _start_deadline(self, loop: asyncio.AbstractEventLoop, header: bytes | None) -> None:
        """The client's deadline is exact; the method's, far away and often set, has no timer."""
        limit_s = self._method.timeout_s
        asked_s = None if header is None else timeout_s_from_header(header)
        if asked_s is not None and asked_s < _LEAST_S:
            raise RpcFailure(_DEADLINE_EXCEEDED.code, _DEADLINE_EXCEEDED.details)
        if asked_s is not None and (limit_s is None or asked_s < limit_s):
            self._deadline = loop.time() + asked_s
            self._deadline_timer = loop.call_at(self._deadline, self.stop, _DEADLINE_EXCEEDED)
        elif limit_s is not None:
            self._deadline = loop.time() + limit_s

    async def _messages(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    def _open_request(self) -> RequestStream:
        if self._request is None:  # it came whole, and nothing follows
            self._request = self._request_stream(complete=True)
        return self._request

    def _request_stream(self, *, complete: bool) -> RequestStream:
        return RequestStream(
            self._receive,
            buffer=MessageBuffer(
                encoding=self._headers.get(b"grpc-encoding", b"identity"),
                max_message_bytes=self._method.max_message_bytes,
            ),
            complete=complete,
            on_disconnect=lambda: self.stop(_CANCELLED),
        )

    def _frame(self, message: Any) -> bytes:
        payload = self._method.serialize(message)
        if self._encoding == b"identity":
            return frame(payload)
        compress, self._compress_next = self._compress_next, True
        return frame(payload, self._accepted_encoding() if compress else b"identity")

    def _accepted_encoding(self) -> bytes:
        accepted = self._headers.get(b"grpc-accept-encoding", b"")
        names = (name.strip() for name in accepted.split(b","))
        return self._encoding if self._encoding in names else b"identity"

    def _begin_response(self, initial_metadata: Sequence[Header] = ()) -> asgi.Event:
        """The event to be sent first."""
        self._started = True
        if not initial_metadata and self._encoding == b"identity":
            return asgi.PLAIN_START
        encoding = (b"grpc-encoding", self._accepted_encoding())
        return asgi.start([asgi.CONTENT_TYPE, encoding, *initial_metadata])

    async def _send_more(self, body: bytes) -> None:
        try:
            if not self._started:
                await self._send(self._begin_response())
            # Shielded: the transport completes its future whether or not this task is cancelled.
            await asyncio.shield(
                self._send({"type": "http.response.body", "body": body, "more_body": True})
            )
        except OSError:
            self.stop(_CANCELLED)
            await asyncio.sleep(0)  # where the handler's own task is cancelled
            raise asyncio.CancelledError from None

    def _trailers(self) -> asgi.Event:
        if self._details or self._trailing_metadata:
            return asgi.trailers(_headers_from_status(self._status()))
        return asgi.OK_TRAILERS


async def send_status(send: asgi.Send, status: grpc.Status) -> None:
    """A response that is only a status: what gRPC calls Trailers-Only."""
    accepted = (b"grpc-accept-encoding", ACCEPTED_ENCODINGS)
    headers = [asgi.CONTENT_TYPE, accepted, *_headers_from_status(status)]
    await send(asgi.start(headers, trailers=False))
    await send(asgi.END)


def _headers_from_status(status: grpc.Status) -> list[Header]:
    headers = [(b"grpc-status", b"%d" % status.code.value[0])]
    if status.details:
        headers.append((b"grpc-message", percent_encoded(status.details)))
    return headers + headers_from_metadata(status.trailing_metadata or ())
