"""What the relay can be told by its environment.

PostgreSQL is found by the standard PG* variables, SNS, SQS and S3 by AWS_*.
"""

from dataclasses import dataclass

from bus.topology import PREFIX, TOPIC_ARN
from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The relay's settings; what has no default must be given."""

    topic_arn: str = setting(
        "PMESH_TOPIC_ARN", matching=TOPIC_ARN, meaning="the ARN of an SNS topic"
    )
    """Where events go."""
    bus_prefix: str = setting("PMESH_BUS_PREFIX", PREFIX)
    """How the names of the queues start."""
    features_bucket: str = setting("PMESH_FEATURES_BUCKET", "predict-features")
    """The only bucket that answers may point to, and in which old features are deleted."""
    max_attempts: int = setting("PMESH_MAX_ATTEMPTS", 5, least=1, most=1000)
    """Claims of a request before it is FAILED; the workers' figure."""
    max_in_flight: int = setting("PMESH_RELAY_MAX_IN_FLIGHT", 500, least=1)
    """Published and unfinished requests of a version; the others wait in PostgreSQL."""
    poll_s: float = setting("PMESH_RELAY_POLL_S", 0.5, least=0.001)
    """Seconds between looks at the outbox when nothing tells of new requests."""
    receive_wait_s: int = setting("PMESH_RELAY_RECEIVE_WAIT_S", 2, least=1, most=20)
    """Seconds that a call waits for an answer; also what stopping may take."""
    sweep_s: float = setting("PMESH_RELAY_SWEEP_S", 2.0, least=0.001)
    """Seconds between looks for expired, stuck and exhausted requests."""
    dead_letters_s: float = setting("PMESH_RELAY_DEAD_LETTERS_S", 15.0, least=0.001)
    """Seconds between looks for dead letters, each of which asks all models' queues."""
    rearm_after_s: float = setting("PMESH_RELAY_REARM_AFTER_S", 30.0, least=0.001)
    """Seconds after which a published request that nobody works on is published again."""
    lost_after_s: float = setting("PMESH_RELAY_LOST_AFTER_S", 600.0, least=0.001)
    """The same while messages still wait on the bus, which are likely to include its own."""
    metrics_address: str = setting("PMESH_RELAY_METRICS_ADDRESS", "127.0.0.1")
    """The IP address at which Prometheus reads the metrics."""
    metrics_port: int = setting("PMESH_RELAY_METRICS_PORT", 9467, most=65535)
    """Where /metrics answers; 0: nowhere."""
