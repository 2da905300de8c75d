"""How many connections PostgreSQL is to take: as many as all programs may open.

The job before a release gives each login its limit, by the values of the chart predict-mesh, and
fails where the server takes fewer than all of them.
"""

from collections.abc import Sequence

from database.logins import ANNOTATION, GATEWAY, MONITORING, RELAY, ROLLOUT, TRAINING, worker_login
from modelkit.values import ModelEntry

GATEWAYS, RELAYS = 10, 2
"""At the most, by the chart's own values; with more, one's own say maxConnections too."""
_OTHERS = 100
"""MLflow, Label Studio, and people."""
_STEP = 250
"""To raise it restarts PostgreSQL, so that a few models more are to have room."""
_MOST = 10_000
"""That the chart postgres takes."""


def max_connections(models: Sequence[ModelEntry]) -> int:
    """Of the chart postgres."""
    single = (ROLLOUT, MONITORING, TRAINING, ANNOTATION)
    needed = GATEWAYS * GATEWAY.connections + RELAYS * RELAY.connections + _OTHERS
    needed += sum(login.connections for login in single)
    needed += sum(
        model.serving.workers.most * worker_login(model.id).connections for model in models
    )
    return min(-(-needed // _STEP) * _STEP, _MOST)
