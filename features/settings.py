"""What the shipper can be told by its environment. S3 is found by AWS_*."""

from dataclasses import dataclass
from pathlib import Path

from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The shipper's settings; what has no default must be given."""

    spool: Path = setting("PMESH_FEATURES_SPOOL")
    """The folder that a gateway appends to."""
    bucket: str = setting("PMESH_FEATURES_BUCKET", "predict-features")
    """Where the objects go."""
    metrics_address: str = setting("PMESH_FEATURES_METRICS_ADDRESS", "127.0.0.1")
    """The IP address at which Prometheus reads the metrics."""
    metrics_port: int = setting("PMESH_FEATURES_METRICS_PORT", 9470, most=65535)
    """Where /metrics answers; 0: nowhere."""
