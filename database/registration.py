"""Which models the catalog lists: written by whoever deploys them, read by the gateways."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.types.json import Json

from contract.alert_rules import AlertRule
from contract.labels import check_model_labels
from contract.version_name import check_model_id
from database import named_sql

_SQL = named_sql.load("database")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A model as it is to be listed."""

    id: str
    description: str
    labels: list[str]
    """What versions to come must have. Each version states its own, and clients are told those of
    what serves."""
    address: str
    """As inference.addresses, of what answers for its versions."""
    feature_share: float = 1.0
    """Of the answers made now, how many carry features: 0 to 1."""
    retention_days: int = 90
    """How long its predictions and their features are kept: 1 to 3650."""
    alerts: Sequence[AlertRule] = ()
    """By which the monitoring job tells people that it does worse."""


class Change(StrEnum):
    """What a registration has done to a model."""

    LISTED = "LISTED"
    """It was not listed before."""
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    UNLISTED = "UNLISTED"
    """It was listed before, and is none of these models."""


def register_models(
    connection: "psycopg.Connection[Any]", models: Sequence[Registration]
) -> dict[str, Change]:
    """Make the database list exactly these models; versions, traffic and history stay.

    connection: of the owner of the database. Answers with what that changed, by model. Raises
    psycopg.Error, and ValueError if a model may not have its id or its labels.
    """
    for model in models:
        check_model_id(model.id)
        try:
            check_model_labels(model.labels)
        except ValueError as error:
            raise ValueError(f"{model.id}: {error}") from error
    with connection.transaction(), connection.cursor() as cursor:
        rows: list[tuple[str, str]] = []
        for model in models:
            rows += cursor.execute(_SQL["list_model"], _row(model))
        rows += cursor.execute(_SQL["hide_others"], {"ids": [model.id for model in models]})
        cursor.execute(_SQL["tell_gateways"])
    return {model: Change(change) for model, change in rows}


def _row(model: Registration) -> dict[str, Any]:
    return {
        "id": model.id,
        "description": model.description,
        "labels": model.labels,
        "address": model.address,
        "feature_share": model.feature_share,
        "retention_days": model.retention_days,
        "alert_rules": Json([rule.as_said() for rule in model.alerts]),
    }
