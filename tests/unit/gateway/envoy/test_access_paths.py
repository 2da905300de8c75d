"""Which rpc a REST path belongs to, for those who decide before it is one."""

import re

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from contract.access import PERMISSIONS
from gateway.envoy.access_paths import RestPath, rest_paths
from gateway.envoy.descriptors import bindings, load_descriptors, method_and_path, rest_methods

CONTRACT = load_descriptors()
PATHS = [(rpc, path) for rpc, paths in rest_paths(CONTRACT).items() for path in paths]
BINDINGS = [
    (f"/{service}/{rpc.name}", *method_and_path(rule))
    for service, rpc, http in rest_methods(CONTRACT)
    for rule in bindings(http)
]


def matches(path: RestPath, method: str, requested: str) -> bool:
    def is_of(pattern: str) -> bool:
        literal = re.escape(pattern).replace(r"\{\*\}", "[^/]+")
        return re.fullmatch(re.sub(r"^\\\*", ".*", literal), requested) is not None

    return method == path.method and is_of(path.path) and not any(map(is_of, path.but))


@pytest.mark.parametrize(("rpc", "method", "template"), BINDINGS)
@pytest.mark.parametrize("value", ["sentiment", "predict", "a.b%3Acancel", "7f0f-labels"])
def test_a_path_belongs_to_its_rpc_alone(rpc: str, method: str, template: str, value: str) -> None:
    requested = re.sub(r"\{\w+\}", value, template)
    assert {other for other, path in PATHS if matches(path, method, requested)} == {rpc}


@pytest.mark.parametrize(("_rpc", "method", "template"), BINDINGS)
def test_the_verb_of_another_rule_gives_no_second_right(
    _rpc: str, method: str, template: str
) -> None:
    verbs = {path.rpartition(":")[2] for _, _, path in BINDINGS if ":" in path}
    for verb in verbs:
        requested = re.sub(r"\{\w+\}", "x", template).partition(":")[0] + f":{verb}"
        rights = {PERMISSIONS[rpc] for rpc, path in PATHS if matches(path, method, requested)}
        assert len(rights) <= 1


def test_patterns_are_those_that_istio_knows() -> None:
    for pattern in {pattern for _, path in PATHS for pattern in (path.path, *path.but)}:
        assert re.fullmatch(r"\*:\w+|(/(\{\*\}|[\w:]+))+", pattern)


def test_a_path_of_any_number_of_segments_is_refused() -> None:
    contract = FileDescriptorSet()
    service = contract.file.add(name="a.proto", package="a").service.add(name="S")
    rule = service.method.add(name="R").options.Extensions[annotations_pb2.http]
    rule.get = "/v1/{name=files/**}"
    with pytest.raises(ValueError, match=r"files/\*\*"):
        rest_paths(contract)
