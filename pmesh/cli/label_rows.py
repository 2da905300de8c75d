"""A row of a file of labels: what it says, as the gateway takes it, or why it cannot be taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from predict.v1.feedback_service_pb2 import AttachLabelRequest
from predict.v1.label_pb2 import LabelSource

REQUIRED = ("prediction_id", "label")
COLUMNS = (
    *REQUIRED,
    "annotator",
    "label_time",
    "external_id",
    "choice",
    "weight",
    "adjudicated",
)
NOTES = ("line", "reason", "message")
"""What a file of refused rows has besides; it says nothing in one that is read."""

_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row is not recorded."""

    reason: str
    """Of the contract's ErrorReason, or ROW_MALFORMED, VALUE_MALFORMED, ROW_CONTRADICTS."""
    message: str


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One row."""

    line: int
    """Where it begins, counted from 1."""
    end: int
    """Where the next one begins, in bytes."""
    original: Any
    """As its format holds it."""
    content: AttachLabelRequest | Refusal


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """What rows do not say."""

    source: LabelSource
    annotator: str = ""


def read_cells(cells: Mapping[str, str], defaults: RowDefaults) -> AttachLabelRequest | Refusal:
    """The row of a table, by its columns; an empty cell says nothing."""
    values: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
    if "weight" in values:
        try:
            values["weight"] = float(values["weight"])
        except ValueError:
            return Refusal("VALUE_MALFORMED", "weight is not a number")
    if "adjudicated" in values:
        truth = _TRUTHS.get(values["adjudicated"].lower())
        if truth is None:
            return Refusal("VALUE_MALFORMED", "adjudicated is neither true nor false")
        values["adjudicated"] = truth
    return read_values(values, defaults)


def read_values(values: Mapping[str, Any], defaults: RowDefaults) -> AttachLabelRequest | Refusal:
    """The row of typed values, by their names; None says nothing.

    What the gateway checks itself, it is left to.
    """
    request = AttachLabelRequest(source=defaults.source, annotator=defaults.annotator)
    for name, value in values.items():
        if value is None or name in NOTES:
            continue
        if name not in COLUMNS:
            return Refusal("ROW_MALFORMED", f"has an unknown {name!r}")
        if problem := _problem(name, value):
            return Refusal("VALUE_MALFORMED", f"{name} {problem}")
        try:
            if name == "label_time":
                request.label_time.FromDatetime(_time(value))
            else:
                setattr(request, name, value)
        except (ValueError, OverflowError) as error:  # ValueError: also half a character
            return Refusal("VALUE_MALFORMED", f"{name} cannot be read: {error}")
    return request


def _problem(name: str, value: object) -> str:
    if name == "weight":
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if fits else "is not a number"
    if name == "adjudicated":
        return "" if isinstance(value, bool) else "is neither true nor false"
    return "" if isinstance(value, str) else "is not a string"


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("it has no time zone, as 2026-11-01T12:00:00Z has")
    return time
