"""The table of error reasons, read from the options of the contract's enum."""

from functools import cache
from typing import cast

from google.rpc import code_pb2
from grpc import StatusCode
from predict.v1 import error_traits_pb2
from predict.v1.error_reason_pb2 import ErrorReason

DOMAIN = "predict.v1"
"""Of every google.rpc.ErrorInfo."""

_PREFIX = "ERROR_REASON_"
_CODES = {code.value[0]: code for code in StatusCode}
# https://cloud.google.com/apis/design/errors#handling_errors
_HTTP_STATUS = {
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.UNAUTHENTICATED: 401,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.ABORTED: 409,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.INTERNAL: 500,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DEADLINE_EXCEEDED: 504,
}


def reason_name(reason: ErrorReason) -> str:
    """The reason as ErrorInfo carries it: the enum's name without its prefix."""
    return ErrorReason.Name(reason).removeprefix(_PREFIX)


def all_reasons() -> list[ErrorReason]:
    """Every reason that may be sent."""
    return [cast(ErrorReason, number) for number in ErrorReason.values() if number]


@cache
def grpc_code(reason: ErrorReason) -> StatusCode:
    """The code of the Status."""
    return _CODES[_traits(reason).code]


def http_status(reason: ErrorReason) -> int:
    """The status of an answer over REST that Envoy makes by itself."""
    traits = _traits(reason)
    return traits.http_status or _HTTP_STATUS[traits.code]


@cache
def retry_delay_s(reason: ErrorReason) -> float | None:
    """After how many seconds to try again; None: it does not help."""
    traits = _traits(reason)
    if not traits.HasField("retry_delay"):
        return None
    return traits.retry_delay.ToMilliseconds() / 1000


def metadata_keys(reason: ErrorReason) -> tuple[set[str], set[str]]:
    """The keys that ErrorInfo.metadata always has, and those that it has where they apply."""
    traits = _traits(reason)
    return set(traits.metadata), set(traits.optional_metadata)


def reason_of_rule(rule: str) -> ErrorReason:
    """Why a request is refused that violates a rule of buf.validate.

    rule: its path in FieldRules, such as "string.max_bytes", or the id of one in CEL. One that no
    reason names is OUT_OF_RANGE.
    """
    return _reasons_by_rule().get(rule, ErrorReason.ERROR_REASON_OUT_OF_RANGE)


@cache
def _reasons_by_rule() -> dict[str, ErrorReason]:
    by_id = {reason_name(reason): reason for reason in all_reasons()}
    return by_id | {rule: reason for reason in all_reasons() for rule in _traits(reason).rules}


@cache
def _traits(reason: ErrorReason) -> error_traits_pb2.ErrorTraits:
    value = ErrorReason.DESCRIPTOR.values_by_number[reason]
    traits: error_traits_pb2.ErrorTraits = value.GetOptions().Extensions[error_traits_pb2.traits]  # type: ignore[index]
    return traits
