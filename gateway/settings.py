"""What the gateway's application can be told by its environment.

The database is found by the standard PG* variables; Envoy's part is in gateway.envoy.front.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from contract.limits import MAX_BATCH_TEXTS
from contract.settings import setting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The application's settings; a default suits one machine."""

    max_batch: int = setting(
        "PMESH_GATEWAY_MAX_BATCH", MAX_BATCH_TEXTS, least=1, most=MAX_BATCH_TEXTS
    )
    """Texts that go to a model in one call, at the most."""
    batches_per_version: int = setting("PMESH_GATEWAY_BATCHES_PER_VERSION", 1, least=1, most=1000)
    """Such calls side by side for one version at each of its servers: as many as one has instances
    of it. More make the batches smaller, and each batch costs the same to carry."""
    batches_per_server: int = setting("PMESH_GATEWAY_BATCHES_PER_SERVER", 4, least=1, most=1000)
    """Such calls side by side at each server for all its models, shared out in turn: about twice
    its processors."""
    max_waiting: int = setting("PMESH_GATEWAY_MAX_WAITING", 2048, least=1)
    """Texts that may wait for one version of a model, and rows that may wait for the database,
    before calls are refused as OVERLOADED: those of the callers who have the most waiting."""
    max_connections: int = setting("PMESH_GATEWAY_MAX_CONNECTIONS", 4096, least=1)
    """Calls of callers with names that may be open at once, shared out among these: as many as
    there may be connections, of which a call by HTTP/1.1 has one to itself."""
    max_call_s: float = setting("PMESH_GATEWAY_MAX_CALL_S", 10.0, least=0.001)
    """Seconds that a prediction made now may take when the caller gives no shorter deadline."""
    max_inference_s: float = setting("PMESH_GATEWAY_MAX_INFERENCE_S", 60.0, least=0.001)
    """Seconds after which a server that has not ended a batch is no longer waited for."""
    caller_header: str = setting(
        "PMESH_GATEWAY_CALLER_HEADER",
        "",
        matching=re.compile("(?!.*-bin$)[a-z0-9]+(-[a-z0-9]+)*"),
        meaning="the name of a header of text, in lower case",
    )
    """Header in which a proxy in front says who calls, such as x-forwarded-user; the proxy must set
    it itself and drop what a client sends. Empty: callers are not told apart."""
    access: Path | None = setting("PMESH_GATEWAY_ACCESS", None)
    """File of the access policy, as contract.access reads it: who calls is then what a token says,
    and what he may do, what his roles give. None: everybody may do everything."""
    metrics_address: str = setting("PMESH_GATEWAY_METRICS_ADDRESS", "127.0.0.1")
    """IP address at which Prometheus reads the metrics."""
    metrics_port: int = setting("PMESH_GATEWAY_METRICS_PORT", 9464, most=65535)
    """Port for that; 0: nowhere, and nothing is counted."""
    admin_port: int = setting("PMESH_GATEWAY_ADMIN_PORT", 9901, least=1, most=65535)
    """Of Envoy's admin interface, which knows of connections."""
    database_connections: int = setting("PMESH_GATEWAY_DATABASE_CONNECTIONS", 4, least=1, most=1000)
    """Connections to PostgreSQL for all but the recording of predictions, which has its own."""
    spool: Path = setting("PMESH_FEATURES_SPOOL", Path("spool"))
    """The folder of feature rows that are not in S3 yet; of this gateway alone."""
    spool_max_bytes: int = setting("PMESH_FEATURES_SPOOL_MAX_BYTES", 1 << 30, most=1 << 50)
    """What may lie there; beyond it features are not kept."""
    drain_fd: int = setting("PMESH_GATEWAY_DRAIN_FD", 0)
    """Of the pipe by which gateway.main tells of the end; it sets this itself. 0: there is none."""
    keys: Path | None = setting("PMESH_GATEWAY_KEYS", None)
    """Where gateway.main writes the issuer's keys for Envoy; it sets this itself."""
    features_bucket: str = setting("PMESH_FEATURES_BUCKET", "predict-features")
    """Where they will lie in S3."""
