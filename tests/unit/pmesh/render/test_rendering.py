"""What `pmesh render` makes of one model or another."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import boto3
import pytest
import yaml

from modelkit.serving import Bounds, ClusterServing, Device
from modelkit.values import ForeignVersion, ModelEntry
from pmesh.mesh_file import InvalidMesh
from pmesh.render import outside
from pmesh.render.rendering import render, stale, write
from tests.parts import mesh_list
from tests.parts.istio_policies import read_objects
from tests.parts.mesh_list import MESH, ROOT

MOOD = ModelEntry(id="mood", description="", labels=["good"], is_trained_here=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What is rendered from, with nothing rendered."""
    return mesh_list.checkout(tmp_path)


def documents(root: Path, file: str) -> list[Any]:
    return list(yaml.safe_load_all((root / file).read_text()))


def test_what_is_written_is_not_stale_and_what_is_edited_is(checkout: Path) -> None:
    files = render(checkout, [MOOD])
    assert set(write(checkout, files)) == set(files) - {Path("istio/README.md")}
    assert stale(checkout, files) == []
    edited = Path("istio/gateway/callers.yaml")
    (checkout / edited).write_text((checkout / edited).read_text() + "# mine\n")
    assert stale(checkout, files) == [edited]


def test_files_of_a_model_that_is_gone_are_taken_away_and_nobody_elses(checkout: Path) -> None:
    write(checkout, render(checkout, [MOOD, replace(MOOD, id="spam")]))
    by_hand = checkout / "istio/models/spam/note.yaml"
    by_hand.write_text("a: 1\n")
    files = render(checkout, [MOOD])
    assert Path("istio/models/spam/routes.yaml") in stale(checkout, files)
    write(checkout, files)
    assert not (checkout / "istio/models/spam/routes.yaml").exists()
    assert not (checkout / "deploy/charts/model/models/spam.yaml").exists()
    assert by_hand.exists()


def test_all_that_the_mesh_has_of_a_model_goes_with_its_namespace(checkout: Path) -> None:
    """But for servers of others: see istio/README.md."""
    foreign = {"7": ForeignVersion(address="models.example.com:9000", labels=["good"])}
    spam = replace(MOOD, id="spam", foreign=foreign)

    def applied() -> set[tuple[str, str, str]]:
        objects = read_objects(checkout / "istio")
        named = [(one["kind"], one["metadata"]) for one in objects if "metadata" in one]
        return {(kind, about["namespace"], about["name"]) for kind, about in named}

    write(checkout, render(checkout, [MOOD, spam]))
    before = applied()
    write(checkout, render(checkout, [MOOD]))
    gone = before - applied()
    assert {(kind, name) for kind, within, name in gone if within != "model-spam"} == {
        ("ServiceEntry", "models.example.com")
    }
    assert {"AuthorizationPolicy", "VirtualService", "DestinationRule", "Sidecar", "Service"} <= {
        kind for kind, within, _ in gone if within == "model-spam"
    }


def test_calls_go_to_the_tritons_of_their_version_and_else_by_weight(checkout: Path) -> None:
    model = replace(MOOD, serving=ClusterServing(canary=10, versions={"12": "gpu"}))
    write(checkout, render(checkout, [model]))
    (routes,) = documents(checkout, "istio/models/mood/routes.yaml")
    _, own, rest = routes["spec"]["http"]
    assert own["match"] == [{"headers": {"x-model-version": {"exact": "12"}}}]
    assert subsets(own) == {"version-12": 100}
    assert "match" not in rest
    assert subsets(rest) == {"stable": 90, "canary": 10}
    service, rule, _ = documents(checkout, "istio/models/mood/connections.yaml")
    assert {one["name"]: one["labels"] for one in rule["spec"]["subsets"]} == {
        track: {"track": track} for track in ("stable", "canary", "version-12")
    }
    # Envoy balances what has an address of its own; a headless service's callers choose.
    assert "clusterIP" not in service["spec"]
    assert rule["spec"]["host"].split(".")[:2] == [
        service["metadata"]["name"],
        service["metadata"]["namespace"],
    ]


def subsets(route: Mapping[str, Any]) -> Mapping[str, int]:
    return {one["destination"]["subset"]: one["weight"] for one in route["route"]}


def test_without_a_canary_all_calls_go_to_the_stable_ones(checkout: Path) -> None:
    write(checkout, render(checkout, [MOOD]))
    (routes,) = documents(checkout, "istio/models/mood/routes.yaml")
    assert subsets(routes["spec"]["http"][-1]) == {"stable": 100}


def test_only_what_is_unavailable_is_tried_again_and_what_rollout_asks_never(
    checkout: Path,
) -> None:
    write(checkout, render(checkout, [MOOD]))
    (routes,) = documents(checkout, "istio/models/mood/routes.yaml")
    each, *others = routes["spec"]["http"]
    assert "retries" not in each
    for route in others:
        assert route["retries"]["retryOn"] == "unavailable,connect-failure,refused-stream"


