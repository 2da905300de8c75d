"""Everything that is rendered, as files; and whether what lies there is that."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from modelkit.values import ModelEntry
from pmesh.mesh_file import InvalidMesh, read_mesh
from pmesh.render.charts import of_a_model, of_the_mesh, of_the_stores
from pmesh.render.ids import check_id
from pmesh.render.istio import istio
from pmesh.render.objects import HEADER, as_yaml
from pmesh.render.readme import with_table
from pmesh.render.services import read_services

_ISTIO, _CHARTS, _README = Path("istio"), Path("deploy/charts"), Path("istio/README.md")
_POSTGRES = "postgres/connections"
_BY_HAND = (
    *("default-deny", "mtls", "telemetry", "ingress/callers"),
    *("gateway/connections", _POSTGRES),
)
"""The objects in istio/ that nothing of the list changes."""
_COMMENTS = {
    "callers": "Who is let in; with the refusal of all others in default-deny.yaml.",
    "connections": "How calls are spread, and within which limits.",
    "listeners": "What comes in, by TLS.",
    "outside": "Lets out to something outside the mesh.",
    "routes": "Which way calls go.",
    "tokens": "Whose tokens there are.",
    "visible": "What the proxy of each app knows, and so lets out to.",
}
"""By the name of a file, or of its folder."""


def render(root: Path, models: Sequence[ModelEntry]) -> Mapping[Path, str]:
    """Each file, by its path in the checkout, with its text.

    Raises InvalidMesh, InvalidServices; OSError for a file that cannot be read.
    """
    for model in models:
        try:
            check_id(model.id)
        except ValueError as error:
            raise InvalidMesh(f"models/{model.id}/values.yaml: {error}") from error
    mesh = read_mesh(root / "mesh.yaml")
    table = root / _ISTIO / "services.yaml"
    services = read_services(table, [model.id for model in models])
    of_any_model = read_services(table, ["*"])
    if mesh.outside.database:
        services = services.with_database_outside()
        of_any_model = of_any_model.with_database_outside()
    page = (root / _README).read_text(encoding="utf-8")
    files = {_README: with_table(page, of_any_model)}
    objects_of = istio(mesh, services, models)
    for name, objects in objects_of.items():
        folder, _, stem = name.rpartition("/")
        comment = _COMMENTS.get(stem) or _COMMENTS[folder]
        files[_ISTIO / f"{name}.yaml"] = as_yaml(objects, comment=comment)
    by_hand = [name for name in _BY_HAND if name != _POSTGRES or not mesh.outside.database]
    resources = [f"{name}.yaml" for name in sorted({*objects_of, *by_hand})]
    files[_ISTIO / "kustomization.yaml"] = as_yaml(
        [{"resources": resources}], comment="All objects, for kubectl apply -k."
    )
    values = {"predict-mesh/rendered-values": of_the_mesh(mesh, models)}
    stores = of_the_stores(mesh, models)
    values |= {f"{chart}/rendered-values": said for chart, said in stores.items()}
    values |= {f"model/models/{model.id}": of_a_model(mesh, model) for model in models}
    for name, said in values.items():
        files[_CHARTS / f"{name}.yaml"] = as_yaml([said], comment="Values of the chart.")
    return files


def stale(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Those that are missing there or say something else, and those that are made no more."""
    differ = {path for path, text in files.items() if _text(root / path) != text}
    return sorted(differ | (_made(root) - files.keys()))


def write(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Have these there, and no others that were made here. Tells which that changed."""
    changed = stale(root, files)
    for path in changed:
        if path not in files:
            (root / path).unlink()
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path], encoding="utf-8")
    return changed


def _made(root: Path) -> set[Path]:
    """What says of itself that it was made here."""
    return {
        file.relative_to(root)
        for folder in (_ISTIO, _CHARTS)
        for file in (root / folder).glob("**/*.yaml")
        if _text(file).startswith(HEADER)
    }


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""
