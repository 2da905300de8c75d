"""How the image starts Triton: with a stand-in for the server, which notes what it is given."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pmesh.stack import tritonserver
from telemetry.settings import read_traces
from tests.integration.deploy.jobs import ROOT

SCRIPT = ROOT / "deploy" / "docker" / "triton.sh"
KEY = "a-key-for-tests"
BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
STAND_IN = """\
#!/bin/sh
printf '%s\\n' "$@"
env >&2
"""

Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Runs the script; keyword arguments are environment variables."""
    stand_in = tmp_path / "tritonserver"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)

    def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *options],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def flags(arguments: list[str]) -> dict[str, str]:
    """The values by the names of the flags."""
    return dict(argument.split("=", 1) for argument in arguments)


@pytest.mark.parametrize("environment", [{}, {"PMESH_TRITON_KEY": ""}])
def test_without_a_key_it_refuses_to_start(start: Start, environment: dict[str, str]) -> None:
    done = start(**environment)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("triton.sh: PMESH_TRITON_KEY is not set")


def test_it_answers_this_machine_only_and_by_grpc_only(start: Start) -> None:
    given = flags(start(PMESH_TRITON_KEY=KEY).stdout.splitlines())
    assert given["--grpc-address"] == given["--metrics-address"] == "127.0.0.1"
    doors = ("--allow-http", "--allow-vertex-ai", "--allow-sagemaker")
    assert {given[door] for door in doors} == {"false"}


def test_other_addresses_are_named_on_purpose(start: Start) -> None:
    done = start(
        "--grpc-port=9000",
        PMESH_TRITON_KEY=KEY,
        PMESH_TRITON_LISTEN="0.0.0.0",  # noqa: S104
        PMESH_TRITON_METRICS_LISTEN="10.0.0.1",
    )
    given = flags(done.stdout.splitlines())
    assert given["--grpc-address"] == "0.0.0.0"  # noqa: S104
    assert given["--metrics-address"] == "10.0.0.1"
    assert given["--grpc-port"] == "9000"


def test_the_processes_of_models_do_not_inherit_the_key(start: Start) -> None:
    assert KEY not in start(PMESH_TRITON_KEY=KEY).stderr


@pytest.mark.parametrize("variable", [BASE, TRACES])
def test_a_password_is_in_no_command_line(start: Start, variable: str) -> None:
    done = start(PMESH_TRITON_KEY=KEY, **{variable: "https://name:geheim@collector:4318"})
    assert done.returncode == 2
    assert done.stdout == ""
    assert variable in done.stderr
    assert "OTEL_EXPORTER_OTLP_HEADERS" in done.stderr
    assert "geheim" not in done.stderr


@pytest.mark.parametrize(
    "otlp",
    [
        {},
        {BASE: ""},
        {BASE: "http://collector:4318"},
        {BASE: "http://collector:4318//"},
        {TRACES: "http://collector:4318/v1/traces?of=a@b"},
        {BASE: "http://collector:4318", TRACES: "http://other:4318/"},
        {BASE: "http://collector:4318", "OTEL_SDK_DISABLED": "true"},
        {BASE: "http://collector:4318", "OTEL_SDK_DISABLED": "false"},
    ],
)
def test_it_is_started_as_on_one_machine(
    start: Start, tmp_path: Path, otlp: dict[str, str]
) -> None:
    given = start(PMESH_TRITON_KEY=KEY, **otlp).stdout.splitlines()
    in_image = flags(given)
    _, *arguments = tritonserver.command(
        repository=tmp_path,
        backends=tmp_path,
        sockets=tmp_path,
        metrics_port=1,
        memory_prefix="",
        key=KEY,
        traces=read_traces(otlp).endpoint,
    )
    of_traces = [[one for one in both if "trace-config" in one] for both in (given, arguments)]
    assert of_traces[0] == of_traces[1]
    assert bool(of_traces[0]) is bool(read_traces(otlp).endpoint)
    here = flags(arguments)
    assert in_image.keys() <= here.keys()
    differ = {flag for flag in in_image if in_image[flag] != here[flag]}
    assert differ == {"--model-repository", "--grpc-address"}
