"""Messages on the wire: a flag (1 compressed), a length of four bytes, and the payload."""

import struct
import zlib

import grpc

from gateway.grpc_asgi.status import RpcFailure

PREFIX = struct.Struct(">BI")
PREFIX_BYTES = PREFIX.size

# The window sizes with which zlib speaks each `grpc-encoding`.
_WINDOW_BITS = {b"gzip": 31, b"deflate": 15}
ENCODINGS = frozenset({b"identity", *_WINDOW_BITS})
ACCEPTED_ENCODINGS = b"identity, deflate, gzip"


def frame(payload: bytes, encoding: bytes = b"identity") -> bytes:
    """One message, compressed where that makes it smaller."""
    if encoding != b"identity":
        compressor = zlib.compressobj(wbits=_WINDOW_BITS[encoding])
        compressed = compressor.compress(payload) + compressor.flush()
        if len(compressed) < len(payload):
            return PREFIX.pack(1, len(compressed)) + compressed
    return PREFIX.pack(0, len(payload)) + payload


class MessageBuffer:
    """Cuts a body, fed in any pieces, into the payloads of its messages."""

    def __init__(self, *, encoding: bytes, max_message_bytes: int) -> None:
        self._encoding = encoding
        self._max_message_bytes = max_message_bytes
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        self._data += data

    def pop(self) -> bytes | None:
        """The next payload, decompressed; None where the rest of it has not come yet.

        Raises RpcFailure where it is malformed or larger than the limit (compressed or not).
        """
        data = self._data
        if len(data) < PREFIX_BYTES:
            return None
        flag, length = PREFIX.unpack_from(data)
        if flag > 1:
            raise RpcFailure(grpc.StatusCode.INTERNAL, f"Bad GRPC frame type {flag:#04x}")
        limit = self._max_message_bytes
        if length > limit:
            raise RpcFailure(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"SERVER: Received message larger than max ({length} vs. {limit})",
            )
        end = PREFIX_BYTES + length
        if len(data) < end:
            return None
        payload = bytes(data[PREFIX_BYTES:end])
        del data[:end]
        return self._decompress(payload) if flag else payload

    def _decompress(self, payload: bytes) -> bytes:
        window_bits = _WINDOW_BITS.get(self._encoding)
        if window_bits is None:
            raise RpcFailure(
                grpc.StatusCode.INTERNAL, "Compressed message without a compressed grpc-encoding"
            )
        limit = self._max_message_bytes
        decompressor = zlib.decompressobj(wbits=window_bits)
        try:
            message = decompressor.decompress(payload, limit + 1)
        except zlib.error as exc:
            raise RpcFailure(grpc.StatusCode.INTERNAL, "Message does not decompress") from exc
        if len(message) > limit:
            raise RpcFailure(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "Decompressed message larger than max"
            )
        if not decompressor.eof or decompressor.unused_data:
            raise RpcFailure(grpc.StatusCode.INTERNAL, "Message does not decompress")
        return message
