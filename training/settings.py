"""What the training programs can be told by their environment."""

from dataclasses import dataclass

from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a training or an evaluation; what has no default must be given."""

    tracking_uri: str = setting("MLFLOW_TRACKING_URI")
    """Where trainings are recorded and versions registered."""
    device: str = setting("PMESH_DEVICE", "cpu", choices=("cpu", "gpu"))
    """Where a training computes."""
    retraining: str = setting("PMESH_RETRAINING", "")
    """The recorded training that this one is; "" for none. It registers one version, ever."""


@dataclass(frozen=True, kw_only=True)
class RetrainingSettings(Settings):
    """Of the process that works off what is asked for, and of its trainings."""

    model: str = setting("PMESH_MODEL", "")
    """Whose trainings it works off; "" for those of all models."""
    poll_s: float = setting("PMESH_TRAINING_POLL_S", 15.0, least=0.001)
    """Seconds between looks at what is asked for."""
    timeout_s: float = setting("PMESH_TRAINING_TIMEOUT_S", 21_600.0, least=0.001)
    """Seconds after which a training has failed."""
    metrics_address: str = setting("PMESH_TRAINING_METRICS_ADDRESS", "127.0.0.1")
    """IP address at which Prometheus reads what the process tells."""
    metrics_port: int = setting("PMESH_TRAINING_METRICS_PORT", 9471, most=65535)
    """Port for that; 0: none."""
