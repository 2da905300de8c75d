"""What the annotation program can be told by its environment. PostgreSQL is found by PG*."""

from dataclasses import dataclass

from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a look at Label Studio."""

    url: str = setting("PMESH_LABEL_STUDIO_URL")
    """Where Label Studio answers: http(s)://host[:port]."""
    token: str = setting("PMESH_LABEL_STUDIO_TOKEN")
    """The access token of a user of it that may see all of our projects."""


@dataclass(frozen=True, kw_only=True)
class ProgramSettings(Settings):
    """Of the process that stays."""

    pull_s: float = setting("PMESH_ANNOTATION_PULL_S", 60.0, least=0.1, most=3600)
    """Seconds between looks at what has changed, which no webhook has told of."""
    webhook_url: str = setting("PMESH_ANNOTATION_WEBHOOK_URL", "")
    """By which Label Studio reaches this process; "" for no webhooks."""
    webhook_secret: str = setting("PMESH_ANNOTATION_WEBHOOK_SECRET", "")
    """What proves that Label Studio calls. Without one, no webhook is taken."""
    webhook_address: str = setting("PMESH_ANNOTATION_WEBHOOK_ADDRESS", "127.0.0.1")
    """IP address to listen on for them."""
    webhook_port: int = setting("PMESH_ANNOTATION_WEBHOOK_PORT", 9466, least=1, most=65535)
    """Port for that."""
    metrics_address: str = setting("PMESH_ANNOTATION_METRICS_ADDRESS", "127.0.0.1")
    """IP address at which Prometheus reads what the process tells."""
    metrics_port: int = setting("PMESH_ANNOTATION_METRICS_PORT", 9472, most=65535)
    """Port for that; 0: none."""
