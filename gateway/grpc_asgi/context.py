"""What a handler asks of its call and sets for its end, as grpc.aio's context has it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never
from urllib.parse import quote

import grpc

from gateway.grpc_asgi import asgi
from gateway.grpc_asgi.metadata import (
    AnyMetadata,
    Metadata,
    headers_from_metadata,
    metadata_from_headers,
)
from gateway.grpc_asgi.status import Status

_ENCODINGS = {
    grpc.Compression.NoCompression: b"identity",
    grpc.Compression.Deflate: b"deflate",
    grpc.Compression.Gzip: b"gzip",
}


class Context(grpc.aio.ServicerContext[Any, Any]):
    """The passive half of a call: nothing here waits for the client.

    Defaults live on the class, and what a handler does not ask for is not computed: most calls
    change and ask nothing.
    """

    _scope: asgi.Scope
    _headers: Mapping[bytes, bytes]
    _code: grpc.StatusCode | None = None
    _details = ""
    _metadata: Metadata | None = None
    _trailing_metadata: Metadata = ()
    _encoding = b"identity"
    _compress_next = True
    _deadline: float | None = None  # on the clock of the event loop, in seconds
    _aborted: grpc.aio.AbortError | None = None
    _stopped: Status | None = None
    _started = False
    _done = False
    _done_callbacks: Sequence[Callable[["Context"], None]] = ()

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: AnyMetadata = ()
    ) -> Never:
        if code is grpc.StatusCode.OK:
            raise ValueError("a call cannot be aborted with OK")
        if self._aborted is not None:
            raise grpc.aio.UsageError("Abort already called!")
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self._code = code
        self._details = details or self._details
        self._aborted = grpc.aio.AbortError("Locally aborted.")
        raise self._aborted

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def set_trailing_metadata(self, trailing_metadata: AnyMetadata) -> None:
        metadata = tuple(trailing_metadata)
        headers_from_metadata(metadata)  # so that a bad entry fails here, in the handler
        self._trailing_metadata = metadata

    def set_compression(self, compression: grpc.Compression) -> None:
        if self._started:
            raise RuntimeError("Compression must be set before initial metadata is sent")
        self._encoding = _ENCODINGS[compression]

    def disable_next_message_compression(self) -> None:
        self._compress_next = False

    def add_done_callback(self, callback: Callable[["Context"], None]) -> None:
        self._done_callbacks = (*self._done_callbacks, callback)

    def code(self) -> grpc.StatusCode | None:  # type: ignore[override]  # None until set
        # What ended the call from outside is what its client sees.
        return self._code if self._stopped is None else self._stopped.code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Metadata:  # type: ignore[override]
        return self._trailing_metadata

    def invocation_metadata(self) -> Metadata:  # type: ignore[override]
        if self._metadata is None:
            self._metadata = metadata_from_headers(self._scope["headers"])
        return self._metadata

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Those of the request, the protocol's own too; of those with one name, the last."""
        return self._headers

    def time_remaining(self) -> float | None:  # type: ignore[override]  # None without a deadline
        if self._deadline is None:
            return None
        return max(self._deadline - asyncio.get_running_loop().time(), 0.0)

    @property
    def deadline(self) -> float | None:
        """When the call is ended, on the clock of the event loop in seconds; None: it is not."""
        return self._deadline

    def cancelled(self) -> bool:
        """Whether the call ended from outside: by its client, its deadline or a drain."""
        return self._stopped is not None

    def done(self) -> bool:
        return self._done

    def peer(self) -> str:
        if not self._scope.get("client"):
            return "unknown:"
        host, port = self._scope["client"]
        return f"ipv6:{quote(f'[{host}]')}:{port}" if ":" in host else f"ipv4:{host}:{port}"

    def peer_identities(self) -> None:
        return None  # transport security ends at Envoy

    def peer_identity_key(self) -> None:
        return None

    def auth_context(self) -> Mapping[str, Any]:
        return {}

    def stopped(self) -> Status | None:
        """How the call was ended from outside, if it was."""
        return self._stopped

    def aborted(self) -> Status | None:
        """How the handler aborted the call, if it did."""
        return None if self._aborted is None else self._status()

    def _status(self) -> Status:
        """What the handler made of the call, where it neither failed nor was stopped."""
        return Status(self._code or grpc.StatusCode.OK, self._details, self._trailing_metadata)

    def _raise_if_over(self) -> None:
        if self._aborted is not None:
            raise self._aborted
        if self._stopped is not None:
            raise asyncio.CancelledError
        if self._done:
            raise grpc.aio.UsageError("RPC already finished.")
