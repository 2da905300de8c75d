"""The paths at which REST reaches each rpc, for those who decide before it is one.

Istio's AuthorizationPolicy knows three patterns: a whole path, one of which single segments are
anything (`/v1/models/{*}/releases`), and an end (`*:predict`); and it can take some out of another.
What two rpcs have in common would have the rights of both, so no path matches the patterns of two.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.api import http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.envoy.descriptors import bindings, method_and_path, rest_methods
from gateway.envoy.path_template import PathTemplate
from gateway.router import READYZ

HEALTHZ = "/healthz"
OPEN_PATHS = (HEALTHZ, READYZ)
"""What needs no token, beside the rpcs of contract.access.OPEN."""
ANY_SEGMENT = "{*}"


@dataclass(frozen=True, kw_only=True)
class RestPath:
    """Paths of one HTTP method, without their queries."""

    method: str
    path: str
    """The pattern of them."""
    but: tuple[str, ...] = ()
    """The patterns of those that are taken out of it."""


def _rest_templates(contract: FileDescriptorSet) -> Sequence[tuple[str, str, PathTemplate]]:
    """Each REST binding: the path of its rpc in gRPC, the HTTP method and the path.

    Raises ValueError for an HTTP rule that cannot be, or whose path takes any number of segments.
    """
    return [
        (f"/{service}/{rpc.name}", *_method_and_template(rule))
        for service, rpc, http in rest_methods(contract)
        for rule in bindings(http)
    ]


def rest_paths(contract: FileDescriptorSet) -> Mapping[str, Sequence[RestPath]]:
    """The paths of each rpc with a REST binding, by its path in gRPC, as Istio matches them.

    Raises ValueError, as `_rest_templates`.
    """
    rules = _rest_templates(contract)
    telling = _telling_verbs([(method, template) for _, method, template in rules])
    paths: dict[str, list[RestPath]] = {}
    for rpc, method, template in rules:
        paths.setdefault(rpc, []).append(_rest_path(method, template, telling.get(method, [])))
    return paths


def _method_and_template(rule: http_pb2.HttpRule) -> tuple[str, PathTemplate]:
    method, path = method_and_path(rule)
    template = PathTemplate(path)
    if "**" in template.segments:
        raise ValueError(f"{path}: who may use it cannot be told by its segments")
    return method, template


def _telling_verbs(rules: Sequence[tuple[str, PathTemplate]]) -> Mapping[str, Sequence[str]]:
    """HTTP method -> the verbs that one path with variables has and no other path."""
    telling: dict[str, list[str]] = {}
    counts = Counter((method, template.verb) for method, template in rules)
    for method, template in rules:
        if template.verb and template.variables and counts[method, template.verb] == 1:
            telling.setdefault(method, []).append(template.verb)
    return telling


def _rest_path(method: str, template: PathTemplate, telling: Sequence[str]) -> RestPath:
    if template.verb in telling:
        return RestPath(method=method, path=f"*:{template.verb}")
    path = "".join(f"/{ANY_SEGMENT if part == '*' else part}" for part in template.segments)
    if path.endswith(ANY_SEGMENT):
        return RestPath(method=method, path=path, but=tuple(f"*:{verb}" for verb in telling))
    return RestPath(method=method, path=f"{path}:{template.verb}" if template.verb else path)
