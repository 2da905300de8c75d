"""What monitoring can be told by its environment. PostgreSQL is found by PG*."""

from dataclasses import dataclass
from pathlib import Path

from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the job."""

    tracking_uri: str = setting("MLFLOW_TRACKING_URI", "")
    """Where the registry has the held-out data of versions; "" for none."""
    features_bucket: str = setting("PMESH_FEATURES_BUCKET", "")
    """Where the features of answers lie; "" for figures without them. S3 is found by AWS_*."""
    webhook_url: str = setting("PMESH_ALERTS_WEBHOOK_URL", "")
    """Who is told what becomes of alerts; "" for nobody."""
    webhook_secrets: tuple[str, ...] = setting("PMESH_ALERTS_WEBHOOK_SECRETS", ())
    """What that is signed with, each "whsec_" and base64; several while one replaces another."""
    webhook_secrets_file: str = setting("PMESH_ALERTS_WEBHOOK_SECRETS_FILE", "")
    """A file with more of these, one a line."""
    webhook_allowed_hosts: tuple[str, ...] = setting("PMESH_WEBHOOK_ALLOWED_HOSTS", ())
    """Hosts, by name, that may be told though their addresses are private or they have no TLS."""


@dataclass(frozen=True, kw_only=True)
class WatchSettings(Settings):
    """Of the process that stays."""

    metrics_address: str = setting("PMESH_MONITORING_METRICS_ADDRESS", "127.0.0.1")
    """IP address at which Prometheus reads the figures."""
    metrics_port: int = setting("PMESH_MONITORING_METRICS_PORT", 9465, most=65535)
    """Port for that; 0: none."""
    evidently_python: str = setting("PMESH_EVIDENTLY_PYTHON", "")
    """The python of an environment that has monitoring/evidently.txt; "" for no daily reports."""
    reports: Path = setting("PMESH_REPORTS", Path("reports"))
    """The folder that they lie in."""
    report_days: int = setting("PMESH_REPORT_DAYS", 30, least=1, most=3650)
    """How many days of them are kept."""
