"""What a REST request may hold, as data for the REST front filter, from the contract."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from contract.access import PERMISSIONS, AccessPolicy
from contract.access_errors import PermissionDenied
from contract.reasons import DOMAIN, all_reasons, grpc_code, http_status, reason_name
from gateway.envoy.descriptors import bindings, method_and_path, rest_methods
from gateway.envoy.path_template import PathTemplate
from gateway.envoy.rest_binding import rest_binding
from gateway.envoy.rest_fields import RestFields


def rest_rules(
    descriptors: FileDescriptorSet,
    mounts: Mapping[str, Sequence[str]],
    *,
    max_body_bytes: int,
    access: AccessPolicy | None = None,
) -> dict[str, Any]:
    """The routes with their bindings, the fields of the messages that requests consist of, and
    what belongs to each reason to refuse one.

    mounts: the paths that are not REST's, each with the methods that do not come here. access: who
    may call; None: everybody.
    Raises ValueError, which names the rpc, for an HTTP rule that cannot be.
    """
    pool = DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    fields = RestFields([pool.FindFileByName(file.name) for file in descriptors.file])
    routes = _Routes()
    for service, method_proto, rule in rest_methods(descriptors):
        rpc = pool.FindServiceByName(service).methods_by_name[method_proto.name]
        try:
            for binding in bindings(rule):
                method, path = method_and_path(binding)
                template = PathTemplate(path)
                found = rest_binding(binding, template, rpc, fields)
                allowed = _allowed(f"/{service}/{rpc.name}", access) if access else {}
                routes.add(method, template, found | allowed)
        except ValueError as error:
            raise ValueError(f"{rpc.full_name}: {error}") from error
    for path, methods in mounts.items():
        routes.leave_out(PathTemplate(f"{path}/**"), methods)
    return {
        "max_body_bytes": max_body_bytes,
        **routes.rules(),
        **fields.rules(),
        "domain": DOMAIN,
        "reasons": {
            reason_name(reason): {
                "http": str(http_status(reason)),
                "code": grpc_code(reason).value[0],
                "status": grpc_code(reason).name,
            }
            for reason in all_reasons()
        },
    }


def _allowed(rpc: str, access: AccessPolicy) -> dict[str, Any]:
    """Who may call it in any role, and what others are told; nothing where only the application
    can say."""
    if "." in access.tokens.roles_claim:  # to Envoy, that would be a claim in a claim
        return {}
    permissions = PERMISSIONS.get(rpc, frozenset())
    error = PermissionDenied(permissions)
    roles = [role for role, grants in access.roles.items() if any(map(grants.get, permissions))]
    return {
        "roles": dict.fromkeys(roles, True),
        "denied": str(error),
        "permission": error.metadata["permission"],
    }


class _Routes:
    """The bindings by path and method, as they are added."""

    def __init__(self) -> None:
        self._bindings: list[dict[str, Any]] = []
        self._templates: dict[str, PathTemplate] = {}
        self._methods: dict[str, dict[str, int]] = {}
        self._left_out: list[dict[str, Any]] = []

    def add(self, method: str, template: PathTemplate, binding: dict[str, Any]) -> None:
        """Raises ValueError if the transcoder could not tell it from another."""
        for pattern, other in self._templates.items():
            if other.node == template.node and method in self._methods[pattern]:
                raise ValueError(f"{method} of this path belongs to another HTTP rule")
        self._bindings.append(binding)
        self._templates[template.pattern] = template
        self._methods.setdefault(template.pattern, {})[method] = len(self._bindings)

    def leave_out(self, template: PathTemplate, methods: Iterable[str]) -> None:
        """Refuse other methods than these, which are answered elsewhere."""
        self._left_out.append(
            {"pattern": template.pattern, "methods": {}, "allow": ", ".join(methods)}
        )

    def rules(self) -> dict[str, Any]:
        """All of them; the paths in the order in which the transcoder prefers them."""
        templates = sorted(self._templates.values(), key=lambda template: template.node)
        return {
            "bindings": self._bindings,
            "routes": [
                *(self._route(template.pattern) for template in templates),
                *self._left_out,
            ],
            "verbs": {template.verb: True for template in templates if template.verb},
        }

    def _route(self, pattern: str) -> dict[str, Any]:
        methods = self._methods[pattern]
        return {"pattern": pattern, "methods": methods, "allow": ", ".join(sorted(methods))}
