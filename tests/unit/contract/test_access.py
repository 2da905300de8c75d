"""Each rpc has a rule, and a policy is read as it was written."""

import json
from pathlib import Path

import pytest

from contract.access import OPEN, PERMISSIONS, Permission, policy, read_policy
from gateway.envoy.descriptors import load_descriptors

TOKENS = {"issuer": "https://a.example/", "audience": "predict-mesh", "jwks": "/keys.json"}
ROLES = {"app": {"predict": ["sentiment"]}, "operator": {"release": ["*"], "observe": ["*"]}}


def rpcs() -> set[str]:
    """Of all services of the contract."""
    return {
        f"/{file.package}.{service.name}/{method.name}"
        for file in load_descriptors().file
        for service in file.service
        for method in service.method
    }


def test_each_rpc_has_a_rule_and_each_rule_an_rpc() -> None:
    ours = {path for path in PERMISSIONS if path.startswith("/predict.")}
    assert ours == rpcs()
    assert not OPEN & set(PERMISSIONS)
    assert all(PERMISSIONS.values())


def test_a_policy_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = policy(TOKENS, ROLES, {"caller": 5, "models": {"sentiment": 9}})
    file = tmp_path / "access.json"
    file.write_text(json.dumps(made.as_json()))
    assert read_policy(file) == made
    assert made.roles["app"] == {Permission.PREDICT: frozenset({"sentiment"})}


def said(roles: object = ROLES, limits: object = None, **tokens: object) -> str:
    """A policy that is good but for this."""
    return json.dumps({"tokens": {**TOKENS, **tokens}, "roles": roles, "limits": limits or {}})


def test_what_is_not_asked_otherwise_is_good(tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    file.write_text(said())
    assert read_policy(file) == policy(TOKENS, ROLES, {})


@pytest.mark.parametrize(
    "said",
    [
        "no JSON",
        said().replace('"app": ', '"app": {}, "app": '),
        said().replace("limits", "limit"),
        "[" * 100_000,
        said({"app": {"predict": "genre-*"}}),
        said({"app": {"predict": {"*": 1}}}),
        said({"app": {"predict": None}}),
        said({"app": {"predict": [7]}}),
        said({"app": {"predict": [""]}}),
        said({"app": ["predict"]}),
        said(["app"]),
        said(limits={"caller": -5}),
        said(limits={"caller": "5"}),
        said(limits={"caller": 0.5}),
        said(limits={"model": True}),
        said(limits={"model": None}),
        said(limits={"models": 5}),
        said(limits={"models": {"sentiment": -1}}),
        said(limits={"models": {"sentiment": "1"}}),
        said(limits=[5]),
        said(issuer=""),
        said(issuer=None),
        said(audience=None),
        said(audience=["predict-mesh"]),
        said(jwks=["/keys.json"]),
        said(jwks=""),
        said(roles_claim=""),
        said(roles_claim=7),
        "[]",
        json.dumps({"tokens": TOKENS}),
        json.dumps({"tokens": {"issuer": "a"}, "roles": {}}),
        json.dumps({"tokens": TOKENS, "roles": {"app": {"predikt": ["*"]}}}),
        json.dumps({"tokens": TOKENS, "roles": {}, "limits": {"calls": 1}}),
    ],
)
def test_what_is_no_policy_is_named(tmp_path: Path, said: str) -> None:
    file = tmp_path / "access.json"
    file.write_text(said)
    with pytest.raises(ValueError, match="is no access policy"):
        read_policy(file)
