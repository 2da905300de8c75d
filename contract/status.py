"""Errors as the google.rpc.Status that a client sees: the same from every program."""

from typing import Any

from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from contract.errors import InvalidArgument, PredictError, PredictionFailed
from contract.reasons import DOMAIN, reason_name

# json_format finds the types of a Status's details among the imported messages.
DETAIL_TYPES = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
)


def to_status(error: PredictError) -> status_pb2.Status:
    """One ErrorInfo, and BadRequest or RetryInfo with it."""
    if isinstance(error, PredictionFailed):
        return error.error
    status = status_pb2.Status(code=error.code.value[0], message=str(error))
    reason = reason_name(error.reason)
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=error.metadata)
    _attach(status, info)
    if isinstance(error, InvalidArgument):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.metadata["field"], description=error.description, reason=reason
        )
        _attach(status, error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_delay_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(error.retry_delay_s * 1000))
        _attach(status, retry)
    return status


def to_json(error: PredictError) -> str:
    """The Status as Protobuf JSON, as the record holds it."""
    return json_format.MessageToJson(to_status(error), indent=None)


def status_to_json(status: status_pb2.Status) -> dict[str, Any]:
    """A Status as the fields of that JSON."""
    return json_format.MessageToDict(status)


def status_from_json(fields: dict[str, Any]) -> status_pb2.Status:
    """The other way."""
    return json_format.ParseDict(fields, status_pb2.Status(), ignore_unknown_fields=True)


def error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo of a Status; an empty one if there is none."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            break
    return info


def _attach(
    status: status_pb2.Status,
    detail: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo,
) -> None:
    packed: AnyMessage = status.details.add()
    packed.Pack(detail)
