"""The rules of the contract's fields, as protos/predict/v1 states them.

Each check raises InvalidArgument with the field and a stable reason.
"""

import uuid
from datetime import timedelta

from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument
from contract.limits import MAX_BATCH_TEXTS, MAX_TEXT_BYTES
from contract.version_name import MODEL, VERSION

MAX_BATCH_TEXT_BYTES = 2 * 1024 * 1024  # the answers, with the texts in them, stay below 4 MiB
MAX_REASON_CHARACTERS = 1000
MAX_ACTOR_CHARACTERS = 100
MAX_PAGE_SIZE = 1000
DEFAULT_PAGE_SIZE = 50
MAX_WAIT = timedelta(minutes=5)
MIN_TTL, MAX_TTL = timedelta(seconds=1), timedelta(days=7)


def check_text(text: str) -> None:
    """Refuse an empty, blank or over-long text and one with NUL."""
    if not text:
        raise InvalidArgument(ErrorReason.ERROR_REASON_TEXT_EMPTY, "text", "is empty")
    # A character is 1 to 4 bytes of UTF-8: most texts need no encoding to be known as short.
    if len(text) * 4 > MAX_TEXT_BYTES and (size := len(text.encode())) > MAX_TEXT_BYTES:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_TEXT_TOO_LONG,
            "text",
            f"is {size} bytes long; at most {MAX_TEXT_BYTES} are allowed",
            bytes=size,
            max_bytes=MAX_TEXT_BYTES,
        )
    if "\0" in text:
        raise InvalidArgument(ErrorReason.ERROR_REASON_TEXT_HAS_NUL, "text", "has a NUL character")
    if text.isspace():
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_TEXT_BLANK, "text", "is nothing but white space"
        )


def check_model(model: str) -> None:
    """Refuse a missing id of a model and one that no model can have."""
    if not model:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_REQUIRED_FIELD_MISSING, "model", "is required"
        )
    if not MODEL.fullmatch(model):
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_INVALID_ID,
            "model",
            'is not 1 to 63 of a-z, 0-9 and "-", starting with a letter',
        )


def check_id(prediction_id: str, field: str = "id") -> str:
    """The id in its canonical form; refuse what is no UUID in the 36-character form."""
    try:
        parsed = str(uuid.UUID(prediction_id))
    except ValueError:
        parsed = ""
    if not parsed or parsed != prediction_id.lower():
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_INVALID_ID, field, "is not a UUID of 36 characters"
        )
    return parsed


def check_request_id(request_id: str) -> str:
    """The request_id in its canonical form, or "" for none."""
    return check_id(request_id, "request_id") if request_id else ""


def check_version(version: str, field: str = "version") -> None:
    """Refuse a version that is not a positive decimal number; "" is none."""
    if version and not VERSION.fullmatch(version):
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_INVALID_ID, field, "is not a positive decimal number"
        )


def check_line(text: str, field: str, most: int) -> None:
    """Refuse an over-long text and one with control characters, which would spoil a history."""
    if len(text) > most or not text.isprintable():
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_OUT_OF_RANGE,
            field,
            f"must be up to {most} printable characters",
            min=0,
            max=most,
        )


def check_page_size(page_size: int) -> int:
    """The page size to use: the default for 0."""
    if not 0 <= page_size <= MAX_PAGE_SIZE:
        raise _out_of_range("page_size", 1, MAX_PAGE_SIZE)
    return page_size or DEFAULT_PAGE_SIZE


def check_wait_timeout(timeout: timedelta) -> float:
    """The timeout in seconds."""
    if not timedelta(0) < timeout <= MAX_WAIT:
        raise _out_of_range("timeout", "above 0s", f"{MAX_WAIT.total_seconds():.0f}s")
    return timeout.total_seconds()


def check_ttl(ttl: timedelta) -> None:
    """Refuse a ttl that is too short to be met or too long to be kept."""
    if not MIN_TTL <= ttl <= MAX_TTL:
        raise _out_of_range("ttl", "1s", f"{MAX_TTL.total_seconds():.0f}s")


def check_batch_size(size: int) -> None:
    """Refuse a batch with no entries or too many."""
    if not 1 <= size <= MAX_BATCH_TEXTS:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_BATCH_SIZE,
            "entries",
            f"has {size} entries; 1 to {MAX_BATCH_TEXTS} are allowed",
            size=size,
            max_size=MAX_BATCH_TEXTS,
        )


def check_batch_text(size_bytes: int) -> None:
    """Refuse a batch whose texts are too long together."""
    if size_bytes > MAX_BATCH_TEXT_BYTES:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_BATCH_SIZE,
            "entries",
            f"has {size_bytes} bytes of text; at most {MAX_BATCH_TEXT_BYTES} are allowed",
            bytes=size_bytes,
            max_bytes=MAX_BATCH_TEXT_BYTES,
        )


def _out_of_range(field: str, low: object, high: object) -> InvalidArgument:
    return InvalidArgument(
        ErrorReason.ERROR_REASON_OUT_OF_RANGE,
        field,
        f"is outside {low} to {high}",
        min=low,
        max=high,
    )
