"""The version that is measured, as a model in this process."""

import importlib
import json
from pathlib import Path

from model_runtime.abstract_model import AbstractModel


def load_model(directory: Path) -> AbstractModel:
    """Load a version of `sentiment`, whichever its architecture."""
    module, _, name = json.loads((directory / "model.json").read_text())["class"].partition(":")
    found: type[AbstractModel] = getattr(importlib.import_module(module), name)
    return found.load(directory)
