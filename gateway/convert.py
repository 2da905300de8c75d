"""The contract's messages to the gateway's types and back; pure functions."""

from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1 import prediction_pb2
from predict.v1.error_reason_pb2 import ErrorReason
from predict.v1.prediction_service_pb2 import ListPredictionsRequest

from contract.errors import InvalidArgument
from gateway.prediction import ListFilter, Prediction, State

_STATE_TO_PROTO = {
    state: cast(
        prediction_pb2.PredictionState,
        prediction_pb2.PredictionState.Value(f"PREDICTION_STATE_{state}"),
    )
    for state in State
}
_STATE_FROM_PROTO = {number: state for state, number in _STATE_TO_PROTO.items()}


def write_prediction(prediction: Prediction, message: prediction_pb2.Prediction) -> None:
    """Fill an empty message with a prediction as clients see it.

    Field by field and in its place, which saves half of the time of one call with all of them and
    a copy: each answer passes here.
    """
    message.id = prediction.id
    message.model = prediction.model
    message.version = prediction.version
    message.text = prediction.text
    message.state = _STATE_TO_PROTO[prediction.state]
    message.features_uri = prediction.features_uri
    _set_time(message.create_time, prediction.create_time)
    if prediction.complete_time is not None:
        _set_time(message.complete_time, prediction.complete_time)
    if prediction.expire_time is not None:
        _set_time(message.expire_time, prediction.expire_time)
    if prediction.output is not None:
        prediction.output.write_to(message.output)
    if prediction.error is not None:
        message.error.CopyFrom(prediction.error)


def _set_time(timestamp: Timestamp, moment: datetime) -> None:
    timestamp.seconds = int(moment.timestamp())
    timestamp.nanos = moment.microsecond * 1000


def list_filter_from_proto(request: ListPredictionsRequest) -> ListFilter:
    """The conditions of a list."""
    return ListFilter(
        model=request.model,
        state=_state(request.state),
        version=request.version,
        start_time=_time(request, "start_time"),
        end_time=_time(request, "end_time"),
    )


def _state(number: prediction_pb2.PredictionState) -> State | None:
    if number == prediction_pb2.PREDICTION_STATE_UNSPECIFIED:
        return None
    if number not in _STATE_FROM_PROTO:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_WRONG_TYPE,
            "state",
            "is no state of a prediction",
            expected="PredictionState",
        )
    return _STATE_FROM_PROTO[number]


def _time(
    request: ListPredictionsRequest, field: Literal["start_time", "end_time"]
) -> datetime | None:
    if not request.HasField(field):
        return None
    timestamp: Timestamp = getattr(request, field)
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except ValueError:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_OUT_OF_RANGE,
            field,
            "is outside the years 1 to 9999",
            min="0001-01-01T00:00:00Z",
            max="9999-12-31T23:59:59Z",
        ) from None


def duration_from_proto(duration: Duration, *, field: str) -> timedelta:
    """A duration; one that no timedelta can hold is refused."""
    try:
        return duration.ToTimedelta()
    except (OverflowError, ValueError):
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_OUT_OF_RANGE, field, "is no duration"
        ) from None
