"""Who may call what: Envoy refuses an rpc that no role of the caller allows for any model.

For which model, and whose predictions, is for the application to say, which asks for the role
again. Where there is no rpc, what comes after this says so, as it does to whoever needs no token.
"""

from collections.abc import Collection
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from contract.access import OPEN, PERMISSIONS, AccessPolicy, Permission
from gateway.envoy.access_paths import OPEN_PATHS, rest_templates
from gateway.envoy.authentication import CLAIMS, TOKEN_HEADER
from gateway.envoy.http_filter import full_name, http_filter
from gateway.envoy.path_template import PathTemplate
from gateway.interceptors.name_caller import NAME

CRITICAL, NOBODY = "critical", "nobody"
"""The rules by which verified tokens are refused."""


def rule_of(permissions: Collection[Permission]) -> str:
    """The rule by which a caller is refused whom no role gives any of these."""
    return "+".join(sorted(permissions))


def refuse_tokens() -> dict[str, Any]:
    """The filter of verified tokens that name nobody, or ask for what Envoy cannot do."""
    # https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    is_critical = _says([TOKEN_HEADER, "crit"], {"present_match": True})
    subject = {"string_match": {"safe_regex": {"regex": NAME.pattern}}}
    names_nobody = {"not_id": _says([CLAIMS, "sub"], subject)}
    is_open = [_path({"exact": path}) for path in sorted({*OPEN, *OPEN_PATHS})]
    closed = {"not_rule": {"or_rules": {"rules": is_open}}}
    return _refuse(
        {
            CRITICAL: {"permissions": [{"any": True}], "principals": [is_critical]},
            NOBODY: {"permissions": [closed], "principals": [names_nobody]},
        }
    )


def authorize(access: AccessPolicy, descriptors: FileDescriptorSet) -> dict[str, Any]:
    """The filter of what a role is for."""
    paths: dict[frozenset[Permission], list[Any]] = {}
    for rpc, permissions in PERMISSIONS.items():
        paths.setdefault(permissions, []).append(_path({"exact": rpc}))
    for rpc, method, template in rest_templates(descriptors):
        paths[PERMISSIONS[rpc]].append(_rest(method, template))
    return _refuse(
        {
            rule_of(permissions): {
                "permissions": asking,
                "principals": [_lacks(permissions, access)],
            }
            for permissions, asking in paths.items()
        }
    )


def _refuse(policies: dict[str, Any]) -> dict[str, Any]:
    return http_filter("rbac", "rbac.v3.RBAC", rules={"action": "DENY", "policies": policies})


def _rest(method: str, template: PathTemplate) -> dict[str, Any]:
    """The paths that the REST front filter takes for it."""
    header = {"name": ":method", "string_match": {"exact": method}}
    path = _path({"safe_regex": {"regex": template.regex}})
    return {"and_rules": {"rules": [{"header": header}, path]}}


def _path(match: dict[str, Any]) -> dict[str, Any]:
    return {"url_path": {"path": match}}


def _lacks(permissions: Collection[Permission], access: AccessPolicy) -> dict[str, Any]:
    """A caller without a role that gives one of these, for any model."""
    has = [
        _says([CLAIMS, access.tokens.roles_claim], {"list_match": {"one_of": _is(role)}})
        for role, grants in access.roles.items()
        if any(grants.get(permission) for permission in permissions)
    ]
    return {"not_id": {"or_ids": {"ids": has}}} if has else {"any": True}


def _is(text: str) -> dict[str, Any]:
    return {"string_match": {"exact": text}}


def _says(path: Collection[str], value: dict[str, Any]) -> dict[str, Any]:
    matcher = {
        "filter": full_name("jwt_authn"),
        "path": [{"key": key} for key in path],
        "value": value,
    }
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}
