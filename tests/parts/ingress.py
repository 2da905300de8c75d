"""What stands in front of gateways in a cluster: an Envoy that ends TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pmesh.stack.balancer import bootstrap
from tests.parts.balancer import balancing
from tests.parts.ports import free_port


@contextmanager
def ingress(directory: Path, *, gateway: int, certificate: tuple[Path, Path]) -> Iterator[int]:
    """Its port, on loopback. gateway: that of a gateway. certificate: its file, and its key's."""
    config = bootstrap(port=free_port(), admin_port=free_port(), gateways=[gateway])
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
    with balancing(directory, config) as port:
        yield port
