"""The values of the charts that follow from the list; pmesh/render says what the keys mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelkit.serving import Bounds, ClusterServing
from modelkit.values import ModelEntry
from pmesh.mesh_file import Mesh
from pmesh.render.connections import max_connections
from pmesh.render.outside import foreign_addresses
from pmesh.render.tritons import has_tritons


def of_the_mesh(mesh: Mesh, models: Sequence[ModelEntry]) -> Mapping[str, Any]:
    """Of the chart predict-mesh. Raises InvalidMesh."""
    return {
        "access": mesh.access(models).as_json(),
        "models": [
            {
                "id": model.id,
                "device": _device(model.serving),
                "workers": model.serving.workers.most,
            }
            for model in models
        ],
        "monitoring": {"alerts": {"hosts": list(mesh.outside.alerts)}},
        **_of_both(mesh, models),
    }


def of_a_model(mesh: Mesh, model: ModelEntry) -> Mapping[str, Any]:
    """Of the chart model."""
    serving = model.serving
    return {
        "model": model.id,
        "device": serving.device,
        "tritons": _replicas(serving.tritons if has_tritons(model) else Bounds(0, 0)),
        "workers": _replicas(serving.workers),
        "canary": serving.canary,
        "versions": {version: {"device": own} for version, own in serving.versions.items()},
        **_of_both(mesh, [model]),
    }


def of_the_stores(mesh: Mesh, models: Sequence[ModelEntry]) -> Mapping[str, Mapping[str, Any]]:
    """Of the charts postgres, where that is in the cluster, mlflow and annotation, by their names.

    Raises InvalidMesh.
    """
    buckets, aws = mesh.outside.buckets, {"region": mesh.outside.region}
    stores: dict[str, Mapping[str, Any]] = {
        "mlflow": {
            **_database(mesh),
            "aws": aws,
            "artifacts": f"s3://{buckets['artifacts']}/mlflow",
        },
        "annotation": {
            **_database(mesh),
            **_telemetry(mesh),
            "labelStudio": {"host": mesh.label_host},
        },
    }
    if not mesh.outside.database:
        stores["postgres"] = {
            "aws": aws,
            "backups": {"url": f"s3://{buckets['backups']}/predict"},
            "maxConnections": max_connections(models),
        }
    return stores


def _of_both(mesh: Mesh, models: Sequence[ModelEntry]) -> Mapping[str, Any]:
    outside = mesh.outside
    ports = {port for model in models for _, port in foreign_addresses(model)}
    return {
        **_database(mesh),
        **_telemetry(mesh),
        "aws": {"region": outside.region},
        "bus": {"prefix": outside.bus_prefix},
        "features": {"bucket": outside.buckets["features"]},
        "networkPolicy": {"foreignPorts": sorted(ports)},
    }


def _device(serving: ClusterServing) -> str:
    """What rollout is told; versions of one model have one configuration."""
    devices = {serving.device, *serving.versions.values()}
    return serving.device if len(devices) == 1 else "auto"


def _database(mesh: Mesh) -> Mapping[str, Any]:
    """Where it is, if it is not the chart's: then no mTLS of the mesh is around what goes there."""
    if not mesh.outside.database:
        return {}
    host, port = mesh.outside.database
    return {"database": {"host": host, "port": port, "sslmode": "verify-full"}}


def _telemetry(mesh: Mesh) -> Mapping[str, Any]:
    return {"telemetry": {"otlpEndpoint": mesh.outside.traces}} if mesh.outside.traces else {}


def _replicas(replicas: Bounds) -> Mapping[str, int]:
    return {"least": replicas.least, "most": replicas.most}
