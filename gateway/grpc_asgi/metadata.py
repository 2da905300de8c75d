"""Metadata, timeouts and messages as HTTP headers carry them."""

import binascii
import re
from collections.abc import Iterable
from urllib.parse import quote

import grpc

from gateway.grpc_asgi.status import RpcFailure

Metadata = tuple[tuple[str, str | bytes], ...]
AnyMetadata = Iterable[tuple[str, str | bytes]]
Header = tuple[bytes, bytes]

_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

_LEGAL_KEY = re.compile(r"[0-9a-z_.-]+")
_LEGAL_VALUE = re.compile(rb"[\x20-\x7e]*")
_PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")

# What the protocol itself carries in headers; a handler neither sees nor sets these.
_RESERVED = {
    "connection",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-message",
    "grpc-status",
    "grpc-timeout",
    "host",
    "te",
}
_RESERVED_HEADERS = {key.encode() for key in _RESERVED}


def timeout_s_from_header(value: bytes) -> float | None:
    """Seconds from a `grpc-timeout` header; None where it is malformed, which means no deadline."""
    match = _TIMEOUT.fullmatch(value)
    return int(match[1]) * _UNIT_S[match[2]] if match else None


def metadata_from_headers(headers: Iterable[Header]) -> Metadata:
    """The metadata a client sent, in order. Raises RpcFailure for binary that is not base64."""
    metadata: list[tuple[str, str | bytes]] = []
    for name, value in headers:
        if name in _RESERVED_HEADERS:
            continue
        key = name.decode("ascii")
        if key.endswith("-bin"):
            # Proxies may join repeated headers with commas, which base64 does not use.
            metadata.extend((key, _from_base64(key, part)) for part in value.split(b","))
        else:
            metadata.append((key, value.decode("latin-1")))
    return tuple(metadata)


def headers_from_metadata(metadata: AnyMetadata) -> list[Header]:
    """Raises ValueError for what HTTP headers cannot carry, and for names the protocol owns."""
    headers = []
    for key, value in metadata:
        if not _LEGAL_KEY.fullmatch(key) or key in _RESERVED:
            raise ValueError(f"illegal metadata key: {key!r}")
        raw = value.encode("latin-1") if isinstance(value, str) else value
        if key.endswith("-bin"):
            raw = binascii.b2a_base64(raw, newline=False).rstrip(b"=")
        elif not _LEGAL_VALUE.fullmatch(raw):
            raise ValueError(f"illegal metadata value for key: {key!r}")
        headers.append((key.encode(), raw))
    return headers


def percent_encoded(details: str) -> bytes:
    """`details` as a `grpc-message` header carries it."""
    return quote(details, safe=_PRINTABLE, errors="replace").encode()


def _from_base64(key: str, value: bytes) -> bytes:
    stripped = value.strip().rstrip(b"=")
    try:
        return binascii.a2b_base64(stripped + b"=" * (-len(stripped) % 4), strict_mode=True)
    except binascii.Error as exc:
        raise RpcFailure(grpc.StatusCode.INTERNAL, f"Metadata {key} is not base64") from exc
