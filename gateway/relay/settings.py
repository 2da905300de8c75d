"""What the relay can be told by its environment.

PostgreSQL is found by the standard PG* variables, SNS and SQS by AWS_*.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOPIC_ARN = re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w-]+")


@dataclass(frozen=True)
class Settings:
    """The relay's settings; what has no default must be given."""

    topic_arn: str
    """PMESH_TOPIC_ARN: where events go."""
    bus_prefix: str = "predict"
    """PMESH_BUS_PREFIX: how the names of the queues start."""
    features_bucket: str = "predict-features"
    """PMESH_FEATURES_BUCKET: the only bucket that answers may point to."""
    max_attempts: int = 5
    """PMESH_MAX_ATTEMPTS: claims of a request before it is FAILED; the runtimes' figure."""
    max_in_flight: int = 500
    """Published and unfinished requests of a model; the others wait in PostgreSQL."""
    poll_s: float = 0.5
    """Seconds between looks at the outbox when nothing tells of new requests."""
    receive_wait_s: int = 2
    """Seconds, 1 to 20, that a call waits for an answer; also what stopping may take."""
    sweep_s: float = 2.0
    """Seconds between looks for expired, stuck and exhausted requests and for dead letters."""
    rearm_after_s: float = 30.0
    """Seconds after which a published request that nobody works on is published again."""
    lost_after_s: float = 600.0
    """The same while messages still wait on the bus, which are likely to include its own."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the variables named above, and PMESH_RELAY_<FIELD> for the other fields.

        Raises ValueError, naming the variable.
        """
        topic_arn = environ.get("PMESH_TOPIC_ARN", "")
        if not _TOPIC_ARN.fullmatch(topic_arn):
            raise ValueError(f"PMESH_TOPIC_ARN must be the ARN of an SNS topic, not {topic_arn!r}")
        return cls(
            topic_arn=topic_arn,
            bus_prefix=environ.get("PMESH_BUS_PREFIX", cls.bus_prefix),
            features_bucket=environ.get("PMESH_FEATURES_BUCKET", cls.features_bucket),
            max_attempts=int(_positive(environ, "PMESH_MAX_ATTEMPTS", cls.max_attempts)),
            max_in_flight=int(_positive(environ, "PMESH_RELAY_MAX_IN_FLIGHT", cls.max_in_flight)),
            poll_s=_positive(environ, "PMESH_RELAY_POLL_S", cls.poll_s),
            receive_wait_s=int(
                _positive(environ, "PMESH_RELAY_RECEIVE_WAIT_S", cls.receive_wait_s)
            ),
            sweep_s=_positive(environ, "PMESH_RELAY_SWEEP_S", cls.sweep_s),
            rearm_after_s=_positive(environ, "PMESH_RELAY_REARM_AFTER_S", cls.rearm_after_s),
            lost_after_s=_positive(environ, "PMESH_RELAY_LOST_AFTER_S", cls.lost_after_s),
        )


def _positive(environ: Mapping[str, str], variable: str, default: float) -> float:
    try:
        value = float(environ.get(variable, default))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{variable} must be a number above 0, not {environ[variable]!r}")
    return value
