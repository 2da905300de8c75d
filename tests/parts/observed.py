"""Predictions of hours gone by, as the gateway has recorded them, and what people said of them."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection

MODEL = "sentiment"


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One request and its answer."""

    time: datetime
    text: str = "a text"
    label: str | None = "positive"
    """None: it has no answer."""
    confidence: float = 0.8
    scores: Mapping[str, float] = field(default_factory=dict)
    model: str = MODEL
    version: str = "1"
    state: str = "SUCCEEDED"
    reason: str = ""
    seconds: float | None = 0.01
    tags: Mapping[str, str] | None = None
    features_uri: str = ""
    truth: str | None = None
    """What a person said of it an hour later."""
    weight: float | None = None


def observe(
    connection: "Connection[Any]", rows: Iterable[Observed], *, seed: int | str = 0
) -> list[str]:
    """Record them, in one transaction; answers with their ids."""
    chance = random.Random(seed)  # noqa: S311
    recorded = [_recorded(row, uuid7_at(row.time, chance)) for row in rows]
    with connection.transaction():
        connection.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time, complete_time,"
            " error, tags)"
            " SELECT id, model, version, text, state, create_time, complete_time, error, tags"
            " FROM json_populate_recordset(NULL::requests, %s)",
            (json.dumps(recorded),),
        )
        connection.execute(
            "INSERT INTO predictions (id, label, confidence, scores, features_uri)"
            " SELECT id, label, confidence, scores, features_uri"
            " FROM json_populate_recordset(NULL::predictions, %s) WHERE label IS NOT NULL",
            (json.dumps(recorded),),
        )
    said = [
        Said(
            row["id"],
            observed.truth,
            weight=observed.weight,
            time=observed.time + _HOUR,
            model=observed.model,
        )
        for row, observed in zip(recorded, rows, strict=True)
        if observed.truth is not None
    ]
    say(connection, said)
    return [row["id"] for row in recorded]


_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Said:
    """What somebody said of a prediction; a label of None withdraws what was said before."""

    prediction_id: str
    label: str | None
    annotator: str = ""
    weight: float | None = None
    time: datetime | None = None
    model: str = MODEL


def say(connection: "Connection[Any]", said: Sequence[Said]) -> None:
    """Add labels."""
    rows = [
        {
            "prediction_id": one.prediction_id,
            "model": one.model,
            "label": one.label,
            "annotator": one.annotator,
            "weight": one.weight,
            "label_time": one.time.isoformat() if one.time else None,
        }
        for one in said
    ]
    connection.execute(
        "INSERT INTO labels (prediction_id, model, label, source, annotator, weight, label_time)"
        " SELECT prediction_id, model, label, 'PERSON', annotator, weight,"
        " coalesce(label_time, clock_timestamp())"
        " FROM json_populate_recordset(NULL::labels, %s)",
        (json.dumps(rows),),
    )


def uuid7_at(moment: datetime, chance: random.Random) -> str:
    """An id of that moment."""
    milliseconds = int(moment.timestamp() * 1000)
    value = milliseconds << 80 | chance.getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    return str(UUID(int=value & ~(3 << 62) | 2 << 62))


def _recorded(row: Observed, prediction_id: str) -> dict[str, Any]:
    seconds = row.seconds
    return {
        "id": prediction_id,
        "model": row.model,
        "version": row.version,
        "text": row.text,
        "state": row.state,
        "create_time": row.time.isoformat(),
        "complete_time": None
        if seconds is None
        else (row.time + timedelta(seconds=seconds)).isoformat(),
        "error": {"code": 13, "message": "", "details": [{"reason": row.reason}]}
        if row.reason
        else None,
        "tags": row.tags,
        "label": row.label,
        "confidence": str(row.confidence),
        "scores": dict(row.scores) or ({row.label: row.confidence} if row.label else {}),
        "features_uri": row.features_uri,
    }
