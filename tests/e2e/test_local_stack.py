"""The life of a stack on one machine, as `pmesh up` and Ctrl-C begin and end it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pmesh.stack.control import Stack
from pmesh.stack.ports import assign_ports
from pmesh.stack.processes import session_members
from tests.e2e.texts import new_text
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.polling import wait_until

PMESH = (str(Path(sys.executable).with_name("pmesh")),)
ANSWERS = re.compile(r"(REST|gRPC|queue) .* positive 0\.\d\d", re.MULTILINE)


SHADOWS = ("json", "psycopg", "grpc", "contract", "gateway", "relay", "model_runtime", "features")
"""Modules that every program imports, and rooms of ours."""


class Terminal:
    """A person at a terminal, in a folder whose files are named like modules of the product."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "work"
        self._directory.mkdir()
        for name in SHADOWS:
            (self._directory / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
        port = assign_ports(directory / "gateway-port", ["gateway"])["gateway"]
        self._up = ("up", "--port", str(port))
        self._url = f"http://127.0.0.1:{port}"
        self._said = directory / "said"
        self._environment = {**os.environ, "PMESH_HOME": str(directory / "home")}
        self.variables: dict[str, str] = {}
        """What the user says besides, to `pmesh up`."""
        self.stack = Stack(directory / "home", gateway_port=port)

    def pmesh(self, *arguments: str) -> str:
        """What a command prints."""
        return subprocess.run(
            (*PMESH, *arguments),
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=300,
        ).stdout

    @contextmanager
    def up(self, *options: str) -> Iterator[str]:
        """`pmesh up` until it has said what to type next, which is the answer; then Ctrl-C."""
        with self._said.open("w") as said:
            process = subprocess.Popen(
                (*PMESH, *self._up, *options),
                cwd=self._directory,
                env=self._environment | self.variables,
                stdout=said,
                stderr=said,
            )
        try:
            wait_until(lambda: "Next" in self._said.read_text(), timeout_s=300)
            yield self._said.read_text()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(100) == 0, self._said.read_text()
        assert "stopped; everything is kept in" in self._said.read_text()

    def environment_of(self, part: str) -> dict[str, str]:
        """Of its process."""
        said = Path(f"/proc/{self.stack.part(part).pid}/environ").read_text()
        return dict(one.split("=", 1) for one in said.rstrip("\0").split("\0"))

    def sessions(self) -> list[int]:
        """Of the supervisor and of every part that runs."""
        status = self.stack.status()
        assert status is not None
        return [status.pid, *(part.pid for part in status.parts if part.pid is not None)]

    def predict(self, model: str) -> dict[str, object]:
        """A finished prediction."""
        answer: dict[str, object] = json.loads(self.pmesh("predict", model, new_text(), "--json"))
        return answer

    def read(self, prediction_id: object, token: str) -> httpx.Response:
        """The same prediction later."""
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(f"{self._url}/v1/predictions/{prediction_id}", headers=headers)


@pytest.mark.timeout(900)
def test_a_stack_trains_predicts_stops_without_a_trace_and_goes_on(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    with terminal.up() as said:
        assert len(ANSWERS.findall(said)) == 3
        assert terminal.predict("genre")["version"] == "1"
        assert "version 2 of genre is registered" in terminal.pmesh("train", "genre")
        assert terminal.predict("genre")["version"] == "1"
        terminal.pmesh("release", "genre@2")
        wait_until(lambda: terminal.predict("genre")["version"] == "2")
        before = terminal.predict("sentiment")
        sessions = terminal.sessions()
        assert len(sessions) == 15
    assert [pid for session in sessions for pid in session_members(session)] == []
    assert terminal.stack.status() is None

    with terminal.up("--auth") as said:
        assert len(ANSWERS.findall(said)) == 3
        assert terminal.predict("genre")["version"] == "2"
        analyst = terminal.pmesh("token", "--role", "analyst").strip()
        assert terminal.read(before["id"], analyst).json() == before
        assert terminal.read(before["id"], analyst[:-9]).status_code == 401

    said_by_the_user = {"PMESH_WEBHOOK_ALLOWED_HOSTS": "hooks.example.com", "PGHOST": "theirs"}
    with receiving_spans() as receiver:
        terminal.variables = receiver.environment | said_by_the_user
        with terminal.up():
            assert terminal.predict("genre")["version"] == "2"
            with pytest.raises(subprocess.CalledProcessError):
                terminal.pmesh("token")
            receiver.wait_for("predict.v1.PredictionService/Predict")
            monitoring = terminal.environment_of("monitoring")
        assert monitoring["PMESH_WEBHOOK_ALLOWED_HOSTS"] == "hooks.example.com"
        assert monitoring["PGHOST"] != "theirs"

    terminal.variables = {}
    with terminal.up("--observe"):
        pages = json.loads(terminal.pmesh("status", "--json"))["urls"]
        assert pages["traces"].startswith(pages["mlflow"])
        assert 'pmesh_part_up{part="gateway"} 1.0' in httpx.get(pages["metrics"], timeout=60).text

        def is_shown() -> bool:
            """MLflow takes its time to start."""
            terminal.predict("genre")
            query = {"experiment_ids": "0"}
            try:
                found = httpx.get(f"{pages['mlflow']}/api/2.0/mlflow/traces", params=query)
            except httpx.TransportError:
                return False
            return found.status_code == 200 and bool(found.json().get("traces"))

        wait_until(is_shown)