def who_sees(checkout: Path, within: str, host: str) -> set[str]:
    """The apps of a namespace whose proxies know it."""
    return {
        one["spec"].get("workloadSelector", {}).get("labels", {}).get("app", "all others")
        for one in documents(checkout, f"istio/visible/{within}.yaml")
        if host in one["spec"]["egress"][0]["hosts"]
    }


def test_a_server_of_others_outside_is_let_out_to_and_one_inside_is_seen(checkout: Path) -> None:
    addresses = {
        "7": "models.example.com:9000",
        "8": "models.example.com:9001",
        "9": "oip.kserve.svc.cluster.local:8081",
    }
    foreign = {
        version: ForeignVersion(address=address, labels=["good"])
        for version, address in addresses.items()
    }
    model = replace(MOOD, is_trained_here=False, foreign=foreign)
    write(checkout, render(checkout, [model]))
    (entry,) = documents(checkout, "istio/outside/models.example.com.yaml")
    assert entry["spec"]["hosts"] == ["models.example.com"]
    assert [one["number"] for one in entry["spec"]["ports"]] == [9000, 9001]
    assert entry["spec"]["exportTo"] == ["model-mood", "predict-mesh"]
    for server in ("istio-system/models.example.com", "kserve/oip.kserve.svc.cluster.local"):
        assert who_sees(checkout, "predict-mesh", server) == {"gateway", "rollout"}
        assert who_sees(checkout, "model-mood", server) == {"worker"}
    assert not (checkout / "istio/models/mood/routes.yaml").exists()
    (values,) = documents(checkout, "deploy/charts/model/models/mood.yaml")
    assert values["tritons"] == {"least": 0, "most": 0}
    assert values["networkPolicy"] == {"foreignPorts": [8081, 9000, 9001]}


def test_what_is_outside_in_name_only_is_seen_where_it_is(tmp_path: Path) -> None:
    """By a service of the cluster's, that is no part of this mesh."""
    database, issuer = "pg-rw.cnpg.svc.cluster.local", "keycloak.login.svc.cluster.local"
    changes = {"outside/database": f"{database}:5432", "tokens/jwks": f"https://{issuer}/keys"}
    checkout = mesh_list.checkout(tmp_path, changes)
    write(checkout, render(checkout, [MOOD]))
    assert not (checkout / "istio/outside/database.yaml").exists()
    assert not (checkout / "istio/outside/issuer.yaml").exists()
    assert who_sees(checkout, "model-mood", f"cnpg/{database}") == {"worker"}
    assert who_sees(checkout, "predict-mesh", f"login/{issuer}") == {"gateway"}


def test_postgresql_takes_as_many_connections_as_all_programs_may_open(checkout: Path) -> None:
    """By the limits of the job before a release, for each as many as there may be of it."""
    models = [replace(MOOD, id=f"mood{number}") for number in range(12)]
    write(checkout, render(checkout, models))
    (values,) = documents(checkout, "deploy/charts/postgres/rendered-values.yaml")
    (of_mesh,) = documents(ROOT, "deploy/charts/predict-mesh/values.yaml")
    bounded = 24 * of_mesh["gateway"]["most"] + 18 * of_mesh["relay"]["replicas"]
    bounded += 1 + 20 * of_mesh["rollout"]["replicas"] + 3 * 8 + 12 * 64
    assert bounded + 100 <= values["maxConnections"] < bounded + 100 + 250


def test_more_connections_than_postgresql_takes_are_refused(tmp_path: Path) -> None:
    checkout = mesh_list.checkout(tmp_path / "within", {})
    models = [
        replace(MOOD, id=name, serving=ClusterServing(workers=Bounds(0, most)))
        for name, most in (("mood", 300), ("spam", 1000))
    ]
    with pytest.raises(InvalidMesh, match=r"models/spam/values\.yaml: .*10821, 8000 of them"):
        render(checkout, models)
    checkout = mesh_list.checkout(tmp_path / "outside", {"outside/database": "db.example.com:5433"})
    assert Path("deploy/charts/postgres/rendered-values.yaml") not in render(checkout, models)


