"""What Helm makes of the charts: what is named, what is scaled, what values are refused."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml

from bus.topology import Names
from contract.settings import read
from pmesh.render.programs import PROGRAMS
from rollout.settings import Settings
from telemetry.settings import read_traces
from tests.mesh.charts import (
    CASES,
    CHARTS,
    ROOT,
    Object,
    Rendered,
    containers,
    rendered,
    template,
    variables,
)

ACCOUNT = "123456789012"
OUTSIDE_THE_CHARTS = {"istio-ingress", "observability"}


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_no_password_and_no_key_is_in_an_object(chart: str, values: Path) -> None:
    found = rendered(chart, values)
    assert found.of("Secret") == []
    for name, pod in found.pods():
        for container in containers(pod):
            for variable in container.get("env", []):
                parts = set(variable["name"].split("_"))
                if parts & {"PGPASSWORD", "PASSWORD", "SECRET", "KEY", "TOKEN", "SECRETS"}:
                    is_named = "secretKeyRef" in variable.get("valueFrom", {})
                    is_none = variable.get("value", "").startswith(("true", "false", "/etc/"))
                    assert is_named or is_none, (name, variable)


@pytest.mark.parametrize("chart", sorted(CHARTS.keys() - {"postgres"}))
@pytest.mark.parametrize(
    ("said", "mode", "authorities"),
    [
        ("host=x.example.com", "prefer", None),
        ("sslmode=verify-full", "verify-full", "/etc/ssl/certs/ca-certificates.crt"),
        ("sslmode=verify-full,caConfigMap=ca", "verify-full", "/etc/database/ca.crt"),
    ],
)
def test_who_connects_to_the_database_knows_it_by_its_certificate(
    chart: str, said: str, mode: str, authorities: str | None
) -> None:
    values = ROOT / "deploy/charts" / chart / "ci/least-values.yaml"
    said = ",".join(f"database.{one}" for one in said.split(","))
    told = [
        variables(container)
        for _, pod in rendered(chart, values, "--set", said).pods()
        for container in containers(pod)
    ]
    told = [one for one in told if {"PGHOST", "POSTGRE_HOST"} & one.keys()]
    assert told
    known = {(one.get("PGSSLMODE"), one.get("PGSSLROOTCERT")) for one in told}
    assert known == {(mode, authorities)}


@pytest.mark.parametrize(
    "url", ["https://other.example.com/hook", "https://alerts.example.com.evil.example?x"]
)
def test_alerts_go_only_where_the_mesh_lets_them_out_to(url: str) -> None:
    values = str(ROOT / "deploy/charts/predict-mesh/ci/all-values.yaml")
    refused = template("predict-mesh", "--values", values, "--set", f"monitoring.alerts.url={url}")
    assert refused.returncode != 0
    assert "write that host to outside.alerts of mesh.yaml" in refused.stderr
    assert "/hook" not in refused.stderr.partition("Error")[2]  # it may hold a secret


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_all_images_that_pods_are_made_of_are_built(device: str) -> None:
    job = [ROOT / "deploy/jobs/build-image.sh", "--all", "--device", device]
    nothing = {**os.environ, "IMAGE_BUILDER": "true", "IMAGE_REGISTRY": "registry.example.com"}
    built = subprocess.check_output(job, env=nothing, text=True).splitlines()
    tag = built[0].rpartition(":")[2]
    named = set()
    for chart in CHARTS:
        values = ROOT / "deploy/charts" / chart / "ci/all-values.yaml"
        values = values if values.exists() else values.with_name("least-values.yaml")
        images = f"images.registry=registry.example.com,images.tag={tag}"
        said = ["--set", f"training.device={device}"] if chart == "predict-mesh" else []
        for _, pod in rendered(chart, values, "--set-string", images, *said).pods():
            named |= {container["image"] for container in containers(pod)}
    assert f"registry.example.com/predict-mesh/genre:{tag}-train-{device}" in named
    assert {image for image in named if f":{tag}" in image} <= set(built)  # others are a canary's


def test_rollout_is_told_what_each_model_runs_on() -> None:
    values = ROOT / "deploy/charts/predict-mesh/ci/all-values.yaml"
    pod = rendered("predict-mesh", values).named("Deployment", "rollout")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    settings = read(Settings, {**variables(container), "PMESH_TRITON_KEY": "a-key"})
    models = yaml.safe_load(values.read_text())["models"]
    assert {one["id"]: settings.device_of(one["id"]) for one in models} == {
        "genre": "cpu",
        "sentiment": "auto",
    }


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1"])
def test_the_bus_is_where_programs_look_for_it(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    names, session = Names("team"), boto3.Session("a", "b", region_name=region)
    sqs = session.client("sqs").meta.endpoint_url
    partition = session.get_partition_for_region(region)
    values = ROOT / "deploy/charts/model/ci/all-values.yaml"
    said = ("--set", f"aws.region={region},bus.prefix=team")
    run = template("model", "--values", str(values), *said)
    assert run.returncode == 0, run.stderr
    found = Rendered([one for one in yaml.safe_load_all(run.stdout) if one])
    queue, age = found.named("ScaledObject", "worker")["spec"]["triggers"]
    assert queue["metadata"]["queueURL"] == f"{sqs}/{ACCOUNT}/{names.model_queue('sentiment')}"
    assert age["metadata"]["dimensionValue"] == names.model_queue("sentiment")
    pod = found.named("Deployment", "worker")["spec"]["template"]["spec"]
    env = variables(pod["containers"][0])
    assert env["PMESH_TOPIC_ARN"] == f"arn:{partition}:sns:{region}:{ACCOUNT}:{names.topic}"
    assert env["PMESH_BUS_PREFIX"] == names.prefix


def test_what_a_model_has_outside_its_namespace_goes_with_its_release() -> None:
    """And that is taken away first, as istio/README.md says."""
    found = rendered("model", ROOT / "deploy/charts/model/ci/all-values.yaml")
    (volume,) = [one for one in found.objects if "namespace" not in one["metadata"]]
    assert volume["kind"] == "PersistentVolume"
    assert "annotations" not in volume["metadata"]  # nothing that keeps it
    page = (ROOT / "istio/README.md").read_text()
    release, namespace = (
        page.index(command)
        for command in ("helm uninstall model-ID", "kubectl delete namespace model-ID")
    )
    assert release < namespace


def test_services_and_accounts_are_those_of_the_table() -> None:
    table = yaml.safe_load((ROOT / "istio/services.yaml").read_text())
    outside = table.pop("outside")
    ports: dict[str, set[int]] = {}
    accounts: set[str] = set()
    for found, namespace in everything():
        for account in found.of("ServiceAccount"):
            accounts.add(f"{namespace}/{account['metadata']['name']}")
        for service in found.of("Service"):
            if service["metadata"]["name"] != "gateway-releases":  # the gateway's, once more
                name = f"{namespace}/{service['metadata']['name']}"
                ports[name] = {port["port"] for port in service["spec"]["ports"]}
    assert ports == {name: set(by_port) for name, by_port in table.items()}
    callers = {
        caller for by_port in table.values() for of in by_port.values() for caller in of["callers"]
    }
    callers |= {caller for who in outside.values() for caller in who}
    ours = {caller for caller in callers if caller.split("/")[0] not in OUTSIDE_THE_CHARTS}
    assert ours <= accounts
    known = {
        f"{within}/{name}": set(its)
        for within, programs in PROGRAMS.items()
        for name, its in programs.items()
    }
    assert known.keys() == accounts
    assert {name: its for name, its in known.items() if its} == ports


def test_a_program_connects_to_postgresql_as_the_table_says() -> None:
    table = yaml.safe_load((ROOT / "istio/services.yaml").read_text())
    found: dict[str, set[str]] = {}
    for chart, namespace in everything():
        if namespace == "infra":
            continue  # PostgreSQL itself, which needs no way in
        for _, pod in chart.pods():
            caller = f"{namespace}/{pod['spec']['serviceAccountName']}"
            for container in containers(pod):
                for variable in container.get("env", []):
                    if variable["name"] in {"PGUSER", "POSTGRE_USER"}:
                        found.setdefault(caller, set()).add(_login(variable))
    (postgres,) = table["infra/postgres"].values()
    expected = {
        caller: {login.replace("*", "sentiment")} for caller, login in postgres["callers"].items()
    }
    assert expected.pop("predict-mesh/provision") == {"owner"}
    # It makes groups first, as a superuser where there is one.
    secrets = {"of predict-mesh-database-owner", "of predict-mesh-database-superuser"}
    assert found.pop("predict-mesh/provision") == secrets
    assert found == expected


TELLS_SPANS = {"gateway", "features", "relay", "rollout", "monitoring", "training", "worker"} | {
    "triton",
    "annotation",
}


@pytest.mark.parametrize("chart", ["predict-mesh", "model", "annotation"])
def test_each_program_of_ours_is_told_where_its_spans_go_or_none_is(chart: str) -> None:
    folder = ROOT / "deploy/charts" / chart / "ci"
    told = {
        container["name"]: read_traces(variables(container))
        for _, pod in rendered(chart, folder / "all-values.yaml").pods()
        for container in containers(pod)
    }
    assert told.keys() & TELLS_SPANS == {
        name
        for name, said in told.items()
        if said.endpoint == "https://traces.example.com/v1/traces"
    }
    assert {told[name].ratio for name in told.keys() & TELLS_SPANS} == {0.1}
    for _, pod in rendered(chart, folder / "least-values.yaml").pods():
        for container in containers(pod):
            assert not [name for name in variables(container) if name.startswith("OTEL_")]


def test_what_an_image_listens_on_for_prometheus_is_the_port_of_its_chart() -> None:
    """In an image a program tells its metrics to all who reach it: the mesh says who does."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile.programs").read_text()
    opened = set(re.findall(r"PMESH_(\w+)_METRICS_ADDRESS=0\.0\.0\.0", dockerfile))
    programs = {"gateway", "features", "relay", "worker", "rollout", "monitoring", "annotation"}
    assert {name.lower() for name in opened} == programs
    found = {
        (container["name"], str(port["containerPort"]))
        for chart, _ in everything()
        for _, pod in chart.pods()
        for container in containers(pod)
        for port in container.get("ports", [])
        if port["name"] == "http-metrics"
    }
    assert {name for name, _ in found} == programs | {"triton"}
    assert all(re.search(rf"EXPOSE .*{port}\b", dockerfile) or port == "8002" for _, port in found)


