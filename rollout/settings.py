"""What the release programs can be told by their environment.

PostgreSQL is found by the standard PG* variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The settings of a release; what has no default must be given."""

    tracking_uri: str
    """MLFLOW_TRACKING_URI: where the registry is."""
    repository: Path
    """PMESH_TRITON_REPOSITORY: the folder that Triton loads from."""
    triton_address: str
    """PMESH_TRITON_HTTP: host:port of Triton's HTTP."""
    device: str = "cpu"
    """PMESH_DEVICE: "cpu" or "gpu", where Triton runs the models."""
    quality_margin: float = 0.02
    """PMESH_QUALITY_MARGIN: how much of the primary metric a new version may lose."""
    drain_s: float = 15.0
    """PMESH_DRAIN_S: seconds that a version without traffic stays loaded; longer than a call."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the variables named above. Raises ValueError, naming the variable."""
        device = environ.get("PMESH_DEVICE", cls.device)
        if device not in ("cpu", "gpu"):
            raise ValueError(f"PMESH_DEVICE must be cpu or gpu, not {device!r}")
        return cls(
            tracking_uri=_required(environ, "MLFLOW_TRACKING_URI"),
            repository=Path(_required(environ, "PMESH_TRITON_REPOSITORY")),
            triton_address=_required(environ, "PMESH_TRITON_HTTP"),
            device=device,
            quality_margin=_number(environ, "PMESH_QUALITY_MARGIN", cls.quality_margin),
            drain_s=_number(environ, "PMESH_DRAIN_S", cls.drain_s),
        )


def _required(environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable, "")
    if not value:
        raise ValueError(f"{variable} is not set")
    return value


def _number(environ: Mapping[str, str], variable: str, default: float) -> float:
    try:
        value = float(environ.get(variable, default))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{variable} must be a number, at least 0, not {environ[variable]!r}")
    return value
