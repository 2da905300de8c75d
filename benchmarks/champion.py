"""The version that is measured, as a model in this process."""

from pathlib import Path

from modelkit import loading
from modelkit.abstract_model import AbstractModel


def load_model(directory: Path) -> AbstractModel:
    """Load a version of `sentiment`, whichever its architecture."""
    model: AbstractModel = loading.load_model(directory)
    return model
