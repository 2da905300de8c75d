"""Identities by services: what istio/ lets in is what the table of services.yaml says."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import yaml

from tests.parts.istio_policies import Call, Workload, is_allowed
from tests.parts.mesh_list import MODELS, ROOT, mesh_objects

OBJECTS = mesh_objects()
TABLE = yaml.safe_load((ROOT / "istio/services.yaml").read_text())
IDS = [model.id for model in MODELS]
SERVICES = {pattern: ports for pattern, ports in TABLE.items() if pattern != "outside"}
BY_TOKEN = ("predict-mesh/gateway", 8080)
"""Where an identity alone is not enough."""
NOT_LISTED = ("/", "/inference.GRPCInferenceService/ModelConfig", "/any.Service/Rpc")


class Asked(NamedTuple):
    caller: str
    service: str
    port: int
    path: str


def of_models(pattern: str) -> list[str]:
    if pattern.startswith("model-*"):
        return [pattern.replace("*", model) for model in IDS]
    return [pattern]


def rules() -> Iterator[tuple[str, str, int, list[str], list[str]]]:
    """Service and its pattern, port, callers' patterns, rpcs."""
    for pattern, ports in SERVICES.items():
        for service in of_models(pattern):
            for port, said in ports.items():
                for rule in (said, *said.get("also", [])):
                    yield service, pattern, port, rule["callers"], rule.get("rpcs", [])


def identities() -> list[str]:
    patterns = {caller for *_, callers, _ in rules() for caller in callers}
    patterns |= set(SERVICES) | {caller for out in TABLE["outside"].values() for caller in out}
    listed = {identity for pattern in patterns for identity in of_models(pattern)}
    return sorted(listed | {"default/default", "istio-ingress/other", "predict-mesh/default"})


def is_listed(asked: Asked) -> bool:
    for service, pattern, port, callers, rpcs in rules():
        namespace = service.partition("/")[0]
        let_in = {
            identity
            for caller in callers
            for identity in (
                [caller.replace("model-*", namespace)]
                if pattern.startswith("model-*")
                else of_models(caller)
            )
        }
        here = (service, port) == (asked.service, asked.port)
        if here and asked.caller in let_in and (not rpcs or asked.path in rpcs):
            return True
    return False


def table() -> list[Asked]:
    return [
        Asked(caller, service, port, path)
        for service, port in sorted({(service, port) for service, _, port, *_ in rules()})
        if (service, port) != BY_TOKEN
        for path in {*NOT_LISTED, *(rpc for one in rules() if one[0] == service for rpc in one[4])}
        for caller in identities()
    ]


def is_let_in(asked: Asked, port: int | None = None) -> bool:
    namespace, _, name = asked.service.partition("/")
    call = Call(caller=asked.caller, port=port or asked.port, method="POST", path=asked.path)
    return is_allowed(OBJECTS, Workload(namespace=namespace, labels={"app": name}), call)


def test_each_identity_reaches_what_the_table_says_and_nothing_else() -> None:
    cells = table()
    assert {is_listed(cell) for cell in cells} == {True, False}
    assert [cell for cell in cells if is_let_in(cell) != is_listed(cell)] == []


def test_an_app_sees_outside_what_the_table_says_and_nothing_else() -> None:
    sidecars = {
        f"{one['metadata']['namespace']}/{app}": one["spec"]["egress"][0]["hosts"]
        for one in OBJECTS
        if one["kind"] == "Sidecar"
        for app in [one["spec"].get("workloadSelector", {}).get("labels", {}).get("app", "*")]
    }
    hosts = {
        one["metadata"]["name"]: one["spec"]["hosts"]
        for one in OBJECTS
        if one["kind"] == "ServiceEntry"
    }
    assert hosts.keys() == TABLE["outside"].keys()
    for what, callers in TABLE["outside"].items():
        listed = {identity for caller in callers for identity in of_models(caller)}
        for host in hosts[what]:
            seen = {app for app, known in sidecars.items() if f"istio-system/{host}" in known}
            assert seen == listed, host


def test_no_other_port_is_open() -> None:
    open_ = {
        (cell.service, port) for cell in table() for port in (22, 15000) if is_let_in(cell, port)
    }
    assert open_ == set()


@pytest.mark.parametrize("labels", [{"app": "worker"}, {"app": "relay"}, {}])
def test_what_is_not_in_the_table_lets_nobody_in(labels: dict[str, str]) -> None:
    for namespace in ("predict-mesh", "model-genre", "default"):
        for caller in identities():
            call = Call(caller=caller, port=8080, method="GET", path="/")
            assert not is_allowed(OBJECTS, Workload(namespace=namespace, labels=labels), call)


def test_a_worker_reaches_the_tritons_of_its_own_model_only() -> None:
    infer = "/inference.GRPCInferenceService/ModelInfer"
    reached = {
        (model, other)
        for model in IDS
        for other in IDS
        if is_let_in(Asked(f"model-{model}/worker", f"model-{other}/triton", 8001, infer))
    }
    assert reached == {(model, model) for model in IDS}
