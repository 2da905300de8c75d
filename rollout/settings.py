"""What the release process can be told by its environment.

PostgreSQL is found by the standard PG* variables.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from contract.settings import setting
from contract.version_name import MODEL
from triton_repo.config import DEVICES

_OF_A_MODEL = re.compile(rf"{MODEL.pattern.strip('^$')}=({'|'.join(DEVICES)})")


@dataclass(frozen=True, kw_only=True)
class ForeignSettings:
    """Where only servers of others answer, and there is no Triton."""

    tracking_uri: str = setting("MLFLOW_TRACKING_URI", "")
    """Where the registry is, which must not have their versions too; "" for none."""
    triton_address: str = setting("PMESH_TRITON_ADDRESS", "")
    """The gRPC of our own versions, as below; with one of them a version may be compared."""
    quality_margin: float = setting("PMESH_QUALITY_MARGIN", 0.02, most=1)
    """How much of the primary metric a new version may lose, if its release does not say it."""
    idle_s: float = setting("PMESH_ROLLOUT_IDLE_S", 15.0)
    """Seconds that a version without traffic stays loaded; longer than a call."""
    poll_s: float = setting("PMESH_ROLLOUT_POLL_S", 15.0, least=0.001)
    """Seconds between looks at the models and their aliases; the registry gives word sooner."""
    metrics_address: str = setting("PMESH_ROLLOUT_METRICS_ADDRESS", "127.0.0.1")
    """IP address at which Prometheus reads what the process tells."""
    metrics_port: int = setting("PMESH_ROLLOUT_METRICS_PORT", 9469, most=65535)
    """Port for that; 0: none."""


@dataclass(frozen=True, kw_only=True)
class Settings(ForeignSettings):
    """Of all releases; what has no default must be given. PMESH_TRITON_REPOSITORY asks for it."""

    tracking_uri: str = setting("MLFLOW_TRACKING_URI")
    """Where the registry is."""
    repository: Path = setting("PMESH_TRITON_REPOSITORY")
    """The folder that Triton loads from."""
    triton_address: str = setting("PMESH_TRITON_ADDRESS")
    """Triton's gRPC: host:port, each address of which is a server; or unix:, ipv4: or ipv6: and
    one or more, with commas between. {model} in it stands for the model."""
    triton_key: str = setting("PMESH_TRITON_KEY")
    """What Triton asks for before it loads or unloads anything."""
    device: str = setting("PMESH_DEVICE", "cpu", choices=DEVICES)
    """Where Triton runs a model; auto: on a GPU where a Triton has one, else on the CPU."""
    devices: tuple[str, ...] = setting(
        "PMESH_DEVICES", (), matching=_OF_A_MODEL, meaning="MODEL=DEVICE, with commas between"
    )
    """The models for which it is another one."""

    def device_of(self, model: str) -> str:
        """Where Triton runs a model."""
        return dict(one.split("=") for one in self.devices).get(model, self.device)