def test_a_database_elsewhere_is_let_out_to_and_is_no_service(tmp_path: Path) -> None:
    checkout = mesh_list.checkout(tmp_path, {"outside/database": "db.example.com:5433"})
    write(checkout, render(checkout, [MOOD]))
    (entry,) = documents(checkout, "istio/outside/database.yaml")
    assert entry["spec"]["hosts"] == ["db.example.com"]
    assert entry["spec"]["ports"] == [{"number": 5433, "name": "tcp-5433", "protocol": "TCP"}]
    for within, apps in {
        "predict-mesh": {"gateway", "relay", "rollout", "monitoring", "training", "provision"},
        "model-mood": {"worker"},
        "annotation": {"annotation", "label-studio"},
        "mlflow": {"mlflow"},
    }.items():
        assert who_sees(checkout, within, "istio-system/db.example.com") == apps
        assert within in entry["spec"]["exportTo"]
    (applied,) = documents(checkout, "istio/kustomization.yaml")
    assert [one for one in applied["resources"] if "postgres" in one or "infra" in one] == []
    (s3,) = documents(checkout, "istio/outside/s3.yaml")
    assert "infra" not in s3["spec"]["exportTo"]
    table = (checkout / "istio/README.md").read_text().partition("made by `pmesh render`")[2]
    assert "infra/postgres" not in table
    assert "| outside: database | | | `predict-mesh/gateway` as `gateway`, " in table
    told = {"host": "db.example.com", "port": 5433, "sslmode": "verify-full"}
    (values,) = documents(checkout, "deploy/charts/model/models/mood.yaml")
    assert values["database"] == told
    for chart in ("predict-mesh", "mlflow", "annotation"):
        (values,) = documents(checkout, f"deploy/charts/{chart}/rendered-values.yaml")
        assert values["database"] == told


@pytest.mark.parametrize("address", ["unix:/run/oip", "10.0.0.7:9000", "models:9000", "a.b:port"])
def test_an_address_that_a_cluster_cannot_reach_is_refused(checkout: Path, address: str) -> None:
    foreign = {"7": ForeignVersion(address=address, labels=["good"])}
    with pytest.raises(InvalidMesh, match=r"mood/values\.yaml: .* no address"):
        render(checkout, [replace(MOOD, foreign=foreign)])


def test_the_values_of_the_charts_are_those_of_the_bus_and_of_the_models(checkout: Path) -> None:
    model = replace(MOOD, serving=ClusterServing(device="gpu", tritons=Bounds(2, 6)))
    write(checkout, render(checkout, [MOOD, model]))
    (values,) = documents(checkout, "deploy/charts/model/models/mood.yaml")
    assert values["bus"] == {"prefix": MESH.outside.bus_prefix}
    assert values["tritons"] == {"least": 2, "most": 6}
    assert values["features"] == {"bucket": MESH.outside.buckets["features"]}
    (of_mesh,) = documents(checkout, "deploy/charts/predict-mesh/rendered-values.yaml")
    assert of_mesh["bus"] == values["bus"]
    assert [one["workers"] for one in of_mesh["models"]] == [8, 8]
    assert of_mesh["monitoring"]["alerts"]["hosts"] == MESH.outside.alerts
    assert of_mesh["access"] == MESH.access([MOOD]).as_json()


@pytest.mark.parametrize(
    ("own", "told"), [({}, "gpu"), ({"7": "gpu"}, "gpu"), ({"7": "gpu", "8": "cpu"}, "auto")]
)
def test_rollout_is_told_what_a_model_runs_on(
    checkout: Path, own: Mapping[str, Device], told: str
) -> None:
    serving = ClusterServing(device="gpu", versions=own)
    write(checkout, render(checkout, [replace(MOOD, serving=serving)]))
    (values,) = documents(checkout, "deploy/charts/predict-mesh/rendered-values.yaml")
    assert [model["device"] for model in values["models"]] == [told]


@pytest.mark.parametrize(
    "region", ["eu-central-1", "us-east-1", "us-gov-west-1", "cn-north-1", "cn-northwest-1"]
)
def test_aws_is_let_out_to_where_boto3_asks(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    mesh = replace(MESH, outside=replace(MESH.outside, region=region))
    for service in ("sns", "sqs", "sts"):
        endpoint = boto3.client(service).meta.endpoint_url
        assert list(outside.hosts(mesh)[service]) == [endpoint.removeprefix("https://")]
    s3 = boto3.client("s3")
    asked: list[str] = []

    def keep(request: Any, **_: Any) -> NoReturn:
        asked.append(request.url.split("/")[2])
        raise _NotSent

    s3.meta.events.register("before-send.s3", keep)
    for bucket in mesh.outside.buckets.values():
        with pytest.raises(_NotSent):
            s3.put_object(Bucket=bucket, Key="k")
    assert list(outside.hosts(mesh)["s3"]) == asked


class _NotSent(BaseException):
    """Ends a request before it leaves."""


def test_nothing_else_is_let_out() -> None:
    config = yaml.safe_load((ROOT / "istio/mesh-config.yaml").read_text())["meshConfig"]
    assert config["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
    (traces, _) = config["extensionProviders"]
    assert traces["opentelemetry"]["service"] == outside.TRACES.host
