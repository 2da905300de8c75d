"""What a model's worker can be told by its environment.

PostgreSQL is found by the standard PG* variables, SNS, SQS and S3 by AWS_*.
"""

from dataclasses import dataclass

from bus.topology import PREFIX, TOPIC_ARN
from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one model's worker; what has no default must be given."""

    model: str = setting("PMESH_MODEL")
    """The id of the model."""
    topic_arn: str = setting(
        "PMESH_TOPIC_ARN", matching=TOPIC_ARN, meaning="the ARN of an SNS topic"
    )
    """Where answers are published."""
    features_bucket: str = setting("PMESH_FEATURES_BUCKET", "predict-features")
    """Where features are written."""
    bus_prefix: str = setting("PMESH_BUS_PREFIX", PREFIX)
    """How the names of the queues start."""
    max_attempts: int = setting("PMESH_MAX_ATTEMPTS", 5, least=1, most=1000)
    """Claims of a request before it is given up; the relay's figure."""
    lease_s: int = setting("PMESH_LEASE_S", 30, least=1, most=3600)
    """Seconds until work of a dead worker is free again; renewed at a third."""
    receive_wait_s: int = setting("PMESH_RECEIVE_WAIT_S", 20, least=1, most=20)
    """Seconds that a look at the queue may take; so may stopping."""
    finish_s: int = setting("PMESH_WORKER_FINISH_S", 25, most=3600)
    """Seconds that work in flight may take after SIGTERM."""
    metrics_address: str = setting("PMESH_WORKER_METRICS_ADDRESS", "127.0.0.1")
    """The IP address at which Prometheus reads the metrics."""
    metrics_port: int = setting("PMESH_WORKER_METRICS_PORT", 9468, most=65535)
    """Where /metrics answers; 0: nowhere."""
