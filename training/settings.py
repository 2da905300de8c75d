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
