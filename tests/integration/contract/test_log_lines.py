"""The last line of each program, as a real process of it writes it: JSON, or text on request."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.parts.ports import free_port

PASSWORD = "of-a-login"  # noqa: S105
AWAY = {
    "PGHOST": "127.0.0.1",
    "PGUSER": "pmesh",
    "PGPASSWORD": PASSWORD,
    "PGDATABASE": "pmesh",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
PROGRAMS: Mapping[str, tuple[list[str], dict[str, str], str]] = {
    "relay": (["relay"], {"PMESH_TOPIC_ARN": "no-arn"}, "PMESH_TOPIC_ARN"),
    "worker": (["model_runtime"], {"PMESH_TOPIC_ARN": "no-arn"}, "PMESH_"),
    "features": (["features"], {"PMESH_FEATURES_SPOOL": ""}, "PMESH_FEATURES"),
    "gateway": (["gateway.main"], {"PMESH_GATEWAY_PORT": "no-port"}, "PMESH_GATEWAY_PORT"),
    "rollout": (["rollout", "watch"], {}, "PostgreSQL does not answer"),
    "training": (["training", "run"], {"MLFLOW_TRACKING_URI": "http://none"}, "does not answer"),
    "annotation": (
        ["annotation", "pull"],
        {"PMESH_LABEL_STUDIO_URL": "http://127.0.0.1:1", "PMESH_LABEL_STUDIO_TOKEN": "a-token"},
        "PostgreSQL does not answer",
    ),
    "monitoring": (["monitoring", "run"], {}, "PostgreSQL does not answer"),
}
"""By name: how each is started, what keeps it from running, and what it says of that."""


TOPIC = "arn:aws:sns:us-east-1:000000000000:predict"
TELLING: Mapping[str, tuple[list[str], dict[str, str]]] = {
    "relay": (["relay"], {"PMESH_TOPIC_ARN": TOPIC}),
    "worker": (["model_runtime"], {"PMESH_TOPIC_ARN": TOPIC, "PMESH_MODEL": "sentiment"}),
    "features": (["features"], {"PMESH_FEATURES_SPOOL": "."}),
    "rollout": (["rollout", "watch"], {}),
    "training": (["training", "watch"], {"MLFLOW_TRACKING_URI": "http://none"}),
    "annotation": (["annotation", "watch"], PROGRAMS["annotation"][1]),
    "monitoring": (["monitoring", "watch"], {}),
}
"""By name: how those are started that nobody calls, with nothing wrong yet."""


def last_lines(arguments: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Of a python that ends by itself."""
    done = subprocess.run(
        (sys.executable, "-P", *arguments),
        env={**os.environ, **AWAY, "PGPORT": str(free_port()), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize("program", TELLING)
def test_a_wrong_variable_of_opentelemetry_ends_a_program_in_one_line(program: str) -> None:
    arguments, variables = TELLING[program]
    wrong = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    (line,) = last_lines(["-m", *arguments], {**variables, **wrong})
    said = json.loads(line)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT must be" in said["message"]
    assert (said["level"], said["program"]) == ("CRITICAL", program)


@pytest.mark.parametrize("program", TELLING)
def test_a_port_of_metrics_that_is_taken_ends_a_program_in_one_line(program: str) -> None:
    arguments, variables = TELLING[program]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        own = {f"PMESH_{program.upper()}_METRICS_PORT": str(port)}
        (line,) = last_lines(["-m", *arguments], {**variables, **own})
    assert f"metrics at 127.0.0.1:{port}: Address already in use" in json.loads(line)["message"]


@pytest.mark.parametrize("format", ["", "text"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_cannot_run_says_why_in_one_line(program: str, format: str) -> None:
    arguments, variables, why = PROGRAMS[program]
    metrics = {f"PMESH_{program.upper()}_METRICS_PORT": "0"} if program != "gateway" else {}
    (line,) = last_lines(["-m", *arguments], {"PMESH_LOG_FORMAT": format, **metrics, **variables})
    assert PASSWORD not in line
    if format == "text":
        assert why in line
        assert not line.startswith("{")
    else:
        said = json.loads(line)
        assert why in said.pop("message")
        assert said.pop("time")
        assert said == {"level": "CRITICAL", "program": program, "logger": "contract.logs"}


@pytest.mark.parametrize("program", ["rollout", "training", "annotation", "monitoring"])
def test_what_an_error_says_that_nobody_foresaw_is_not_written(program: str) -> None:
    """It may quote what a client wrote."""
    (_, *command), variables, _ = PROGRAMS[program]
    code = f"""
import runpy, sys, psycopg
def connect(*_, **__): raise ValueError("xylophonquartett")
psycopg.connect = connect
sys.argv = ["it", *{command}]
runpy.run_module("{program}", run_name="__main__")
"""
    own = {f"PMESH_{program.upper()}_METRICS_PORT": "0"}
    (line,) = last_lines(["-c", code], {**own, **variables})
    said = json.loads(line)
    assert said["message"] == "the program ends: unexpected ValueError"
    assert "xylophonquartett" not in line
