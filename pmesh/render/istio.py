"""The objects of istio/ that follow from the list, by their files."""

from collections.abc import Mapping, Sequence

from gateway.envoy.access_paths import rest_paths
from gateway.envoy.descriptors import load_descriptors
from modelkit.values import ModelEntry
from pmesh.mesh_file import Mesh
from pmesh.render import gateway, ingress, outside, tritons
from pmesh.render.callers import allow, by_identity
from pmesh.render.objects import Object
from pmesh.render.services import Name, Services


def istio(
    mesh: Mesh, services: Services, models: Sequence[ModelEntry]
) -> Mapping[str, Sequence[Object]]:
    """File in istio/ -> what it holds. Raises InvalidMesh."""
    contract = load_descriptors()
    access = mesh.access(models)
    files: dict[str, list[Object]] = {
        "ingress/listeners": [ingress.listeners(mesh.host, mesh.label_host)],
        "gateway/routes": [ingress.to_the_gateway(mesh.host, contract)],
        "gateway/tokens": [gateway.tokens(access)],
        "label-studio/routes": [ingress.to_label_studio(mesh.label_host)],
    }
    for service, rules in services.rules.items():
        policy = (
            gateway.callers(access, rules, rest_paths(contract))
            if service == gateway.GATEWAY
            else allow(service, by_identity(rules))
        )
        files.setdefault(f"{_folder(service)}/callers", []).append(policy)
    for what, entry in outside.entries(mesh, services).items():
        files[f"outside/{what}"] = [entry]
    for namespace in sorted({service.namespace for service in services.rules}):
        seen = outside.visible(namespace, services, mesh, models)
        files[f"visible/{namespace}"] = seen
    for host, server in outside.foreign_servers(models).items():
        files[f"outside/{host}"] = [server]
    for model in filter(tritons.has_tritons, models):
        files[f"models/{model.id}/routes"] = [tritons.routes(model)]
        files[f"models/{model.id}/connections"] = [
            tritons.pool(model),
            tritons.connections(model),
            tritons.mutual_tls(model),
        ]
    return files


def _folder(service: Name) -> str:
    of_model = service.namespace.removeprefix("model-")
    return service.name if of_model == service.namespace else f"models/{of_model}"
