"""Labels as the gateway holds them; the messages for clients are made in convert_labels.py."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """Where a label comes from; the names are those of the database."""

    PERSON = "PERSON"
    CLIENT = "CLIENT"
    IMPORT = "IMPORT"
    LABEL_STUDIO = "LABEL_STUDIO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody says is true of a prediction."""

    prediction_id: str
    label: str
    source: Source
    annotator: str
    adjudicated: bool = False
    label_time: datetime | None = None
    """None: now."""
    external_id: str = ""
    """Of the source's own; "" for none."""
    choice: str = ""
    weight: float | None = None
    """None: unknown."""
    caller: str = ""
    request_id: str = ""
    """As the caller chose it; "" for none."""
    request_key: str = ""
    """What it is kept under."""

    @property
    def is_of_its_caller(self) -> bool:
        """Whether it speaks for nobody but its caller, and says no more than what he thinks."""
        return (
            self.annotator == self.caller
            and self.source is Source.CLIENT
            and not self.adjudicated
            and not self.choice
            and self.weight is None
        )


@dataclass(frozen=True, slots=True)
class Label:
    """A statement as it was recorded."""

    id: str
    prediction_id: str
    model: str
    label: str | None
    """None: what was said before is withdrawn."""
    source: str
    annotator: str
    adjudicated: bool
    label_time: datetime
    create_time: datetime
    external_id: str | None
    choice: str
    weight: float | None


@dataclass(frozen=True, slots=True)
class Attached:
    """What became of a statement."""

    label: Label
    added: bool
    """False: the same was said before."""


@dataclass(frozen=True, slots=True)
class DecidedLabel:
    """The one label of a prediction that counts."""

    label: str
    source: str
    annotators: int
    update_time: datetime


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which labels a list is of; None and "" mean any."""

    prediction_id: str = ""
    model: str = ""
    source: Source | None = None
    annotator: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    with_history: bool = False
    """Whether those are among them that no longer count, and withdrawals."""


@dataclass(frozen=True, slots=True)
class LabelPage:
    """A page of a list."""

    labels: list[Label]
    next_page_token: str
    """Empty on the last page."""
