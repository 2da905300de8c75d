"""The gateway as a process of its own, with an application of the tests inside."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.envoy.front import Front
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

PROGRAM = """
import sys
from pathlib import PosixPath
from gateway.envoy.front import Front
from gateway.main import run
import logging
logging.basicConfig(level=logging.INFO)
sys.exit(run({settings!r}, {{}}))
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason of the ErrorInfo of a refusal."""
        return str(self.json["details"][0]["reason"])


class GatewayProcess:
    """Started and serving inside `with`; what it wrote to stderr is in `log`."""

    def __init__(
        self, *, log: Path, settings: Front, environment: Mapping[str, str] | None = None
    ) -> None:
        """environment: of the application, beside the tests' own."""
        self.settings = settings
        a_port = {"PMESH_GATEWAY_METRICS_PORT": str(free_port())}
        access = {"PMESH_GATEWAY_ACCESS": str(settings.access)} if settings.access else {}
        self._environment = a_port | access | os.environ | (environment or {})
        self.port = settings.port
        self._log = log

    def __enter__(self) -> Self:
        program = PROGRAM.format(settings=self.settings)
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program], stderr=stderr, env=self._environment
            )
        wait_until(self._serves_or_ended)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(100)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 20,
    ) -> Answer:
        """One request on a connection of its own; a body that is a dict or list goes as JSON."""
        headers = dict(headers or {})
        if isinstance(body, dict | list):
            body = json.dumps(body)
        if body is not None:
            headers = {"content-type": "application/json", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            # A server that refuses a large body may close before it has read all of it.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def _serves_or_ended(self) -> bool:
        if self.process.poll() is not None:
            return True
        try:
            return self.request("GET", "/healthz", timeout_s=1).status == 200
        except OSError:
            return False


def refuses_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def echo_settings(**changes: Any) -> Front:
    """Settings for the echo application on free ports."""
    app = "tests.integration.gateway.envoy.echo_app:app"
    return Front(**({"port": free_port(), "admin_port": free_port(), "app": app} | changes))
