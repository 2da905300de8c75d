"""The gateway's Envoy as it is, but that its last filter forwards to a server of grpc.aio."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import envoy

from gateway.envoy.config import bootstrap
from gateway.envoy.front import Front
from gateway.envoy.listener import EXTENSIONS
from tests.parts.polling import wait_until
from tests.parts.ports import listens

CLUSTER = "servicers"


@contextmanager
def aio_gateway(settings: Front, folder: Path) -> Iterator[None]:
    """Serves at settings.port inside the block; the database is found by PG*."""
    program = [sys.executable, "-m", "tests.integration.gateway.envoy.aio_host"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as servicers:
        try:
            assert servicers.stdout is not None
            port = int(servicers.stdout.readline())
            config = folder / "envoy.json"
            config.write_text(json.dumps(_forwarding(bootstrap(settings), port)))
            binary = Path(envoy.__file__).parent / "_bin/envoy"
            options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
            with subprocess.Popen([binary, "-c", config, *options]) as front:
                try:
                    wait_until(lambda: listens(settings.port))
                    yield
                finally:
                    front.terminate()
        finally:
            servicers.terminate()


def _forwarding(config: dict[str, Any], port: int) -> dict[str, Any]:
    (listener,) = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"][-1] = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{EXTENSIONS}.filters.http.router.v3.Router"},
    }
    for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
        del route["non_forwarding_action"]
        route["route"] = {"cluster": CLUSTER, "timeout": "0s"}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    protocol = {
        "@type": f"{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": CLUSTER,
        "typed_extension_protocol_options": {
            f"{EXTENSIONS.removeprefix('type.googleapis.com/')}.upstreams.http.v3"
            ".HttpProtocolOptions": protocol
        },
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    config["static_resources"]["clusters"] = [cluster]
    return config
