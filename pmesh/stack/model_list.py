"""The one list of models: the folders of `models` that have a values.yaml."""

from modelkit.values import ModelEntry, read_models

__all__ = ["ModelEntry", "read_model_list"]


def read_model_list() -> list[ModelEntry]:
    """All models, ordered by id. Raises ValueError for a values.yaml that cannot be used."""
    return read_models()
