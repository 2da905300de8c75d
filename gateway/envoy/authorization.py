"""Who may call what: Envoy lets an rpc pass that a role of the caller allows for any model.

For which model, and whose predictions, is for the application to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from contract.access import OPEN, PERMISSIONS, AccessPolicy, Permission
from gateway.envoy.access_paths import ANY_SEGMENT, OPEN_PATHS, RestPath, rest_paths
from gateway.envoy.authentication import CLAIMS, TOKEN_HEADER
from gateway.envoy.http_filter import full_name, http_filter

_SUBJECT = "[!-~]([ -~]*[!-~])?"
"""Whom a token is for, as name_caller.NAME has it; how long it may be, the application says."""
UNUSABLE = "unusable"
"""How the rules begin by which verified tokens are refused; Envoy tells which, in its details."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that asks for the same permissions: any one of them."""

    permissions: frozenset[Permission]
    rpcs: Sequence[str]
    """By their paths in gRPC."""
    rest: Sequence[RestPath]

    @property
    def name(self) -> str:
        """Of the permissions."""
        return " or ".join(sorted(self.permissions))


def all_asked(descriptors: FileDescriptorSet) -> Sequence[Asked]:
    """What the rpcs ask for, each set of permissions once."""
    rpcs: dict[frozenset[Permission], list[str]] = {}
    for rpc, permissions in PERMISSIONS.items():
        rpcs.setdefault(permissions, []).append(rpc)
    rest = rest_paths(descriptors)
    return [
        Asked(
            permissions=permissions,
            rpcs=paths,
            rest=[path for rpc in paths for path in rest.get(rpc, ())],
        )
        for permissions, paths in rpcs.items()
    ]


def refuse_tokens() -> dict[str, Any]:
    """The filter of verified tokens that name nobody, or ask for what Envoy cannot do."""
    # https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    is_critical = _says([TOKEN_HEADER, "crit"], {"present_match": True})
    subject = {"string_match": {"safe_regex": {"regex": _SUBJECT}}}
    names_nobody = {"not_id": _says([CLAIMS, "sub"], subject)}
    closed = {"not_rule": {"or_rules": {"rules": _open()}}}
    policies = {
        f"{UNUSABLE}: critical": {"permissions": [{"any": True}], "principals": [is_critical]},
        f"{UNUSABLE}: nobody": {"permissions": [closed], "principals": [names_nobody]},
    }
    return http_filter("rbac", "rbac.v3.RBAC", rules={"action": "DENY", "policies": policies})


def authorize(access: AccessPolicy, descriptors: FileDescriptorSet) -> dict[str, Any]:
    """The filter of what a role is for; it refuses what it has no rule for."""
    policies = {"open": {"permissions": _open(), "principals": [{"any": True}]}}
    for asked in all_asked(descriptors):
        roles = [role for role, grants in access.roles.items() if _gives(grants, asked)]
        if roles:
            policies[asked.name] = {
                "permissions": [
                    *(_path({"exact": rpc}) for rpc in asked.rpcs),
                    *map(_rest, asked.rest),
                ],
                "principals": [_has_any(roles, access.tokens.roles_claim)],
            }
    return http_filter("rbac", "rbac.v3.RBAC", rules={"action": "ALLOW", "policies": policies})


def _open() -> list[dict[str, Any]]:
    return [_path({"exact": path}) for path in sorted({*OPEN, *OPEN_PATHS})]


def _gives(grants: Mapping[Permission, frozenset[str]], asked: Asked) -> bool:
    return any(grants.get(permission) for permission in asked.permissions)


def _rest(rest: RestPath) -> dict[str, Any]:
    method = {"name": ":method", "string_match": {"exact": rest.method}}
    but = [{"not_rule": _pattern(pattern)} for pattern in rest.but]
    return {"and_rules": {"rules": [{"header": method}, _pattern(rest.path), *but]}}


def _pattern(pattern: str) -> dict[str, Any]:
    if pattern.startswith("*"):
        return _path({"suffix": pattern[1:]})
    if ANY_SEGMENT not in pattern:
        return _path({"exact": pattern})
    kind = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
    template = pattern.replace(ANY_SEGMENT, "*")
    name = "envoy.path.match.uri_template.uri_template_matcher"
    config = {"@type": kind, "path_template": template}
    return {"uri_template": {"name": name, "typed_config": config}}


def _path(match: dict[str, str]) -> dict[str, Any]:
    return {"url_path": {"path": match}}


def _has_any(roles: Sequence[str], roles_claim: str) -> dict[str, Any]:
    """A caller with one of these roles."""
    has = [
        _says([CLAIMS, roles_claim], {"list_match": {"one_of": {"string_match": {"exact": role}}}})
        for role in roles
    ]
    return {"or_ids": {"ids": has}}


def _says(path: Sequence[str], value: dict[str, Any]) -> dict[str, Any]:
    matcher = {
        "filter": full_name("jwt_authn"),
        "path": [{"key": key} for key in path],
        "value": value,
    }
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}
