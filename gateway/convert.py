"""The contract's messages to the gateway's types and back; pure functions."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1 import model_pb2, prediction_pb2
from predict.v1.error_reason_pb2 import ErrorReason
from predict.v1.prediction_service_pb2 import ListPredictionsRequest

from contract.errors import InvalidArgument
from gateway.prediction import ListFilter, Prediction, State
from gateway.store.catalog import Model
from gateway.store.releases import Release

_STATE_TO_PROTO = {
    state: cast(
        prediction_pb2.PredictionState,
        prediction_pb2.PredictionState.Value(f"PREDICTION_STATE_{state}"),
    )
    for state in State
}
_STATE_FROM_PROTO = {number: state for state, number in _STATE_TO_PROTO.items()}
_NANOS_IN_A_SECOND = 10**9


def has_text(view: prediction_pb2.PredictionView) -> bool:
    """Whether a view of predictions is with their texts."""
    return view != prediction_pb2.PREDICTION_VIEW_BASIC


def write_prediction(
    prediction: Prediction, message: prediction_pb2.Prediction, *, with_text: bool = True
) -> None:
    """Fill an empty message with a prediction as clients see it.

    Field by field and in its place, which saves half of the time of one call with all of them and
    a copy: each answer passes here.
    """
    message.id = prediction.id
    message.model = prediction.model
    message.version = prediction.version
    if with_text:
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


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    timestamp = Timestamp()
    _set_time(timestamp, moment)
    return timestamp


def list_filter_from_proto(request: ListPredictionsRequest) -> ListFilter:
    """The conditions of a list."""
    return ListFilter(
        model=request.model,
        state=_STATE_FROM_PROTO.get(request.state),
        version=request.version,
        start_time=_time(request, "start_time"),
        end_time=_time(request, "end_time"),
    )


def model_to_proto(model: Model) -> model_pb2.Model:
    """A model as clients see it."""
    return model_pb2.Model(
        id=model.id,
        description=model.description,
        labels=model.labels,
        traffic=_split(model.traffic),
        versions=[
            model_pb2.ModelVersion(
                version=version.version,
                state=cast(
                    model_pb2.ModelVersionState,
                    model_pb2.ModelVersionState.Value(f"MODEL_VERSION_STATE_{version.state}"),
                ),
                sha256=version.sha256,
                update_time=_timestamp(version.update_time),
            )
            for version in model.versions.values()
        ],
    )


def release_to_proto(release: Release) -> model_pb2.Release:
    """A release as clients see it."""
    return model_pb2.Release(
        id=release.id,
        model=release.model,
        version=release.version,
        action=cast(
            model_pb2.ReleaseAction,
            model_pb2.ReleaseAction.Value(f"RELEASE_ACTION_{release.action}"),
        ),
        state=cast(
            model_pb2.ReleaseState, model_pb2.ReleaseState.Value(f"RELEASE_STATE_{release.state}")
        ),
        actor=release.actor,
        reason=release.reason,
        refusal=release.refusal,
        detail=release.detail,
        traffic=_split(release.traffic or {}),
        create_time=_timestamp(release.create_time),
        complete_time=_timestamp(release.complete_time),
    )


def _split(traffic: Mapping[str, int]) -> list[model_pb2.TrafficTarget]:
    return [
        model_pb2.TrafficTarget(version=version, percent=percent)
        for version, percent in sorted(traffic.items(), key=lambda t: int(t[0]))
    ]


def _time(
    request: ListPredictionsRequest, field: Literal["start_time", "end_time"]
) -> datetime | None:
    if not request.HasField(field):
        return None
    timestamp: Timestamp = getattr(request, field)
    _check_nanos(timestamp, field)
    return timestamp.ToDatetime(tzinfo=UTC)


def duration_from_proto(duration: Duration, *, field: str) -> timedelta:
    """A duration of zero or more; one that is not in its form is refused."""
    _check_nanos(duration, field)
    return duration.ToTimedelta()


def _check_nanos(moment: Timestamp | Duration, field: str) -> None:
    """What the rules of the contract do not see: buf.validate compares the seconds first."""
    if not 0 <= moment.nanos < _NANOS_IN_A_SECOND:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_OUT_OF_RANGE,
            field,
            "has nanos that are not a part of a second",
        )
