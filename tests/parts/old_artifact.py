"""Artifacts as they were before the platform's part of their code was called modelkit."""

from pathlib import Path

LOADER = """\
import importlib
import json
from pathlib import Path

from model_runtime.abstract_model import MANIFEST_FILE


class LoadedVersion:
    def __init__(self, model):
        self._model = model

    def predict(self, model_input):
        predictions = self._model.predict(list(model_input.iloc[:, 0]))
        return {"scores": predictions.scores, "features": predictions.features}


def _load_pyfunc(path):
    directory = Path(path)
    module, _, name = json.loads((directory / MANIFEST_FILE).read_text())["class"].partition(":")
    return LoadedVersion(getattr(importlib.import_module(module), name).load(directory))
"""


def as_before(artifact: Path) -> None:
    """Lay out an artifact the old way: code/model_runtime/{abstract_model,mlflow_loader}.py."""
    code = artifact / "code"
    (code / "modelkit").rename(code / "model_runtime")
    (code / "model_runtime" / "loading.py").unlink()
    (code / "model_runtime" / "mlflow_loader.py").write_text(LOADER)
    for file in [*code.rglob("*.py"), *artifact.glob("MLmodel")]:
        file.write_text(file.read_text().replace("modelkit.", "model_runtime."))
