"""The rules for Prometheus that are installed with the mesh."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy/prometheus/rules"
FILES = sorted(FOLDER.glob("*.yaml"))


def rules() -> Iterator[dict[str, Any]]:
    """Each rule of each file."""
    for file in FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """Those that call somebody."""
    return [rule for rule in rules() if "alert" in rule]
