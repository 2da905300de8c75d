"""What the charts' NetworkPolicies let through: the calls of istio/services.yaml, and nothing else.

Nothing here makes the policies hold, which is for a cluster's network: network_policies.py decides
them, for the pods that the charts make and for those of others.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.mesh.charts import CASES, CHARTS, ROOT, Object, Rendered, containers, rendered
from tests.mesh.network_policies import Connection, Pod, is_let_in, is_let_out
from tests.mesh.table import MODELS, doors, outside

FOLDER = ROOT / "deploy/charts"
WANTED = [
    case
    for case in CASES
    if yaml.safe_load(case.values[1].read_text()).get("networkPolicy", {}).get("enabled", True)
]
"""Those that want policies."""
DNS, ISTIOD = "kube-system/coredns", "istio-system/istiod"
TRACES = "groundcover/groundcover-sensor"
PROMETHEUS, INGRESS = "observability/prometheus", "istio-ingress/ingress"
STRANGERS = (
    *("default/default", "default/gateway", "default/worker"),
    *("predict-mesh/other", "model-genre/other", "infra/other", "mlflow/other", "annotation/other"),
)
"""Pods that the mesh knows nothing of: some called like ours, some where ours are."""
OTHERS = (DNS, ISTIOD, TRACES, PROMETHEUS, INGRESS, *STRANGERS)
FOREIGN = {"predict-mesh/gateway": {9000}, "predict-mesh/rollout": {9000}}
"""The ports of the servers of others, which the values of this test have."""


@dataclass
class Cluster:
    """What the charts make of it."""

    policies: list[Object] = field(default_factory=list)
    pods: dict[str, list[Pod]] = field(default_factory=dict)
    """By identity: namespace and service account."""
    doors: dict[tuple[str, int], list[tuple[Pod, int]]] = field(default_factory=dict)
    """By service and its port: the pods behind it, and their port."""

    @property
    def namespaces(self) -> set[str]:
        """Those that have policies."""
        return {policy["metadata"]["namespace"] for policy in self.policies}

    def add(self, namespace: str, found: Rendered) -> None:
        self.policies += found.of("NetworkPolicy")
        for _, template in found.pods():
            pod = _pod(namespace, template["metadata"]["labels"])
            identity = f"{namespace}/{template['spec']['serviceAccountName']}"
            self.pods.setdefault(identity, []).append(pod)
            for service in found.of("Service"):
                if service["spec"]["selector"].items() <= pod.labels.items():
                    name = f"{namespace}/{service['metadata']['name']}"
                    for port in service["spec"]["ports"]:
                        door = self.doors.setdefault((name, port["port"]), [])
                        door.append((pod, _of_the_pod(port, template)))

    def lets_out(
        self, sources: Iterable[Pod], to: Iterable[tuple[Pod | None, int]], protocol: str = "TCP"
    ) -> bool:
        """Whether all of them get out to there; fails where only some do."""
        return self._all(is_let_out, sources, to, protocol)

    def lets_in(
        self, sources: Iterable[Pod], to: Iterable[tuple[Pod | None, int]], protocol: str = "TCP"
    ) -> bool:
        """Whether all of them get in there; fails where only some do."""
        return self._all(is_let_in, sources, to, protocol)

    def _all(
        self,
        decide: Callable[[Sequence[Object], Connection], bool],
        sources: Iterable[Pod],
        to: Iterable[tuple[Pod | None, int]],
        protocol: str,
    ) -> bool:
        (answer,) = {
            decide(self.policies, Connection(source=source, to=pod, port=port, protocol=protocol))
            for source, (pod, port) in product(sources, to)
        }
        return answer


@cache
def cluster(*database: str) -> Cluster:
    """With each chart under all its options, a model's for each of MODELS. database: the options of
    helm that say where it is; none: in the cluster.
    """
    made = Cluster()
    for chart, namespace in CHARTS.items():
        values = FOLDER / chart / "ci" / "all-values.yaml"
        values = values if values.exists() else values.with_name("least-values.yaml")
        if chart == "model":
            for model in MODELS:
                own = ("--set", f"model={model}", "--namespace", f"model-{model}")
                made.add(f"model-{model}", rendered(chart, values, *own, *database))
        elif chart != "postgres" or not database:
            made.add(namespace, rendered(chart, values, *database))
    for other in OTHERS:
        namespace, name = other.split("/")
        made.pods[other] = [_pod(namespace, {"app": name})]
    return made


def test_a_call_is_let_out_and_in_where_the_table_has_it_and_nowhere_else() -> None:
    expected: dict[tuple[str, int], set[str]] = {}
    for door in doors():
        expected.setdefault((door.service, door.port), set()).update(door.callers)
    # The same pods once more, for callers who may come before they are ready.
    expected["predict-mesh/gateway-releases", 8080] = expected["predict-mesh/gateway", 8080]
    made = cluster()
    assert made.doors.keys() == expected.keys()
    let_in = {
        door: {caller for caller in made.pods if made.lets_in(made.pods[caller], made.doors[door])}
        for door in expected
    }
    assert let_in == expected
    ours = {pod for pod in made.pods if pod.split("/")[0] in made.namespaces}
    let_out = {
        door: {caller for caller in ours if made.lets_out(made.pods[caller], made.doors[door])}
        for door in expected
    }
    assert let_out == {door: callers & ours for door, callers in expected.items()}


def test_only_who_may_call_outside_gets_there() -> None:
    may = set().union(*outside().values())
    found = _ports_outside(cluster(), {22, 80, 443, 5432, 9000})
    assert found == {
        pod: ({443} if pod in may else set()) | FOREIGN.get(pod, set()) for pod in found
    }
    assert may <= found.keys()


def test_a_database_outside_is_reached_by_those_who_have_a_login_there() -> None:
    made = cluster("--set", "database.host=db.example.com,database.port=5433")
    found = _ports_outside(made, {5433})
    (door,) = [door for door in doors() if door.service == "infra/postgres"]
    assert {pod for pod in found if found[pod]} == set(door.callers)


def test_the_issuer_is_reached_at_the_port_of_its_keys() -> None:
    jwks = "access.tokens.jwks=https://keycloak.login.svc.cluster.local:8443/jwks"
    values = FOLDER / "predict-mesh/ci/all-values.yaml"
    made = Cluster()
    made.add("predict-mesh", rendered("predict-mesh", values, "--set", jwks))
    found = _ports_outside(made, {8443})
    assert {pod for pod in found if found[pod]} == outside()["issuer"]


def test_a_line_that_is_new_in_the_table_is_let_out_and_in(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "deploy/charts", symlinks=True)
    table = yaml.safe_load((ROOT / "istio/services.yaml").read_text())
    table["mlflow/mlflow"][5000]["callers"].append("predict-mesh/relay")
    table["outside"]["sns"].append("predict-mesh/training")
    (tmp_path / "istio").mkdir()
    (tmp_path / "istio/services.yaml").write_text(yaml.safe_dump(table))
    made = Cluster()
    for chart in ("predict-mesh", "mlflow"):
        values = sorted((FOLDER / chart / "ci").glob("[al]*-values.yaml"))[0]  # all, or least
        made.add(chart, rendered(chart, values, checkout=tmp_path))
    relay, registry = made.pods["predict-mesh/relay"], made.doors["mlflow/mlflow", 5000]
    assert made.lets_out(relay, registry)
    assert made.lets_in(relay, registry)
    assert made.lets_out(made.pods["predict-mesh/training"], [(None, 443)])


@pytest.mark.parametrize("before", [None, "all-values.yaml"])
def test_the_job_before_a_release_gets_where_that_release_has_the_database(
    before: str | None,
) -> None:
    """By its own policy: those of its release come later, the one before had another database."""
    folder = FOLDER / "predict-mesh/ci"
    policies = rendered("predict-mesh", folder / before).of("NetworkPolicy") if before else []
    policies = [one for one in policies if not _is_hook(one)]
    found = rendered("predict-mesh", folder / "external-values.yaml")
    policies += [one for one in found.of("NetworkPolicy") if _is_hook(one)]
    job = _pod(
        "predict-mesh", found.named("Job", "provision")["spec"]["template"]["metadata"]["labels"]
    )

    def gets(to: Pod | None, port: int) -> bool:
        return is_let_out(policies, Connection(source=job, to=to, port=port))

    names, istiod = (_pod(one.split("/")[0], {}) for one in (DNS, ISTIOD))
    assert gets(names, 53)
    assert gets(istiod, 15012)
    assert {port for port in (22, 80, 443, 4566, 5432) if gets(None, port)} == {4566, 5432}


def _is_hook(one: Object) -> bool:
    return "pre-upgrade" in one["metadata"].get("annotations", {}).get("helm.sh/hook", "")


@pytest.mark.parametrize(("chart", "values"), WANTED)
def test_what_the_mesh_needs_itself_gets_through(chart: str, values: Path) -> None:
    """istiod, names, what proxies tell by themselves, and who asks them for figures."""
    made = Cluster()
    made.add(CHARTS[chart], rendered(chart, values))
    ours = [pod for pods in made.pods.values() for pod in pods]
    ours.append(_pod(CHARTS[chart], {"app": "other"}))
    others = {other: _pod(other.split("/")[0], {"app": other.split("/")[1]}) for other in OTHERS}
    foreign = {name: pod for name, pod in others.items() if pod.namespace != CHARTS[chart]}
    out = {
        (name, port, protocol)
        for (name, pod), port, protocol in product(
            foreign.items(), (53, 4317, 4318, 15010, 15012, 15014, 15017), ("TCP", "UDP")
        )
        if made.lets_out(ours, [(pod, port)], protocol)
    }
    assert out == {
        *((DNS, 53, protocol) for protocol in ("TCP", "UDP")),
        (ISTIOD, 15012, "TCP"),
        (TRACES, _told_at(), "TCP"),
    }
    into = {
        (name, port)
        for (name, pod), port in product(foreign.items(), (15000, 15006, 15020, 15021, 15090))
        if made.lets_in([pod], [(one, port) for one in ours])
    }
    assert into == {(PROMETHEUS, 15020), (PROMETHEUS, 15090)}


def _ports_outside(made: Cluster, ports: set[int]) -> Mapping[str, set[int]]:
    """Of each pod of our namespaces, at which ports it gets to whatever is outside the cluster."""
    return {
        name: {port for port in ports if made.lets_out(pods, [(None, port)])}
        for name, pods in made.pods.items()
        if name.split("/")[0] in made.namespaces
    }


def _told_at() -> int:
    config = yaml.safe_load((ROOT / "istio/mesh-config.yaml").read_text())["meshConfig"]
    (port,) = [
        provider["opentelemetry"]["port"]
        for provider in config["extensionProviders"]
        if provider.get("opentelemetry", {}).get("service", "").startswith("groundcover-sensor.")
    ]
    return int(port)


def _of_the_pod(port: Object, template: Object) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    (found,) = [
        one["containerPort"]
        for container in containers(template)
        for one in container.get("ports", [])
        if one["name"] == target
    ]
    return int(found)


def _pod(namespace: str, labels: Mapping[str, str]) -> Pod:
    """In a namespace with the labels that deploy/jobs/install.sh gives it."""
    of_it = {"kubernetes.io/metadata.name": namespace}
    if namespace.startswith("model-"):
        of_it["predict-mesh.io/model"] = namespace.removeprefix("model-")
    return Pod(namespace=namespace, labels=labels, namespace_labels=of_it)
