"""Releases, asked of a gateway and followed: the one way for people, pipelines and the stack."""

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

from predict.v1 import model_service_pb2 as pb
from predict.v1.model_pb2 import Model, Release, ReleaseAction, ReleaseState
from predict.v1.model_service_pb2_grpc import ModelServiceStub

from pmesh.calls import CallFailedError, failures
from pmesh.channel import open_channel

UNDER_WAY = (
    ReleaseState.RELEASE_STATE_ACCEPTED,
    ReleaseState.RELEASE_STATE_RUNNING,
    ReleaseState.RELEASE_STATE_PAUSED,
)
_CALL_S = 30
_POLL_S = 0.1
"""At first; while nothing changes, up to MOST_POLL_S."""
_MOST_POLL_S = 1.0
_UNATTENDED_S = 10.0
_PATIENCE_S = 60.0
"""That a gateway may be away, such as for its restart, while a release is followed."""


class ReleaseClient:
    """Asks one gateway. Every method raises CallFailedError."""

    def __init__(self, address: str, token: str = "") -> None:
        """address: as open_channel takes it. token: the caller's; "" for none."""
        self._address = address
        self._channel = open_channel(address, token)
        self._stub = ModelServiceStub(self._channel)

    def __enter__(self) -> "ReleaseClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def release(
        self,
        model: str,
        version: str,
        *,
        actor: str,
        reason: str = "",
        steps: Sequence[float] = (),
        pause_s: float | None = None,
        margin: float | None = None,
    ) -> Release:
        """Ask for a version to come into service; the accepted release."""
        request = pb.CreateReleaseRequest(
            model=model,
            version=version,
            steps=steps,
            quality_margin=margin,
            actor=actor,
            reason=reason,
        )
        if pause_s is not None:
            request.pause.FromMilliseconds(round(pause_s * 1000))
        return self._create(request)

    def shift(self, model: str, action: ReleaseAction, *, actor: str, reason: str) -> Release:
        """Promote the newest version, or roll back; what was done."""
        request = pb.CreateReleaseRequest(model=model, action=action, actor=actor, reason=reason)
        return self._create(request)

    def list(self, model: str, *, limit: int) -> Sequence[Release]:
        """The last things that were asked of a model's traffic, the newest first."""
        request = pb.ListReleasesRequest(model=model, page_size=limit)
        with failures(self._address, model):
            return self._stub.ListReleases(request, timeout=_CALL_S).releases

    def model(self, model: str) -> Model:
        """The model as it stands."""
        with failures(self._address, model):
            request = pb.GetModelRequest(model=model)
            return self._stub.GetModel(request, timeout=_CALL_S).model

    def under_way(self, model: str) -> Sequence[Release]:
        """The releases of a model that have not ended, the newest first."""
        return [r for r in self.list(model, limit=1000) if r.state in UNDER_WAY]

    def outcome(self, release: Release) -> Release:
        """The release once it has ended, or somebody has paused it."""
        for found in self.follow(release):
            if found.state == ReleaseState.RELEASE_STATE_PAUSED:
                return found
        return found

    def follow(
        self, release: Release, *, unattended: Callable[[], None] = lambda: None
    ) -> Iterator[Release]:
        """The release as it stands now and after each of its changes, until it has ended.

        unattended: called once if nobody has begun it after a while.
        """
        yield release
        answered = asked = time.monotonic()
        poll_s = _POLL_S
        is_told = False
        while release.state in UNDER_WAY:
            time.sleep(poll_s)
            poll_s = min(1.2 * poll_s, _MOST_POLL_S)
            is_waiting = release.state == ReleaseState.RELEASE_STATE_ACCEPTED
            if is_waiting and not is_told and time.monotonic() > asked + _UNATTENDED_S:
                unattended()
                is_told = True
            try:
                found = self._get(release)
            except CallFailedError as error:
                if not error.is_passing or time.monotonic() > answered + _PATIENCE_S:
                    raise
                continue
            answered = time.monotonic()
            if found.etag != release.etag:
                release = found
                poll_s = _POLL_S
                yield release

    def pause(self, release: Release) -> Release:
        """Keep it at its step."""
        request = pb.PauseReleaseRequest(id=release.id)
        with failures(self._address, release.model):
            return self._stub.PauseRelease(request, timeout=_CALL_S).release

    def resume(self, release: Release) -> Release:
        """Let it go on."""
        request = pb.ResumeReleaseRequest(id=release.id)
        with failures(self._address, release.model):
            return self._stub.ResumeRelease(request, timeout=_CALL_S).release

    def cancel(self, release: Release) -> Release:
        """End it where it stands."""
        request = pb.CancelReleaseRequest(id=release.id)
        with failures(self._address, release.model):
            return self._stub.CancelRelease(request, timeout=_CALL_S).release

    def _create(self, request: pb.CreateReleaseRequest) -> Release:
        request.request_id = str(uuid4())  # what gRPC itself may send twice counts once
        enough = "pmesh cancel {model}"  # too many are under way
        with failures(self._address, request.model, OVERLOADED=enough):
            return self._stub.CreateRelease(request, timeout=_CALL_S).release

    def _get(self, release: Release) -> Release:
        with failures(self._address, release.model):
            return self._stub.GetRelease(pb.GetReleaseRequest(id=release.id), timeout=5).release
