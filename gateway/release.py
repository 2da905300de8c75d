"""Releases and what is asked of them, as the gateway speaks of them. Shares are in basis points."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Action(StrEnum):
    """What can be asked by CreateRelease."""

    RELEASE = "RELEASE"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who asks for a change of the traffic, and why; noted in the history."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a CreateRelease asks for."""

    action: Action
    version: str = ""
    """Of RELEASE only, as are those below."""
    steps: tuple[int, ...] = ()
    """Basis points that the version gets one after the other, rising."""
    pause: timedelta = timedelta()
    """After each step but the last."""
    quality_margin: float | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """One thing that was asked of a model's traffic."""

    id: str
    model: str
    version: str
    action: str
    actor: str
    reason: str
    state: str
    refusal: str
    detail: str
    traffic: dict[str, int] | None
    """Version -> whole percent: the last split that it made."""
    shares: dict[str, int] | None
    """The same in basis points."""
    steps: list[int]
    steps_done: int
    pause: timedelta
    quality_margin: float | None
    next_step_time: datetime | None
    create_time: datetime
    complete_time: datetime | None
    etag: str

    def is_for(self, model: str, plan: Plan) -> bool:
        """Whether this was asked for by such a plan; versions that others chose aside."""
        if (self.model, self.action) != (model, plan.action):
            return False
        return plan.action is not Action.RELEASE or (
            (self.version, tuple(self.steps), self.pause, self.quality_margin)
            == (plan.version, plan.steps, plan.pause, plan.quality_margin)
        )
