"""deploy/jobs/install.sh on a real API server, with the values of this checkout."""

import json
import os
import subprocess
from pathlib import Path

from tests.mesh.api_server import ApiServer
from tests.mesh.charts import ROOT
from tests.mesh.istiod import Istiod
from tests.mesh.test_install import jobs_succeed

INSTALLED = ["predict-mesh", "sentiment", "annotation", "mlflow"]
"""All but postgres, which is waited for: nothing makes pods here."""


def test_charts_are_installed_in_their_order_with_ones_own_values(
    api: ApiServer, istiod: Istiod, tools: Path, tmp_path: Path
) -> None:
    account = 'aws: {account: "123456789012"}\n'
    (tmp_path / "predict-mesh.yaml").write_text(account)
    (tmp_path / "model.yaml").write_text(account + "tritons: {inFlight: 7}\n")
    (tmp_path / "sentiment.yaml").write_text("workers: {most: 3}\n")
    (tmp_path / "mlflow.yaml").write_text("aws: {region: eu-central-1}\n")
    command = [ROOT / "deploy/jobs/install.sh", *INSTALLED, "--tag", "abc123", "--values", tmp_path]
    environment = {
        **os.environ,
        "KUBECONFIG": str(api.kubeconfig),
        "PATH": f"{tools}:{os.environ['PATH']}",
    }

    def run(*options: str) -> str:
        return subprocess.run(
            [*command, *options], env=environment, check=True, capture_output=True, text=True
        ).stdout

    order = [
        *("mlflow into mlflow", "predict-mesh into predict-mesh"),
        *("model-sentiment into model-sentiment", "annotation into annotation"),
    ]
    if "predict-mesh" not in api.kubectl("get", "namespaces", "--output", "name"):
        api.kubectl("create", "namespace", "predict-mesh")
    try:
        with jobs_succeed(api, "predict-mesh"):
            assert run().splitlines() == order
            assert run("--dry-run").splitlines() == order
        made = json.loads(
            api.kubectl("get", "scaledobjects", "-n", "model-sentiment", "--output", "json")
        )
        by_name = {one["metadata"]["name"]: one["spec"] for one in made["items"]}
        assert by_name["worker"]["maxReplicaCount"] == 3
        assert by_name["triton-stable"]["triggers"][0]["metadata"]["threshold"] == "7"
        labels = json.loads(api.kubectl("get", "namespace", "model-sentiment", "--output", "json"))
        assert labels["metadata"]["labels"]["predict-mesh.io/model"] == "sentiment"
    finally:
        for line in order:
            name, _, namespace = line.split()
            api.helm("uninstall", name, "--namespace", namespace, "--ignore-not-found")
