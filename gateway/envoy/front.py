"""Where the gateway's Envoy listens and what it allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.settings import setting
from gateway.router import MOUNTS


@dataclass(frozen=True, kw_only=True)
class Front:
    """What Envoy can be told by the environment; a default suits one machine."""

    address: str = setting("PMESH_GATEWAY_ADDRESS", "127.0.0.1")
    """IP address to serve gRPC, gRPC-Web and REST on."""
    port: int = setting("PMESH_GATEWAY_PORT", 8080, least=1, most=65535)
    """Port to serve on."""
    admin_port: int = setting("PMESH_GATEWAY_ADMIN_PORT", 9901, least=1, most=65535)
    """Port of Envoy's admin interface, always on loopback."""
    cors_origins: tuple[str, ...] = setting("PMESH_GATEWAY_CORS_ORIGINS", ())
    """Origins of web pages that may call, as "https://app.example.com", with commas between.
    Empty: none."""
    max_connections: int = setting("PMESH_GATEWAY_MAX_CONNECTIONS", 4096, least=1)
    """Connections that may be open at once; more are closed at once."""
    drain_delay_s: float = setting("PMESH_GATEWAY_DRAIN_DELAY_S", 0.0, least=0)
    """Seconds from the signal to stop, with which the gateway says that it is not ready, until it
    takes no new connections: for load balancers, to see it and send calls elsewhere."""
    drain_s: float = setting("PMESH_GATEWAY_DRAIN_S", 10.0, least=0)
    """Seconds from then on that calls in flight get to end; those left are SHUTTING_DOWN."""
    access: Path | None = setting("PMESH_GATEWAY_ACCESS", None)
    """The access policy, a file of contract/access.py: who may call. Not set: everybody."""
    access_log: Path | None = setting("PMESH_GATEWAY_ACCESS_LOG", None)
    """A file that gets a line of JSON for each request, such as /dev/stdout. Not set: none."""
    caller_header: str = setting("PMESH_GATEWAY_CALLER_HEADER", "")
    """Where the access log finds who calls, if no token says it; gateway.settings has its rule."""
    keys_refresh_s: float = 30.0
    """Seconds after which the issuer's keys are read anew."""
    app: str = "gateway.app:app"
    """The ASGI application behind the filters, as "module:attribute"."""
    mounts: Mapping[str, Sequence[str]] = field(default_factory=lambda: MOUNTS)
    """The paths that it answers itself, beside gRPC, and the HTTP methods that each takes."""
