"""The channel by which a gateway is reached, with the caller's token if there is one."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from pmesh.calls import CallFailedError

_TLS = re.compile(r"https://([^/:@?#\[\]]+|\[[0-9a-fA-F:]+\])(?::([1-9][0-9]{0,4}))?/?")
_TLS_PORT = 443
_FORMS = "HOST:PORT, or https://HOST[:PORT] for TLS"


def open_channel(
    address: str, token: str = "", options: Sequence[tuple[str, Any]] = ()
) -> grpc.Channel:
    """address: host:port, or https://host[:port] for TLS. token: "" for none.

    By TLS the certificate must be of that host, and of an authority in SSL_CERT_FILE, where that is
    set, else of one that gRPC knows. Raises CallFailedError.
    """
    if tls := _TLS.fullmatch(address):
        host, port = tls.groups()
        target = f"{host}:{port or _TLS_PORT}"
        channel = grpc.secure_channel(target, _trusted_authorities(), options=options)
    elif address.startswith(("http:", "https:")):
        raise CallFailedError(f"{address} is no address of a gateway", remedy=_FORMS)
    else:
        channel = grpc.insecure_channel(address, options=options)
    return grpc.intercept_channel(channel, _Bearer(token)) if token else channel


def _trusted_authorities() -> grpc.ChannelCredentials:
    file = os.environ.get("SSL_CERT_FILE")
    try:
        return grpc.ssl_channel_credentials(Path(file).read_bytes() if file else None)
    except OSError as error:
        raise CallFailedError(f"SSL_CERT_FILE: {error}") from error


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds a token to each call. gRPC's own call credentials are for channels with TLS alone."""

    def __init__(self, token: str) -> None:
        self._metadata = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request_iterator)

    def _with_token(self, details: Any) -> _Details:
        return _Details(
            details.method,
            details.timeout,
            [*(details.metadata or ()), self._metadata],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
