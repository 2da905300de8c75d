"""The code of models that trains is given nothing by which it could change what serves."""

from pathlib import Path

import pytest

from pmesh.cli import programs
from pmesh.stack import first_releases
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.local import LocalStack, port_names

OF_TRITON = {"PMESH_TRITON_KEY", "PMESH_TRITON_REPOSITORY"}
RELEASES_ONLY = OF_TRITON | {"PGPASSWORD", "PGUSER"}


@pytest.fixture
def stack(tmp_path: Path) -> LocalStack:
    home = Home(tmp_path)
    home.create()
    ports = {name: number for number, name in enumerate(port_names([]), start=1)}
    return LocalStack(
        home, gateway_port=8080, ports=ports, models=[], environment=base_environment()
    )


def names(lines: list[str]) -> set[str]:
    """Of variables, as `env` prints them."""
    return {line.partition("=")[0] for line in lines}


def users(lines: list[str]) -> list[str]:
    """Of PostgreSQL, likewise."""
    return [line for line in lines if line.startswith("PGUSER=")]


def test_it_knows_the_registry_and_no_secret(stack: LocalStack) -> None:
    training, release = stack.training_environment(), stack.release_environment()
    assert release.keys() >= RELEASES_ONLY
    assert training.keys() - base_environment().keys() == {"MLFLOW_TRACKING_URI"}
    secrets = {release["PMESH_TRITON_KEY"], release["PGPASSWORD"]}
    assert not secrets & set(training.values())


def test_the_command_line_trains_with_that(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "running_stack", lambda _: stack)
    monkeypatch.setattr(programs, "program", lambda *_: ("env",))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    home = Path("unused")
    printed = programs.run_training(home, "genre", "training.train")
    given = names(printed)
    assert "MLFLOW_TRACKING_URI" in given
    assert users(printed) == ["PGUSER=training"]  # which reads labels, and writes nothing of them
    assert not given & OF_TRITON


def test_a_start_asks_the_gateway_for_releases_and_holds_no_secret(stack: LocalStack) -> None:
    (job,) = (part for part in stack.parts() if part.name == "training")
    assert job.environment["PMESH_GATEWAY"] == "127.0.0.1:8080"
    assert not job.environment.keys() & RELEASES_ONLY


def test_a_start_trains_with_that(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in stack.release_environment().items():
        monkeypatch.setenv(name, value)
    given = tmp_path / "given"
    stand_in = ("sh", "-c", f"env > {given}; echo 1")
    monkeypatch.setattr(first_releases, "program", lambda *_: stand_in)
    assert first_releases._train("genre", "http://127.0.0.1:4") == "1"
    seen = names(given.read_text().splitlines())
    assert "MLFLOW_TRACKING_URI" in seen
    assert not seen & RELEASES_ONLY
