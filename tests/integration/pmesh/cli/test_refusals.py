"""What `pmesh` says when it cannot do what it was asked: the problem, and what to do."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pmesh.stack.home import Home
from pmesh.stack.ports import assign_ports
from tests.parts.mesh_list import MESH_FILE

ROOT = Path(__file__).parents[4]
PMESH = (sys.executable, "-m", "pmesh.cli")


def pmesh(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*PMESH, *arguments),
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def port(tmp_path: Path) -> int:
    return assign_ports(tmp_path / "ports.json", ["gateway"])["gateway"]


@pytest.fixture
def taken_port(port: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_a_port_that_is_taken(home: Home, taken_port: int) -> None:
    done = pmesh("up", "--home", str(home.path), "--port", str(taken_port))
    assert done.returncode == 1
    assert f"port {taken_port}: taken by another program" in done.stderr
    assert f"pmesh up --home {home.path} --port {taken_port + 10}" in done.stderr
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("PMESH_TRACES_SLOW_S", "soon"),
    ],
)
def test_a_receiver_of_spans_that_cannot_be(
    home: Home, port: int, variable: str, value: str
) -> None:
    environment = {variable: value}
    done = pmesh("up", "--home", str(home.path), "--port", str(port), environment=environment)
    assert done.returncode == 1
    assert variable in done.stderr
    assert "mend that, then start it again" in done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One whose mesh.yaml and models may be spoilt; the supervisor takes them from there."""
    checkout = tmp_path / "checkout"
    (checkout / "models" / "mood").mkdir(parents=True)
    (checkout / "models" / "__init__.py").touch()
    values = (ROOT / "models" / "sentiment" / "values.yaml").read_text()
    spoilt = values.replace("id: sentiment", "id: mood")
    (checkout / "models" / "mood" / "values.yaml").write_text(spoilt)
    shutil.copy(MESH_FILE, checkout)
    return checkout


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        (
            "mesh.yaml",
            'predict: ["*"]',
            'predict: ["nope"]',
            "mesh.yaml: roles.app.predict has no model nope; it may have *, mood\n",
        ),
        ("mesh.yaml", "caller: 2000", "caller: many", "mesh.yaml: limits.caller is a whole number"),
        ("models/mood/values.yaml", "id: mood", "id: moods", "values.yaml is of 'moods'\n"),
    ],
)
def test_a_start_with_a_file_that_is_to_be_mended(
    home: Home, port: int, checkout: Path, file: str, old: str, new: str, why: str
) -> None:
    text = (checkout / file).read_text()
    assert old in text
    (checkout / file).write_text(text.replace(old, new))
    done = pmesh(
        *("up", "--auth", "--home", str(home.path), "--port", str(port)),
        environment={"PYTHONPATH": os.pathsep.join((str(checkout), str(ROOT)))},
    )
    assert done.returncode == 1
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert "mend that, then start it again" in done.stderr


def test_a_time_of_labels_in_a_training_without_them() -> None:
    done = pmesh("train", "sentiment", "--since", "2026-11-01")
    assert done.returncode == 1
    assert "--since is of labels: it needs --from-labels" in done.stderr


def test_a_disk_without_space(home: Home, port: int) -> None:
    home.create()
    small = f'mount -t tmpfs -o size=50m tmpfs {home.path} && exec "$@"'
    done = subprocess.run(
        (
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", small, "sh"),
            *(*PMESH, "up", "--home", str(home.path), "--port", str(port)),
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "data directory" in done.stderr
    assert "free some space" in done.stderr


def test_a_tool_that_is_missing(home: Home, port: int, tmp_path: Path) -> None:
    for name in ("nice", "unshare", "true"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    path = {"PATH": str(tmp_path)}
    done = pmesh("up", "--home", str(home.path), "--port", str(port), environment=path)
    assert done.returncode == 1
    assert "setpriv: not found" in done.stderr
    assert "install the packages util-linux and coreutils" in done.stderr


def test_a_second_stack_on_one_directory(home: Home, port: int) -> None:
    home.create()
    with home.lock():
        done = subprocess.run(
            (sys.executable, "-m", "pmesh.stack", str(home.path), str(port)),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == f"a stack is running on {home.path}\n"


@pytest.mark.parametrize("command", ["status", "down", "predict sentiment good", "train sentiment"])
def test_a_stack_that_does_not_run(home: Home, command: str) -> None:
    done = pmesh(*command.split(), environment={"PMESH_HOME": str(home.path)})
    assert done.returncode == 1
    assert f"no stack runs on {home.path}" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("token", ["a.b.c\nd", "a.b.c\n", "\u00e4", "a b"])
@pytest.mark.parametrize(
    "command",
    ["history sentiment --address 127.0.0.1:1", "up --auth", "labels list --model a --address a:1"],
)
def test_a_token_that_is_none(home: Home, command: str, token: str) -> None:
    where = {"PMESH_HOME": str(home.path), "PMESH_TOKEN": token}
    done = pmesh(*command.split(), environment=where)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error PMESH_TOKEN is no token: ")
    assert "unset PMESH_TOKEN" in done.stderr
    assert token not in done.stderr
    assert not home.path.exists()


@pytest.mark.parametrize("arguments", [(), ("good", "--file", __file__)])
def test_a_prediction_of_nothing_or_of_two_things(home: Home, arguments: tuple[str, ...]) -> None:
    done = pmesh("predict", "sentiment", *arguments, "--home", str(home.path))
    assert done.returncode == 1
    assert "give one text, or --file with many" in done.stderr


def test_logs_of_a_part_that_there_is_not(home: Home) -> None:
    home.create()
    home.log("relay").write_text("a line\n")
    done = pmesh("logs", "relya", "--home", str(home.path))
    assert done.returncode == 1
    assert "there is no part 'relya'" in done.stderr
    assert "one of: relay" in done.stderr
