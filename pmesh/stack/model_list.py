"""The one list of models: the folders of `models` that have a values.yaml."""

from dataclasses import dataclass
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class ModelEntry:
    """What a model's values.yaml says of it."""

    id: str
    description: str
    labels: list[str]


def read_model_list() -> list[ModelEntry]:
    """All models, ordered by id. Raises ValueError for a values.yaml that names another model."""
    folders = sorted(files("models").iterdir(), key=lambda folder: folder.name)
    return [
        _read(folder.name, values.read_text(encoding="utf-8"))
        for folder in folders
        if (values := folder.joinpath("values.yaml")).is_file()
    ]


def _read(folder: str, text: str) -> ModelEntry:
    values = yaml.safe_load(text)
    if values["id"] != folder:
        raise ValueError(f"models/{folder}/values.yaml is of {values['id']!r}")
    return ModelEntry(
        id=values["id"], description=values["description"], labels=list(values["labels"])
    )
