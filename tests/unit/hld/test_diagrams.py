"""The pictures show what is there: the overview who may call whom, each SVG its source of today."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DIAGRAMS = ROOT / "HLD" / "diagrams"
SOURCES = sorted(DIAGRAMS.glob("*.d2"))
ARROW = re.compile(r"^ *([\w.'*-]+) -> ([\w.'*-]+)", re.MULTILINE)
AWS = {"sns", "sqs", "s3", "sts"}
CLIENTS = ("clients", "mesh/istio-ingress/ingress")


def drawn() -> list[tuple[str, str]]:
    """The overview's arrows, of the parts as namespace/name."""
    found = ARROW.findall((DIAGRAMS / "overview.d2").read_text())
    return [tuple(end.replace("'", "").replace(".", "/") for end in arrow) for arrow in found]  # type: ignore[misc]


def allowed() -> set[tuple[str, str]]:
    """Who may call whom, whatever the port."""
    table: dict[str, Any] = yaml.safe_load((ROOT / "istio" / "services.yaml").read_text())
    outside = table.pop("outside")
    inside = {
        (caller, service)
        for service, ports in table.items()
        for port in ports.values()
        for rule in (port, *port.get("also", ()))
        for caller in rule["callers"]
    }
    return inside | {
        (caller, "_/outside/" + ("aws" if target in AWS else target))
        for target, callers in outside.items()
        for caller in callers
    }


def test_the_overview_has_the_arrows_that_are_allowed_and_no_others() -> None:
    arrows = drawn()
    assert len(arrows) == len(set(arrows))
    assert set(arrows) - {CLIENTS} == allowed()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_each_picture_is_drawn_of_its_source(source: Path) -> None:
    digest = sha256(source.read_bytes()).hexdigest()
    last = source.with_suffix(".svg").read_text().rstrip().rpartition("\n")[2]
    assert last == f"<!-- of {digest} -->", "make diagrams"


def test_there_are_pictures() -> None:
    assert {source.stem for source in SOURCES} >= {"overview", "failures", "closed-loop"}
