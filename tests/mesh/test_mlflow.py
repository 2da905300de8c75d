"""MLflow with the arguments and the environment that its chart gives it, on a real PostgreSQL."""

import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.mesh.charts import ROOT, Object, rendered
from tests.mesh.processes import Process
from tests.parts.named_postgres import named_postgres, variables
from tests.parts.ports import free_port, listens

POD_IP = "10.1.2.3"
PYTHON = [sys.executable, "-P", "-m"]  # as images start what they are told


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where the server listens, once it has its tables."""
    values = ROOT / "deploy/charts/mlflow/ci/least-values.yaml"
    pod = dict(rendered("mlflow", values).pods())["Deployment/mlflow"]["spec"]
    (tables,), (server,) = pod["initContainers"], pod["containers"]
    directory = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    with named_postgres() as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("CREATE ROLE mlflow LOGIN PASSWORD 'of-mlflow'")
            connection.execute("CREATE DATABASE mlflow OWNER mlflow")
        own = {"dbname": "mlflow", "user": "mlflow", "password": "of-mlflow"}
        reached = make_conninfo("", **(conninfo_to_dict(conninfo) | own))
        environment = environment_of(server) | variables(reached)
        arguments = [word.replace("port=5000", f"port={port}") for word in server["args"]]
        subprocess.run(
            [*PYTHON, *expanded(tables["args"], environment)],
            env={**environment, "PATH": "/usr/bin:/bin", "HOME": str(directory)},
            cwd=directory,
            check=True,
            capture_output=True,
        )
        command = [*PYTHON, *expanded(arguments, environment)]
        with Process(command, directory=directory, environment=environment) as process:
            process.wait_until(lambda: listens(port))
            yield port


def test_the_kubelet_is_answered(port: int) -> None:
    assert status(port, "/health", f"{POD_IP}:5000") == 200


def test_programs_are_answered_by_its_name_and_by_no_other(port: int) -> None:
    models = "/api/2.0/mlflow/registered-models/search"
    assert status(port, models, "mlflow.mlflow.svc.cluster.local:5000") == 200
    assert status(port, models, "rebound.example.com:5000") == 403


def status(port: int, path: str, host: str) -> int:
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


def environment_of(container: Object) -> dict[str, str]:
    """As the kubelet makes it, with a key for webhooks."""
    found = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    key = b64encode(bytes(32)).decode()
    return found | {"POD_IP": POD_IP, "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": key}


def expanded(arguments: list[str], environment: Mapping[str, str]) -> list[str]:
    """$(NAME) is the variable's value."""
    for name, value in environment.items():
        arguments = [word.replace(f"$({name})", value) for word in arguments]
    return arguments
