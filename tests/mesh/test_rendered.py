"""What `pmesh render` makes of other lists than that of this checkout is taken, too."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from modelkit.serving import ClusterServing
from modelkit.values import ForeignVersion, ModelEntry
from pmesh.render.ids import LONGEST
from tests.mesh.api_server import ApiServer, namespaces
from tests.mesh.istiod import Istiod
from tests.parts.mesh_list import mesh_objects

PLAIN = ModelEntry(id="mood", description="", labels=["good"], is_trained_here=True)
POOLS = ModelEntry(
    id="mood",
    description="",
    labels=["good"],
    is_trained_here=True,
    serving=ClusterServing(canary=10, versions={"12": "gpu", "13": "cpu"}),
)
FOREIGN = ModelEntry(
    id="mood",
    description="",
    labels=["good"],
    is_trained_here=False,
    foreign={
        "7": ForeignVersion(address="models.example.com:9000", labels=["good"]),
        "8": ForeignVersion(address="models.example.com:9001", labels=["good"]),
        "9": ForeignVersion(address="oip.kserve.svc.cluster.local:8081", labels=["good"]),
    },
)
EDGES = [PLAIN, ModelEntry(id="m" * LONGEST, description="", labels=["good"], is_trained_here=True)]


@pytest.mark.parametrize(
    ("models", "changes"),
    [
        pytest.param([], {}, id="no model"),
        pytest.param([POOLS], {}, id="canaries and versions of their own"),
        pytest.param([FOREIGN], {}, id="servers of others"),
        pytest.param(EDGES, {}, id="the longest name"),
        pytest.param(
            [PLAIN], {"outside/database": "db.example.com:5433"}, id="a database elsewhere"
        ),
        pytest.param([PLAIN], {"outside/alerts": []}, id="nobody is told of alerts"),
    ],
)
def test_each_object_is_taken(
    api: ApiServer,
    istiod: Istiod,
    models: Sequence[ModelEntry],
    changes: Mapping[str, Any],
) -> None:
    objects = mesh_objects(changes, models)
    api.apply(namespaces(one["metadata"]["namespace"] for one in objects))
    api.apply(objects, "--dry-run=server")
