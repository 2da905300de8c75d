"""A real Envoy with a Python application inside, and the gRPC-Web filter before it."""

import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

import envoy
from pyvoy._server import _pyvoy_module_path, get_envoy_environ

from tests.parts.polling import PATIENCE_S

_ENVOY = Path(envoy.__file__).parent / "_bin" / "envoy"
_FILTERS = "type.googleapis.com/envoy.extensions.filters.http"


class Envoy:
    """Serves `app` ("module:attribute") on `address` while the context lasts.

    environ: what the application finds in its environment besides this process's.
    """

    def __init__(self, app: str, *, environ: dict[str, str] | None = None) -> None:
        self._app = app
        self._environ = environ or {}

    def __enter__(self) -> Self:
        self._directory = TemporaryDirectory()
        folder = Path(self._directory.name)
        self._log = (folder / "envoy.log").open("w+")
        (folder / "envoy.json").write_text(json.dumps(_bootstrap(self._app)))
        command = [_ENVOY, "-c", folder / "envoy.json", "--use-dynamic-base-id"]
        command += ["--admin-address-path", folder / "admin", "--log-level", "error"]
        self.process = subprocess.Popen(
            [*command, "--concurrency", "1"],
            env=os.environ | get_envoy_environ() | self._environ,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.address = f"127.0.0.1:{self._wait_for_port(folder / 'admin')}"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait(100)
        self._log.close()
        self._directory.cleanup()

    def log(self) -> str:
        return Path(self._log.name).read_text()

    def _wait_for_port(self, admin_path: Path) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urlopen(f"http://{admin_path.read_text()}/listeners?format=json") as reply:
                    listeners = json.load(reply)["listener_statuses"]
                return int(listeners[0]["local_address"]["socket_address"]["port_value"])
            except (FileNotFoundError, ValueError, URLError, KeyError, ConnectionError):
                time.sleep(0.02)
        self.process.kill()
        raise RuntimeError(f"Envoy did not start: {self.log()}")


def _bootstrap(app: str) -> dict[str, Any]:
    http_manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "route_config": {"virtual_hosts": [{"name": "test", "domains": ["*"]}]},
        "http_filters": [_grpc_web(), _python(app)],
    }
    filters = [
        {
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": http_manager,
        }
    ]
    listener = {
        "name": "test",
        "address": _loopback_port(),
        "filter_chains": [{"filters": filters}],
    }
    return {
        "admin": {"address": _loopback_port()},
        "static_resources": {"listeners": [listener]},
    }


def _grpc_web() -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.grpc_web",
        "typed_config": {"@type": f"{_FILTERS}.grpc_web.v3.GrpcWeb"},
    }


def _python(app: str) -> dict[str, Any]:
    application = {"app": app, "interface": "asgi", "root_path": "", "loop": "uvloop"}
    return {
        "name": "pyvoy",
        "typed_config": {
            "@type": f"{_FILTERS}.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {"module": {"local": {"filename": _pyvoy_module_path()}}},
            "filter_name": "pyvoy",
            "filter_config": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": json.dumps(application),
            },
            "terminal_filter": True,
        },
    }


def _loopback_port() -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
