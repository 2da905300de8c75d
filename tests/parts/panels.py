"""The panels of the dashboards that are installed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"


class Asked(NamedTuple):
    """A query of a panel."""

    panel: str
    """DASHBOARD / TITLE"""
    expression: str
    legend: str
    exemplars: bool
    """Whether dots lead from its observations to their traces."""


def dashboards() -> dict[str, Any]:
    """Each as Grafana reads it, by its uid."""
    found = (json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json")))
    return {dashboard["uid"]: dashboard for dashboard in found}


def queries() -> Iterator[Asked]:
    """Of all panels."""
    for uid, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                name = f"{uid} / {panel['title']}"
                yield Asked(name, target["expr"], target["legendFormat"], target["exemplar"])
