"""Decides as a proxy of Istio does, from the objects: may this call reach this workload?

What it says: https://istio.io/latest/docs/concepts/security/#implicit-enablement (which policies
count), https://istio.io/latest/docs/reference/config/security/authorization-policy/ (rules),
https://istio.io/latest/docs/reference/config/security/normalization/ (paths come normalized).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT_NAMESPACE = "istio-system"
Object = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What is called."""

    namespace: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Call:
    """What comes, by mTLS."""

    caller: str
    """As its certificate says it: namespace/account."""
    port: int
    method: str = ""
    path: str = ""
    """Without the query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, Any] | None = None
    """Of its token, whose signature and times are right; None: it has none."""


def read_objects(folder: Path) -> list[Object]:
    """All that a folder holds, of whatever kind."""
    files = sorted(folder.rglob("*.yaml"))
    documents = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    return [one for one in documents if isinstance(one, dict) and "kind" in one]


def is_allowed(objects: Iterable[Object], workload: Workload, call: Call) -> bool:
    """Whether the call reaches it."""
    selected = [one for one in objects if _selects(one, workload)]
    if call.claims is not None:
        issuers = [one["spec"] for one in selected if one["kind"] == "RequestAuthentication"]
        if any(not _knows(issuer, call.claims) for issuer in issuers):
            return False
    by_action: dict[str, list[Object]] = {}
    for one in selected:
        if one["kind"] == "AuthorizationPolicy":
            spec = one["spec"]
            by_action.setdefault(spec.get("action", "ALLOW"), []).append(spec)
    if unknown := by_action.keys() - {"ALLOW", "DENY"}:
        raise NotImplementedError(f"actions {unknown}")
    if any(_matches(spec, call) for spec in by_action.get("DENY", ())):
        return False
    allow = by_action.get("ALLOW", ())
    return not allow or any(_matches(spec, call) for spec in allow)


def _selects(one: Object, workload: Workload) -> bool:
    if one["metadata"]["namespace"] not in (ROOT_NAMESPACE, workload.namespace):
        return False
    labels = one.get("spec", {}).get("selector", {}).get("matchLabels", {})
    return labels.items() <= workload.labels.items()


def _knows(spec: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    said = claims.get("aud", [])
    audiences = {said} if isinstance(said, str) else set(said)
    return any(
        rule["issuer"] == claims.get("iss") and not audiences.isdisjoint(rule["audiences"])
        for rule in spec["jwtRules"]
    )


def _matches(spec: Mapping[str, Any], call: Call) -> bool:
    return any(_rule(rule, call) for rule in spec.get("rules", ()))


def _rule(rule: Mapping[str, Any], call: Call) -> bool:
    """All of its three parts; of each, any; what it does not have is met."""
    _only(rule, {"from", "to", "when"})
    return (
        ("from" not in rule or any(_source(one["source"], call) for one in rule["from"]))
        and ("to" not in rule or any(_operation(one["operation"], call) for one in rule["to"]))
        and all(_condition(one, call) for one in rule.get("when", ()))
    )


def _source(source: Mapping[str, Any], call: Call) -> bool:
    namespace, _, account = call.caller.partition("/")
    claims = call.claims or {}
    by_token = f"{claims.get('iss')}/{claims.get('sub')}" if {"iss", "sub"} <= claims.keys() else ""
    return _all(
        source,
        {
            "principals": (_text, f"cluster.local/ns/{namespace}/sa/{account}"),
            "requestPrincipals": (_text, by_token),
        },
    )


def _operation(operation: Mapping[str, Any], call: Call) -> bool:
    return _all(
        operation,
        {
            "ports": (_text, str(call.port)),
            "methods": (_text, call.method),
            "paths": (_path, call.path),
            "notPaths": (_path, call.path),
        },
    )


def _all(
    said: Mapping[str, Sequence[str]],
    values: Mapping[str, tuple[Callable[[str, str], bool], str]],
) -> bool:
    """Any pattern of each field; of notX, none of them."""
    _only(said, values.keys())
    for name, patterns in said.items():
        fits, value = values[name]
        if any(fits(pattern, value) for pattern in patterns) == name.startswith("not"):
            return False
    return True


def _condition(condition: Mapping[str, Any], call: Call) -> bool:
    _only(condition, {"key", "values"})
    match = re.fullmatch(r"request\.(auth\.claims|headers)\[([^\[\]]+)\]", condition["key"])
    if match is None:
        raise NotImplementedError(condition["key"])
    if match[1] == "headers":
        found = [call.headers[match[2]]] if match[2] in call.headers else []
    else:
        claim = (call.claims or {}).get(match[2], [])
        found = claim if isinstance(claim, list) else [claim]
    return any(_text(pattern, one) for pattern in condition["values"] for one in found)


def _text(pattern: str, value: str) -> bool:
    """Exact, a beginning, an end, or anything that is there."""
    if pattern == "*":
        return value != ""
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _path(pattern: str, value: str) -> bool:
    """As a text, or with {*} for one segment and {**} for any number at the end."""
    if "{" not in pattern:
        return _text(pattern, value)
    segment = r"[A-Za-z0-9\-._~%!$&'()+,;:@=]+"
    form = re.escape(pattern).replace(r"\{\*\*\}", ".*").replace(r"\{\*\}", segment)
    return re.fullmatch(form, value) is not None


def _only(said: Mapping[str, Any], known: Iterable[str]) -> None:
    if unknown := said.keys() - set(known):
        raise NotImplementedError(f"not decided here: {sorted(unknown)}")
