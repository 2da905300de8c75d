"""What a client sees of a failed call: every error becomes a google.rpc.Status in its trailers."""

from collections.abc import Iterator
from contextlib import suppress

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from grpc_status import rpc_status
from predict.v1.error_reason_pb2 import ErrorReason

from contract.access_errors import Unauthenticated
from contract.errors import (
    DeadlineExceeded,
    InvalidArgument,
    MalformedMessage,
    MessageTooLarge,
    MethodNotFound,
    ShuttingDown,
)
from gateway.grpc_asgi.status import Status
from gateway.refusals import to_status

# A REST body of 4 MiB, which Envoy lets pass, may be a little longer as a message.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024 + 64 * 1024


def on_error(method: str, error: Exception) -> grpc.Status:
    """The status of a call whose handler raised."""
    status = rpc_status.to_status(to_status(error))
    if isinstance(error, Unauthenticated):
        metadata = (*status.trailing_metadata, ("www-authenticate", "Bearer"))
        return Status(status.code, status.details, metadata)
    return status


def on_undecodable(method: str, payload: bytes, error: Exception) -> grpc.Status:
    """The status of a call whose message is none of its type; names a string that is not UTF-8.

    method: the path, "/package.Service/Method".
    """
    name = method.removeprefix("/").replace("/", ".")
    field = None
    # KeyError: a method that has no descriptor of its own; else not even the wire format is right.
    with suppress(KeyError, IndexError, ValueError):
        request = descriptor_pool.Default().FindMethodByName(name).input_type
        field = next(_invalid_strings(request, payload), None) if request else None
    if field is None:
        return on_error(method, MalformedMessage())
    return on_error(
        method,
        InvalidArgument(ErrorReason.ERROR_REASON_INVALID_UTF8, field, "is not valid UTF-8"),
    )


def on_failure(method: str, status: grpc.Status) -> grpc.Status:
    """The status of a call that the protocol itself ended, with our reason for it."""
    match status.code:
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return on_error(method, DeadlineExceeded())
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return on_error(method, MessageTooLarge(MAX_MESSAGE_BYTES))
        case grpc.StatusCode.UNAVAILABLE:
            return on_error(method, ShuttingDown())
        case grpc.StatusCode.UNIMPLEMENTED if not _exists(method):
            return on_error(method, MethodNotFound(method))
        case grpc.StatusCode.CANCELLED:
            return status  # nobody is there to see it
    return on_error(method, MalformedMessage())


def _exists(method: str) -> bool:
    try:
        descriptor_pool.Default().FindMethodByName(method.removeprefix("/").replace("/", "."))
    except KeyError:
        return False
    return True


def _invalid_strings(message: Descriptor, data: bytes, prefix: str = "") -> Iterator[str]:
    """The paths of the string fields that are not UTF-8.

    Walks the wire format: https://protobuf.dev/programming-guides/encoding/.
    """
    seen: dict[str, int] = {}
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        field = message.fields_by_number.get(tag >> 3)
        if tag & 7 == 0:
            _, position = _varint(data, position)
        elif tag & 7 in (1, 5):
            position += 8 if tag & 7 == 1 else 4
        elif tag & 7 == 2:
            size, position = _varint(data, position)
            if size > len(data) - position:
                raise ValueError("a field is longer than its message")
            value = data[position : position + size]
            position += size
            if field is not None:
                yield from _in_field(field, value, prefix, seen)
        else:
            raise ValueError("groups are not used")


def _in_field(
    field: FieldDescriptor, value: bytes, prefix: str, seen: dict[str, int]
) -> Iterator[str]:
    path = prefix + field.name
    if field.is_repeated:
        index = seen.setdefault(path, 0)
        seen[path] += 1
        path = f"{path}[{index}]"
    if field.message_type is not None:
        yield from _invalid_strings(field.message_type, value, f"{path}.")
    elif field.type == FieldDescriptor.TYPE_STRING:
        try:
            value.decode()
        except UnicodeDecodeError:
            yield path


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a varint has at most 10 bytes")
