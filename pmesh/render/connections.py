"""How many connections PostgreSQL is to take: as many as all programs may open.

The job before a release gives each login its limit, by the values of the chart predict-mesh, and
fails where the server takes fewer than all of them.
"""

from collections.abc import Sequence

from database.logins import ANNOTATION, GATEWAY, MONITORING, RELAY, ROLLOUT, TRAINING
from modelkit.values import ModelEntry
from pmesh.mesh_file import InvalidMesh

GATEWAYS, RELAYS = 10, 2
"""At the most, by the chart's own values; with more, one's own say maxConnections too."""
_OTHERS = 100
"""MLflow, Label Studio, and people."""
_OF_A_WORKER = 8
_STEP = 250
"""To raise it restarts PostgreSQL, so that a few models more are to have room."""
_MOST = 10_000
"""That the chart postgres takes."""


def max_connections(models: Sequence[ModelEntry]) -> int:
    """Raises InvalidMesh where no server takes so many."""
    single = (ROLLOUT, MONITORING, TRAINING, ANNOTATION)
    needed = GATEWAYS * GATEWAY.connections + RELAYS * RELAY.connections + _OTHERS
    needed += sum(login.connections for login in single)
    needed += sum(_OF_A_WORKER * model.serving.workers.most for model in models)
    if needed > _MOST:
        raise InvalidMesh(
            f"all programs together may open {needed} connections, and PostgreSQL takes {_MOST}:"
            " lower serving.workers.most of models"
        )
    return -(-needed // _STEP) * _STEP
