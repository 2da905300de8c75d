"""What a runtime can be told by its environment.

PostgreSQL is found by the standard PG* variables, SNS, SQS and S3 by AWS_*.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The settings of one model's runtime; what has no default must be given."""

    model: str
    """PMESH_MODEL: the id of the model."""
    address: str
    """PMESH_RUNTIME_ADDRESS: host:port to serve on."""
    topic_arn: str
    """PMESH_TOPIC_ARN: where answers are published."""
    triton_address: str = "127.0.0.1:8001"
    """PMESH_TRITON_ADDRESS: host:port of Triton's gRPC."""
    features_bucket: str = "predict-features"
    """PMESH_FEATURES_BUCKET: where features are written."""
    bus_prefix: str = "predict"
    """PMESH_BUS_PREFIX: how the names of the queues start."""
    max_attempts: int = 5
    """PMESH_MAX_ATTEMPTS: claims of a request before it is given up; the relay's figure."""
    lease_s: int = 30
    """PMESH_LEASE_S: seconds until work of a dead runtime is free again; renewed at a third."""
    receive_wait_s: int = 20
    """PMESH_RECEIVE_WAIT_S: seconds, 1 to 20, a look at the queue may take; so may stopping."""
    drain_s: int = 25
    """PMESH_DRAIN_S: seconds that work in flight may take after SIGTERM."""

    @property
    def queue(self) -> str:
        """The name of the model's queue."""
        return f"{self.bus_prefix}-{self.model}"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the variables named above. Raises ValueError, naming the variable."""
        return cls(
            model=_required(environ, "PMESH_MODEL"),
            address=_required(environ, "PMESH_RUNTIME_ADDRESS"),
            topic_arn=_required(environ, "PMESH_TOPIC_ARN"),
            triton_address=environ.get("PMESH_TRITON_ADDRESS", cls.triton_address),
            features_bucket=environ.get("PMESH_FEATURES_BUCKET", cls.features_bucket),
            bus_prefix=environ.get("PMESH_BUS_PREFIX", cls.bus_prefix),
            max_attempts=_integer(environ, "PMESH_MAX_ATTEMPTS", cls.max_attempts, least=1),
            lease_s=_integer(environ, "PMESH_LEASE_S", cls.lease_s, least=1),
            receive_wait_s=_integer(
                environ, "PMESH_RECEIVE_WAIT_S", cls.receive_wait_s, least=1, most=20
            ),
            drain_s=_integer(environ, "PMESH_DRAIN_S", cls.drain_s),
        )


def _required(environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable, "")
    if not value:
        raise ValueError(f"{variable} is not set")
    return value


def _integer(
    environ: Mapping[str, str], variable: str, default: int, *, least: int = 0, most: int = 3600
) -> int:
    text = environ.get(variable, str(default))
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{variable} must be a whole number, {least} to {most}, not {text!r}")
    return int(text)
