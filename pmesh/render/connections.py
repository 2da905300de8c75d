"""How many connections PostgreSQL is to take: as many as all programs may open.

The job before a release gives each login its limit, by the values of the chart predict-mesh, and
fails where the server takes fewer than all of them.
"""

from collections.abc import Sequence

from database.logins import ANNOTATION, GATEWAY, MONITORING, RELAY, ROLLOUT, TRAINING, worker_login
from modelkit.values import ModelEntry
from pmesh.mesh_file import InvalidMesh

GATEWAYS, RELAYS = 10, 2
"""At the most, by the chart's own values; with more, one's own say maxConnections too."""
_OTHERS = 100
"""MLflow, Label Studio, and people."""
_STEP = 250
"""To raise it restarts PostgreSQL, so that a few models more are to have room."""
_MOST = 10_000
"""That the chart postgres takes."""


def max_connections(models: Sequence[ModelEntry]) -> int:
    """Of the chart postgres. Raises InvalidMesh where that takes fewer."""
    single = (ROLLOUT, MONITORING, TRAINING, ANNOTATION)
    workers = {
        model.id: model.serving.workers.most * worker_login(model.id).connections
        for model in models
    }
    needed = GATEWAYS * GATEWAY.connections + RELAYS * RELAY.connections + _OTHERS
    needed += sum(login.connections for login in single) + sum(workers.values())
    if needed > _MOST:
        largest = max(workers, key=lambda model: workers[model])
        raise InvalidMesh(
            f"models/{largest}/values.yaml: PostgreSQL in the cluster takes {_MOST} connections,"
            f" and all programs may open {needed}, {workers[largest]} of them these workers:"
            " lower serving.workers.most, here or of other models, or write a pooler's address to"
            " outside.database of mesh.yaml"
        )
    return -(-needed // _STEP) * _STEP
