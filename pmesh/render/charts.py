"""The values of the charts that follow from the list; pmesh/render says what the keys mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from bus.topology import Names, model_filter
from contract.access import AccessPolicy
from modelkit.serving import Replicas
from modelkit.values import ModelEntry
from pmesh.render.tritons import has_tritons, namespace


def of_the_mesh(
    access: AccessPolicy, models: Sequence[ModelEntry], names: Names
) -> Mapping[str, Any]:
    """Of the chart predict-mesh."""
    most = [model.serving.tritons.most for model in models if has_tritons(model)]
    return {
        "access": access.as_json(),
        "models": [
            {
                "id": model.id,
                "namespace": namespace(model.id),
                "queue": names.model_queue(model.id),
            }
            for model in models
        ],
        "gateway": {"batchesPerVersion": max(most, default=1)},
    }


def of_a_model(model: ModelEntry, names: Names) -> Mapping[str, Any]:
    """Of the chart model."""
    serving = model.serving
    (action,) = model_filter(model.id)["action"]
    return {
        "model": model.id,
        "device": serving.device,
        "tritons": _replicas(serving.tritons if has_tritons(model) else Replicas(0, 0)),
        "workers": _replicas(serving.workers),
        "canary": serving.canary,
        "versions": {version: {"device": own} for version, own in serving.versions.items()},
        "queue": names.model_queue(model.id),
        "action": action,
    }


def _replicas(replicas: Replicas) -> Mapping[str, int]:
    return {"least": replicas.least, "most": replicas.most}
