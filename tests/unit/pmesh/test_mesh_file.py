"""What mesh.yaml says, and what it cannot say."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from modelkit.values import ModelEntry
from pmesh.mesh_file import InvalidMesh, read_mesh
from tests.parts.mesh_list import MESH, MESH_FILE, write_list

MOOD = ModelEntry(id="mood", description="", labels=["good"], texts_per_second=5)


def changed(tmp_path: Path, key: str, value: Any) -> Path:
    file = tmp_path / "mesh.yaml"
    write_list(file, {key: value})
    return file


def test_it_gives_an_access_policy() -> None:
    access = MESH.access([MOOD])
    assert access.limits.models == {"mood": 5}
    assert access.roles["app"] == {"predict": frozenset({"*"})}


@pytest.mark.parametrize(("own", "models"), [(None, {}), (0, {"mood": 0}), (7, {"mood": 7})])
def test_a_model_has_the_limit_that_it_says_of_itself_or_none(
    own: int | None, models: dict[str, int]
) -> None:
    access = MESH.access([replace(MOOD, texts_per_second=own)])
    assert access.limits.models == models
    assert access.limits.model


def test_the_claim_of_roles_may_be_left_out(tmp_path: Path) -> None:
    mesh = read_mesh(changed(tmp_path, "tokens/roles_claim", None))
    assert mesh.access([MOOD]).tokens.roles_claim == "roles"


def test_a_role_on_a_model_that_is_not_is_refused(tmp_path: Path) -> None:
    mesh = read_mesh(changed(tmp_path, "roles/app", {"predict": ["moods"]}))
    why = r"mesh\.yaml: roles\.app\.predict has no model moods; it may have \*, mood$"
    with pytest.raises(InvalidMesh, match=why):
        mesh.access([MOOD])


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("host", None, "lacks host"),
        ("host", "https://a.example", "host is a host's name"),
        ("host", "-.example", "host is a host's name"),
        ("label_host", "label", "label_host is a host's name"),
        ("label_host", "predict.example.com", "label_host is another host than host"),
        ("hosts", "a.example", "it has no hosts; it may have host, "),
        ("tokens", [], "tokens is a section with keys"),
        ("tokens/issuer", None, "tokens lacks issuer"),
        ("tokens/issuer", "*", "tokens.issuer is a text without"),
        ("tokens/audience", ["a"], "tokens.audience is a text"),
        ("tokens/jwks", "keys.json", "tokens.jwks is an https URL, not 'keys.json'"),
        ("tokens/jwks", "http://login.example.com/jwks", "tokens.jwks is an https URL"),
        ("tokens/jwks", "https://login.example.com:x/jwks", "tokens.jwks is an https URL"),
        ("tokens/jkws", "https://login.example.com/", "tokens has no jkws"),
        ("tokens/roles_claim", "a[b]", "tokens.roles_claim is the name of a claim"),
        ("roles/*", {"predict": ["*"]}, "roles is the name of a role"),
        ("roles/app", {"predcit": ["*"]}, "roles.app has no predcit; it may have predict, "),
        ("roles/app", {"predict": "*"}, "roles.app.predict is a list of texts, not"),
        ("limits/caller", -1, "limits.caller is a whole number"),
        ("limits/caller", True, "limits.caller is a whole number"),
        ("limits/callers", 1, "limits has no callers"),
        ("outside/region", "Frankfurt", "outside.region is a region of AWS"),
        ("outside/region", "us-iso-east-1", "outside.region is a region of AWS"),
        ("outside/bus_prefix", None, "outside lacks bus_prefix"),
        ("outside/bus_prefix", "p" * 32, "outside.bus_prefix is 1 to 31 letters"),
        ("outside/buckets/features", "a.b", "outside.buckets.features is a bucket's name"),
        ("outside/buckets/backups", None, "outside.buckets lacks backups"),
        ("outside/buckets/logs", "logs", "outside.buckets has no logs"),
        ("outside/database", "db.example.com", "outside.database is host:port"),
        ("outside/database", "10.0.0.7:5432", "outside.database is host:port"),
        ("outside/database", "pg-rw.cnpg.svc:5432", "outside.database is host:port"),
        ("outside/traces", "collector:4318", "outside.traces is https://host:port"),
        ("outside/traces", "https://traces.example.com/v1/traces", "outside.traces is https://"),
        ("outside/traces", "http://traces.example.com", "outside.traces is https://host:port"),
        ("outside/traces", 4318, "outside.traces is https://host:port"),
        ("outside/alerts", "hooks.example.com", "outside.alerts is a list"),
        ("outside/alerts", ["hooks.example.com/x"], "outside.alerts is a host's name"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, key: str, value: Any, why: str) -> None:
    file = changed(tmp_path, key, value)
    with pytest.raises(InvalidMesh) as refused:
        read_mesh(file)
    assert str(file) in str(refused.value)
    assert why in str(refused.value)


def test_regions_are_those_of_the_partitions_whose_hosts_are_known(tmp_path: Path) -> None:
    session = boto3.Session()
    taken, regions = set(), {}
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("sqs", partition, allow_non_regional=False):
            regions[region] = partition
            with suppress(InvalidMesh):
                read_mesh(changed(tmp_path, "outside/region", region))
                taken.add(region)
    known = {"aws", "aws-cn", "aws-us-gov"}
    assert taken == {region for region, partition in regions.items() if partition in known}
    assert {regions[region] for region in regions.keys() - taken} >= {"aws-iso", "aws-iso-e"}


def test_a_role_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    app = "  app:       {predict: ["
    file.write_text(MESH_FILE.read_text().replace(app, f"{app}]}}\n{app}"))
    with pytest.raises(InvalidMesh, match=r"mesh\.yaml: line \d+: app is there twice"):
        read_mesh(file)


@pytest.mark.parametrize("text", ["", "[", "- a"])
def test_what_is_no_section_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(text)
    with pytest.raises(InvalidMesh, match=r"mesh\.yaml"):
        read_mesh(file)