def test_prometheus_finds_the_ports_that_the_table_opens_to_it() -> None:
    values = yaml.safe_load((ROOT / "deploy/prometheus/values.yaml").read_text())
    account = values["serviceAccounts"]["server"]["name"]
    (job,) = yaml.safe_load(values["extraScrapeConfigs"])
    kept = {rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"}
    table = yaml.safe_load((ROOT / "istio/services.yaml").read_text())
    del table["outside"]
    opened = {
        (name, port)
        for name, by_port in table.items()
        for port, of in by_port.items()
        if f"observability/{account}" in of["callers"]
    }
    found = {
        (f"{namespace}/{pod['metadata']['labels']['app']}", port["containerPort"])
        for chart, namespace in everything()
        for _, pod in chart.pods()
        for container in containers(pod)
        for port in container.get("ports", [])
        if {pod["metadata"]["labels"]["app.kubernetes.io/part-of"], port.get("name")} == kept
    }
    assert found == opened


def test_tritons_are_scaled_by_what_prometheus_calls_them() -> None:
    values = yaml.safe_load((ROOT / "deploy/prometheus/values.yaml").read_text())
    server = values["server"]
    (job,) = yaml.safe_load(values["extraScrapeConfigs"])
    labels = {rule["target_label"] for rule in job["relabel_configs"] if "target_label" in rule}
    found = rendered("model", ROOT / "deploy/charts/model/ci/all-values.yaml")
    triggers = [
        trigger["metadata"]
        for one in found.of("ScaledObject")
        for trigger in one["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    assert triggers
    for trigger in triggers:
        host = f"{server['fullnameOverride']}.observability.svc.cluster.local"
        assert trigger["serverAddress"] == f"http://{host}:{server['service']['servicePort']}"
        assert set(re.findall(r"(\w+)=", trigger["query"])) - {"model"} <= labels


@pytest.mark.parametrize(
    ("chart", "mistake", "said"),
    [
        ("predict-mesh", "gateway.lest=3", "lest"),
        ("predict-mesh", "gateway.least=many", "least"),
        ("predict-mesh", "database.sslmode=off", "sslmode"),
        ("predict-mesh", "allowAnonymous=false", "access"),  # who may call must be said
        ("predict-mesh", "bus.prefix=a.b", "prefix"),
        ("predict-mesh", "repository.csi.volumeHandle=fs-01", "volumeHandle"),  # its root is root's
        ("model", "repository.csi.volumeHandle=fs-01", "volumeHandle"),
        ("model", f"model={'a' * 44}", "model"),  # a name of Kubernetes would be too long
        ("model", "model=mood-", "model"),
        ("model", "device=tpu", "device"),
        ("model", "workers.waiting=1000000", "waiting"),  # Helm would write 1e+06
        ("predict-mesh", "monitoring.alerts.url=http://alerts.example.com/", "url"),
        ("predict-mesh", "monitoring.alerts.url=https://alerts.example.com:8443/", "url"),
        ("model", "tritons.cpu.limit.memory=1Gi", "limit"),
        ("model", "versions.twelve.device=gpu", "twelve"),
        ("postgres", "backups.url=https://bucket", "url"),
        ("mlflow", "aws.regoin=eu-central-1", "regoin"),
        ("predict-mesh", "access=null", "access"),  # to Helm, one without its default
        ("postgres", "backups.enabled=null", "enabled"),
        ("annotation", "labelStudio=null", "labelStudio"),
        ("annotation", "labelstudio.host=a.example.com", "labelstudio"),
    ],
)
def test_a_mistaken_value_is_refused(chart: str, mistake: str, said: str) -> None:
    values = str(ROOT / "deploy/charts" / chart / "ci/least-values.yaml")
    run = template(chart, "--values", values, "--set", mistake)
    assert run.returncode != 0
    assert said in run.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_what_must_be_given_is_asked_for(chart: str) -> None:
    run = template(chart)
    assert run.returncode != 0
    assert "tag" in run.stderr


def test_what_is_rendered_of_the_list_fits_the_charts() -> None:
    charts = ROOT / "deploy/charts"
    own = ["--set", "images.tag=abc123"]
    account = ["--set-string", "aws.account=123456789012"]
    for file in sorted([*charts.glob("*/rendered-values.yaml"), *charts.glob("model/models/*")]):
        chart = file.relative_to(charts).parts[0]
        more = account if chart in {"predict-mesh", "model"} else []
        run = template(chart, "--values", str(file), *own, *more)
        assert run.returncode == 0, run.stderr
    assert {file.parent.name for file in charts.glob("*/rendered-values.yaml")} == {
        *CHARTS.keys() - {"model"}
    }


def _login(variable: Object) -> str:
    """Its name, or the secret that has it."""
    if "value" in variable:
        return str(variable["value"])
    return f"of {variable['valueFrom']['secretKeyRef']['name']}"


def everything() -> Iterator[tuple[Rendered, str]]:
    """All charts with all that they have, each with its namespace as the table calls it."""
    for chart, namespace in CHARTS.items():
        folder = ROOT / "deploy/charts" / chart / "ci"
        values = folder / "all-values.yaml"
        found = rendered(chart, values if values.exists() else folder / "least-values.yaml")
        yield found, "model-*" if chart == "model" else namespace
