"""Models, their traffic and releases: the contract's messages to the gateway's types and back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1 import model_pb2
from predict.v1.error_reason_pb2 import ErrorReason
from predict.v1.model_service_pb2 import CreateReleaseRequest, SetTrafficRequest
from predict.v1.release_refusal_pb2 import ReleaseRefusal

from contract.errors import InvalidArgument
from gateway import shares
from gateway.convert import duration_from_proto
from gateway.release import Action, Plan, Release
from gateway.store.catalog import Model

DEFAULT_PAUSE = timedelta(minutes=1)
_ACTIONS = {
    model_pb2.RELEASE_ACTION_UNSPECIFIED: Action.RELEASE,
    model_pb2.RELEASE_ACTION_RELEASE: Action.RELEASE,
    model_pb2.RELEASE_ACTION_PROMOTE: Action.PROMOTE,
    model_pb2.RELEASE_ACTION_ROLLBACK: Action.ROLLBACK,
}


def model_to_proto(model: Model) -> model_pb2.Model:
    """A model as clients see it."""
    return model_pb2.Model(
        id=model.id,
        description=model.description,
        labels=model.labels,
        traffic=_targets(model.percent),
        shares=_shares(model.traffic),
        etag=model.etag,
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
        refusal_reason=_refusal(release.refusal),
        detail=release.detail,
        traffic=_targets(release.traffic or {}),
        shares=_shares(release.shares or {}),
        steps=[shares.to_percent(points) for points in release.steps],
        steps_done=release.steps_done,
        pause=_duration(release.pause) if release.steps else None,
        next_step_time=_timestamp(release.next_step_time),
        create_time=_timestamp(release.create_time),
        complete_time=_timestamp(release.complete_time),
        etag=release.etag,
    )


def split_from_proto(request: SetTrafficRequest) -> dict[str, int]:
    """The split that is asked for, by either field, as version -> basis points."""
    if not request.traffic:
        return shares.check_split([(s.version, s.percent) for s in request.shares], "shares")
    if request.shares:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_DUPLICATE_FIELD, "traffic", "is given beside shares"
        )
    return shares.check_split([(t.version, t.percent) for t in request.traffic], "traffic")


def plan_from_proto(request: CreateReleaseRequest) -> Plan:
    """What is asked for, with the defaults; refuses what does not go with the action."""
    action = _ACTIONS[request.action]
    if action is not Action.RELEASE:
        for field in ("version", "steps", "pause", "quality_margin"):
            if any(known.name == field for known, _ in request.ListFields()):
                raise InvalidArgument(
                    ErrorReason.ERROR_REASON_UNKNOWN_FIELD, field, f"is no part of a {action}"
                )
        return Plan(action=action)
    if not request.version:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_REQUIRED_FIELD_MISSING, "version", "is required"
        )
    has_pause = request.HasField("pause")
    return Plan(
        action=action,
        version=request.version,
        steps=shares.check_steps(request.steps),
        pause=duration_from_proto(request.pause, field="pause") if has_pause else DEFAULT_PAUSE,
        quality_margin=request.quality_margin if request.HasField("quality_margin") else None,
    )


def _shares(traffic: Mapping[str, int]) -> list[model_pb2.TrafficShare]:
    return [
        model_pb2.TrafficShare(version=version, percent=shares.to_percent(points))
        for version, points in sorted(traffic.items(), key=lambda t: int(t[0]))
    ]


def _targets(traffic: Mapping[str, int]) -> list[model_pb2.TrafficTarget]:
    return [
        model_pb2.TrafficTarget(version=version, percent=percent)
        for version, percent in sorted(traffic.items(), key=lambda t: int(t[0]))
    ]


def _refusal(name: str) -> ReleaseRefusal:
    """UNSPECIFIED for none, and for one that only a later release process knows."""
    number = dict(ReleaseRefusal.items()).get(f"RELEASE_REFUSAL_{name}", 0)
    return cast(ReleaseRefusal, number)


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def _duration(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration
