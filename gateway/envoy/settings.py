"""What Envoy can be told by the gateway's environment."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvoySettings:
    """Where the gateway listens and what it allows; a default suits one machine."""

    address: str = "127.0.0.1"
    """IP address to serve gRPC, gRPC-Web and REST on."""
    port: int = 8080
    """Port to serve on."""
    admin_port: int = 9901
    """Port of Envoy's admin interface, always on loopback."""
    cors_origins: tuple[str, ...] = ()
    """Origins of web pages that may call, as "https://app.example.com". Empty: none."""
    max_connections: int = 4096
    """Connections that may be open at once; more are closed at once."""
    drain_s: float = 10.0
    """Seconds that calls in flight get to end when the gateway is told to stop."""
    app: str = "gateway.app:app"
    """The ASGI application behind the filters, as "module:attribute"."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "EnvoySettings":
        """Read PMESH_GATEWAY_ and the name of a field, in capitals, except for the app.

        PMESH_GATEWAY_CORS_ORIGINS is a list with commas. Raises ValueError, naming the variable.
        """
        defaults = cls()
        origins = environ.get("PMESH_GATEWAY_CORS_ORIGINS", "").split(",")
        return cls(
            address=environ.get("PMESH_GATEWAY_ADDRESS", defaults.address),
            port=int(_number(environ, "PORT", defaults.port, maximum=65535)),
            admin_port=int(_number(environ, "ADMIN_PORT", defaults.admin_port, maximum=65535)),
            cors_origins=tuple(origin.strip() for origin in origins if origin.strip()),
            max_connections=int(_number(environ, "MAX_CONNECTIONS", defaults.max_connections)),
            drain_s=_number(environ, "DRAIN_S", defaults.drain_s),
        )


def _number(
    environ: Mapping[str, str], name: str, default: float, maximum: float = float(2**31 - 1)
) -> float:
    variable = f"PMESH_GATEWAY_{name}"
    try:
        value = float(environ.get(variable, default))
    except ValueError:
        value = 0.0
    if not 0 < value <= maximum:
        raise ValueError(
            f"{variable} must be a number above 0, up to {maximum:g}, not {environ[variable]!r}"
        )
    return value
