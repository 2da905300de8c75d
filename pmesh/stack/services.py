"""The project's own processes: gateway, relay, and one runtime for each model."""

import sys
from collections.abc import Callable, Mapping

from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http


def gateway_part(*, port: int, admin_port: int, environment: Mapping[str, str]) -> Part:
    """Envoy with the Python servicers in it, on the one port that clients know."""
    return Part(
        name="gateway",
        command=(sys.executable, "-m", "gateway.main"),
        environment={
            **environment,
            "PMESH_GATEWAY_ADDRESS": "127.0.0.1",
            "PMESH_GATEWAY_PORT": str(port),
            "PMESH_GATEWAY_ADMIN_PORT": str(admin_port),
        },
        needs=("postgres",),
        is_ready=lambda: answers_http(port, "/healthz"),
        stop_timeout_s=40,  # it lets calls in flight end
    )


def relay_part(*, environment: Mapping[str, str], is_ready: Callable[[], bool]) -> Part:
    """Between PostgreSQL and the bus. It listens on no port."""
    return Part(
        name="relay",
        command=(sys.executable, "-m", "gateway.relay"),
        environment=environment,
        needs=("postgres", "aws"),
        is_ready=is_ready,
    )
