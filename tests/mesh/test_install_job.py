"""deploy/jobs/install.sh on a real API server, with the values of this checkout."""

import json
import os
import shlex
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from modelkit.serving import ClusterServing
from modelkit.values import read_models
from pmesh.render.rendering import render, write
from tests.mesh.api_server import ApiServer
from tests.mesh.charts import ROOT
from tests.mesh.istiod import Istiod
from tests.mesh.needed import commands_in
from tests.mesh.objects import of_this_checkout, to_run_here
from tests.mesh.test_install import jobs_succeed
from tests.parts.polling import wait_until

ALL_BUT_POSTGRES = ["predict-mesh", "sentiment", "annotation", "mlflow"]
"""Which is waited for, and nothing makes pods here."""
VALUE = "0123456789"
ORDER = [
    *("mlflow into mlflow", "predict-mesh into predict-mesh"),
    *("model-sentiment into model-sentiment", "annotation into annotation"),
]


@dataclass(frozen=True)
class Job:
    """install.sh with values of one's own."""

    api: ApiServer
    tools: Path
    folder: Path
    """Where the values are, and what helm was told: helm-commands."""
    checkout: Path = ROOT

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.checkout / "deploy/jobs/install.sh", *arguments, "--tag", "abc123"]
        environment = {**self._environment, "PATH": f"{self.folder}:{self._environment['PATH']}"}
        return subprocess.run(
            [*command, "--values", self.folder / "values"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def have(self, asked_for: str) -> None:
        """Do what the job says is to be done first."""
        given = self.folder / "given"
        given.mkdir(exist_ok=True)
        for line in commands_in(asked_for):
            words = shlex.split(line)
            if "persistentvolumeclaim" in words:
                self.api.apply([_claim(namespace=words[2], name=words[-1])])
                continue
            for word in words:
                if word.startswith("--from-file="):
                    (given / word.removeprefix("--from-file=")).write_text(VALUE)
            if "tls" in words:
                self._make_certificate(given)
                words[-2:] = ["--cert=tls.crt", "--key=tls.key"]
            subprocess.run(words, env=self._environment, cwd=given, check=True, capture_output=True)

    def helm_was_told(self, release: str) -> Sequence[str]:
        """When that release was made or changed last."""
        told = (self.folder / "helm-commands").read_text().splitlines()
        start = f"upgrade --install {release} "
        changes = [one for one in told if one.startswith(start) and "--dry-run" not in one]
        return shlex.split(changes[-1])

    @property
    def _environment(self) -> dict[str, str]:
        path = f"{self.tools}:{os.environ['PATH']}"
        return {**os.environ, "KUBECONFIG": str(self.api.kubeconfig), "PATH": path}

    def _make_certificate(self, folder: Path) -> None:
        options = ["-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=predict.example.com"]
        command = ["openssl", "req", *options, "-keyout", "tls.key", "-out", "tls.crt"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def job(api: ApiServer, mesh: Istiod, tools: Path, tmp_path: Path) -> Iterator[Job]:
    """Where nothing is installed yet but the mesh, which is then as it was."""
    account = 'aws: {account: "123456789012"}\n'
    own = {
        "predict-mesh": account + "provision: {deadlineSeconds: 700}\n",
        "model": account + "tritons: {inFlight: 7}\n",
        "sentiment": "workers: {most: 3}\n",
        "mlflow": "aws: {region: eu-central-1}\nimages: {tag: an-older-one}\n",
        "postgres": "aws: {region: eu-central-1}\nstartSeconds: 100\n",
    }
    (tmp_path / "values").mkdir()
    for name, text in own.items():
        (tmp_path / "values" / f"{name}.yaml").write_text(text)
    log = tmp_path / "helm-commands"
    (tmp_path / "helm").write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {tools}/helm "$@"\n')
    (tmp_path / "helm").chmod(0o755)
    yield Job(api, tools, tmp_path)
    for line in [*ORDER, "postgres into infra"]:
        name, _, namespace = line.split()
        api.helm("uninstall", name, "--namespace", namespace, "--ignore-not-found")
    api.delete(of_this_checkout())  # as the job has applied them
    api.apply(to_run_here())


def test_a_first_installation_asks_for_what_it_needs_and_then_is_made(job: Job) -> None:
    lacks = job.run(*ALL_BUT_POSTGRES)
    assert (lacks.returncode, lacks.stdout) == (1, "")
    job.have(lacks.stderr)

    _change(job.api, "predict-mesh-logins", {"worker-genre": None, "gateway": "secret\n"})
    refused = job.run("predict-mesh")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "predict-mesh-logins is there without the key worker-genre" in refused.stderr
    assert "the key gateway of predict-mesh-logins ends with a new line" in refused.stderr
    assert VALUE not in refused.stderr
    _change(job.api, "predict-mesh-logins", {"worker-genre": VALUE, "gateway": VALUE})

    with jobs_succeed(job.api, "predict-mesh"):
        done = job.run(*ALL_BUT_POSTGRES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ORDER
    asked = job.run(*ALL_BUT_POSTGRES, "--dry-run")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines() == ORDER
    with (job.folder / "values/mlflow.yaml").open("a") as values:
        values.write("serviceAccountAnnotations: {no name: x}\n")
    refused = job.run("mlflow", "--dry-run")
    assert refused.returncode != 0
    assert "no name" in refused.stderr

    made = _get(job.api, "scaledobjects", "model-sentiment")
    by_name = {one["metadata"]["name"]: one["spec"] for one in made["items"]}
    assert by_name["worker"]["maxReplicaCount"] == 3
    assert by_name["triton-stable"]["triggers"][0]["metadata"]["threshold"] == "7"
    labels = _get(job.api, "namespace", "default", "model-sentiment")["metadata"]["labels"]
    assert labels["predict-mesh.io/model"] == "sentiment"
    assert labels["istio-injection"] == "enabled"
    assert _get(job.api, "authorizationpolicies", "model-sentiment")["items"]
    (pod,) = _get(job.api, "deployments", "mlflow")["items"]
    assert pod["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":an-older-one")
    told = job.helm_was_told("predict-mesh")
    assert told[told.index("--timeout") + 1] == "760s"


def test_routes_lead_to_no_triton_before_it_is_ready_and_after_it_is_to_go(
    job: Job, tmp_path: Path
) -> None:
    job = replace(job, checkout=_checkout(tmp_path / "checkout"))
    job.have(job.run("sentiment", "annotation", "--dry-run").stderr)
    assert job.run("sentiment").returncode == 0

    _serve(job.checkout, ClusterServing(canary=10))
    other = job.run("annotation")
    assert other.returncode == 0, other.stderr
    assert "the routes of sentiment stay as they are until it is installed" in other.stderr
    with ThreadPoolExecutor() as beside:
        running = beside.submit(job.run, "sentiment")
        wait_until(lambda: "triton-canary" in _deployments(job.api))
        led = _tracks(job.api)
        for name in ("triton-stable", "triton-canary"):
            _make_ready(job.api, name)
        done = running.result()
    assert done.returncode == 0, done.stderr
    assert (led, _tracks(job.api)) == ({"stable"}, {"stable", "canary"})

    _serve(job.checkout, ClusterServing(versions={"12": "cpu"}))
    refused = job.run("sentiment")
    assert refused.returncode != 0
    assert "sentiment would get Tritons (version-12) and lose others (canary)" in refused.stderr
    assert _tracks(job.api) == {"stable", "canary"}
    assert "triton-canary" in _deployments(job.api)

    _serve(job.checkout, ClusterServing())
    assert job.run("sentiment").returncode == 0
    assert _tracks(job.api) == {"stable"}
    assert "triton-canary" not in _deployments(job.api)


def test_what_has_data_is_not_touched_unless_it_is_named(job: Job) -> None:
    for name, namespace in {"postgres": "infra", "mlflow": "mlflow"}.items():
        chart = ROOT / "deploy/charts" / name
        options = ("--namespace", namespace, "--create-namespace")
        job.api.helm("install", name, chart, *options, "--values", chart / "ci/least-values.yaml")
    job.have(job.run().stderr)
    with jobs_succeed(job.api, "predict-mesh"):
        done = job.run()
    assert done.returncode == 0, done.stderr
    genre = "model-genre into model-genre"
    assert done.stdout.splitlines() == [ORDER[1], genre, *ORDER[2:]]
    job.api.helm("uninstall", "model-genre", "--namespace", "model-genre")
    job.have(job.run("postgres").stderr)
    assert "postgres into infra" in job.run("postgres", "--dry-run").stdout


def _checkout(folder: Path) -> Path:
    """What the job reads of this one."""
    for name in ("deploy", "istio"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True)
    for file in ("mesh.yaml", *(f"models/{model.id}/values.yaml" for model in read_models())):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    return folder


def _serve(checkout: Path, serving: ClusterServing) -> None:
    """Render it so for sentiment."""
    models = [
        replace(model, serving=serving) if model.id == "sentiment" else model
        for model in read_models()
    ]
    write(checkout, render(checkout, models))


def _tracks(api: ApiServer) -> set[str]:
    """Where calls of sentiment are led to."""
    routes = _get(api, "virtualservice", "model-sentiment", "triton")["spec"]["http"]
    destinations = [to["destination"] for route in routes for to in route["route"]]
    return {one["subset"] for one in destinations if "subset" in one}


def _deployments(api: ApiServer) -> set[str]:
    found = _get(api, "deployments", "model-sentiment")["items"]
    return {one["metadata"]["name"] for one in found}


def _make_ready(api: ApiServer, deployment: str) -> None:
    """Play the controllers of it."""
    about = _get(api, "deployment", "model-sentiment", deployment)["metadata"]
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    status = {"observedGeneration": about["generation"], **dict.fromkeys(names, 1)}
    api.patch_status("deployment", "model-sentiment", deployment, status)


def _claim(*, namespace: str, name: str) -> dict[str, object]:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
    }
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _change(api: ApiServer, secret: str, values: Mapping[str, str | None]) -> None:
    data = {name: value and b64encode(value.encode()).decode() for name, value in values.items()}
    patch = json.dumps({"data": data})
    api.kubectl("-n", "predict-mesh", "patch", "secret", secret, "-p", patch)


def _get(api: ApiServer, kind: str, namespace: str, *name: str) -> Any:
    return json.loads(api.kubectl("-n", namespace, "get", kind, *name, "--output", "json"))
