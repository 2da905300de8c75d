"""A prediction as the gateway holds it; the message for clients is made in convert.py."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from google.rpc import status_pb2

from gateway.label import DecidedLabel
from inference.output import Output


class State(StrEnum):
    """Where a prediction stands; the names are those of the database."""

    ACCEPTED = "ACCEPTED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows."""
        return self not in (State.ACCEPTED, State.RUNNING)


@dataclass(slots=True)
class Prediction:
    """One text, handed to one model, and what became of it."""

    id: str
    model: str
    version: str
    text: str
    state: State
    create_time: datetime
    complete_time: datetime | None = None
    expire_time: datetime | None = None
    output: Output | None = None
    features_uri: str = ""
    error: status_pb2.Status | None = None
    label: DecidedLabel | None = None
    """What is true of the text, where that was asked for and somebody has said it."""
    caller: str = ""
    """Who asked for it; empty where callers are not told apart."""
    tags: dict[str, str] | None = None
    """What its client says of it; None: nothing."""
    erase_time: datetime | None = None
    is_sent: bool = field(default=False, compare=False)
    """Whether a row of it may be in the record: it has gone to the database."""


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which predictions a list is of; None and "" mean any."""

    model: str = ""
    state: State | None = None
    version: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    unlabeled: bool = field(default=False, repr=False)
    """Only those that no label counts for. Not in the repr, which the page tokens of gateways of
    before are bound to."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list."""

    predictions: list[Prediction]
    next_page_token: str
    """Empty on the last page."""
