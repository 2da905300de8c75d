"""What the gateway's application can be told by its environment.

The database is found by the standard PG* variables, Envoy's part is in gateway.envoy.settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The application's settings; a default suits one machine."""

    max_batch: int = 256
    """Texts that go to a model in one call, at the most."""
    batches_in_flight: int = 1
    """Such calls side by side for one version: as many as Triton has instances of it. More make
    the batches smaller, and each batch costs the same to carry."""
    max_waiting: int = 2048
    """Texts that may wait for one version of a model, and rows that may wait for the database,
    before calls are refused as OVERLOADED."""
    max_call_s: float = 10.0
    """Seconds that a prediction made now may take when the caller gives no shorter deadline."""
    database_connections: int = 4
    """Connections to PostgreSQL."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read PMESH_GATEWAY_MAX_BATCH, _BATCHES_IN_FLIGHT, _MAX_WAITING, _MAX_CALL_S and
        _DATABASE_CONNECTIONS.

        Raises ValueError, naming the variable, for what is no number above 0.
        """
        return cls(
            max_batch=int(_positive(environ, "MAX_BATCH", cls.max_batch)),
            batches_in_flight=int(_positive(environ, "BATCHES_IN_FLIGHT", cls.batches_in_flight)),
            max_waiting=int(_positive(environ, "MAX_WAITING", cls.max_waiting)),
            max_call_s=_positive(environ, "MAX_CALL_S", cls.max_call_s),
            database_connections=int(
                _positive(environ, "DATABASE_CONNECTIONS", cls.database_connections)
            ),
        )


def _positive(environ: Mapping[str, str], name: str, default: float) -> float:
    variable = f"PMESH_GATEWAY_{name}"
    try:
        value = float(environ.get(variable, default))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{variable} must be a number above 0, not {environ[variable]!r}")
    return value
