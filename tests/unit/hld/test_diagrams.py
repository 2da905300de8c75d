"""The pictures show what is there: the overview who may call whom, each SVG its source of today."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts.mesh_list import ROOT, mesh_objects
from tests.parts.overview import DIAGRAMS, read_overview

SOURCES = sorted(DIAGRAMS.glob("*.d2"))
AWS = {"sns", "sqs", "s3", "sts"}
CLIENTS = ("clients", "istio-ingress/ingress")


def drawn() -> set[tuple[str, str]]:
    """The overview's arrows but that of clients."""
    arrows = read_overview().arrows
    assert {kind for _, kind, _ in arrows} == {"->"}
    ends = [(one, other) for one, _, other in arrows]
    assert len(ends) == len(set(ends))
    assert CLIENTS in ends
    return set(ends) - {CLIENTS}


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
        (caller, "outside/" + ("aws" if target in AWS else target))
        for target, callers in outside.items()
        for caller in callers
    }


def enforced() -> set[tuple[str, str]]:
    """Who is let in by the policies that are applied, and who is let out by the proxies."""
    objects = mesh_objects()
    policies = [one for one in objects if one["kind"] == "AuthorizationPolicy"]
    inside = {
        (principal.removeprefix("cluster.local/ns/").replace("/sa/", "/"), _app(one, "selector"))
        for one in policies
        for rule in one["spec"].get("rules", ())
        for source in rule.get("from", ())
        for principal in source["source"]["principals"]
    }
    hosts = {
        f"{one['metadata']['namespace']}/{host}": one["metadata"]["name"]
        for one in objects
        if one["kind"] == "ServiceEntry"
        for host in one["spec"]["hosts"]
    }
    outside = {
        (_app(one, "workloadSelector"), "outside/" + ("aws" if target in AWS else target))
        for one in objects
        if one["kind"] == "Sidecar"
        for to in one["spec"]["egress"]
        for target in map(hosts.get, to["hosts"])
        if target is not None
    }
    return {(_of_any_model(one), _of_any_model(other)) for one, other in inside | outside}


def _app(one: Any, key: str) -> str:
    selector = one["spec"].get(key, {})
    app = selector.get("matchLabels", selector.get("labels", {})).get("app", "*")
    return f"{one['metadata']['namespace']}/{app}"


def _of_any_model(name: str) -> str:
    return re.sub(r"^model-[^/]+/", "model-*/", name)


def test_the_overview_has_the_arrows_that_are_allowed_and_no_others() -> None:
    assert drawn() == allowed()


def test_the_overview_has_the_arrows_that_the_mesh_lets_through_and_no_others() -> None:
    assert drawn() == enforced()


def test_the_overview_has_the_parts_that_call_or_are_called_and_no_others() -> None:
    parts = read_overview().parts
    assert len(parts) == len(set(parts))
    assert set(parts) == {part for call in allowed() | {CLIENTS} for part in call}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_each_picture_is_drawn_of_its_source(source: Path) -> None:
    digest = sha256(source.read_bytes()).hexdigest()
    last = source.with_suffix(".svg").read_text().rstrip().rpartition("\n")[2]
    assert last == f"<!-- of {digest} -->", "make diagrams"


def test_there_are_pictures() -> None:
    assert {source.stem for source in SOURCES} >= {"overview", "failures", "closed-loop"}
