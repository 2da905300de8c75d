"""The last line of each program, as a real process of it writes it: JSON, or text on request."""

import json
import os
import subprocess
import sys

import pytest

from tests.parts.ports import free_port

PASSWORD = "of-a-login"  # noqa: S105
AWAY = {"PGHOST": "127.0.0.1", "PGUSER": "pmesh", "PGPASSWORD": PASSWORD, "PGDATABASE": "pmesh"}
PROGRAMS = {
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


@pytest.mark.parametrize("format", ["", "text"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_cannot_run_says_why_in_one_line(program: str, format: str) -> None:
    arguments, variables, why = PROGRAMS[program]
    port = str(free_port())
    metrics = {f"PMESH_{program.upper()}_METRICS_PORT": "0"} if program != "gateway" else {}
    done = subprocess.run(
        (sys.executable, "-P", "-m", *arguments),
        env=os.environ | AWAY | {"PGPORT": port, "PMESH_LOG_FORMAT": format} | metrics | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert PASSWORD not in line
    if format == "text":
        assert why in line
        assert not line.startswith("{")
    else:
        said = json.loads(line)
        assert why in said.pop("message")
        assert said.pop("time")
        assert said == {"level": "CRITICAL", "program": program, "logger": "contract.logs"}
