"""How MLflow reads a registered version: `mlflow.pyfunc.load_model("models:/sentiment/7")`.

MLflow puts the version's code first on the path and calls `_load_pyfunc`. Where other code of the
same names is imported already, as in this project's own programs, that one runs instead.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from modelkit.abstract_model import AbstractModel
from modelkit.loading import load_model


class LoadedVersion:
    """What MLflow calls a python_function."""

    def __init__(self, model: AbstractModel) -> None:
        self._model = model

    def predict(self, model_input: Any) -> dict[str, npt.NDArray[Any]]:
        """Predict n texts, given as a table of one column.

        Answers `scores` (n, labels), `features` (n, d) and, where there is one, `value` (n, 1).
        """
        texts: Iterable[str] = model_input.iloc[:, 0]
        predictions = self._model.predict(list(texts))
        outputs = {"scores": predictions.scores, "features": predictions.features}
        if predictions.value is not None:
            outputs["value"] = predictions.value.reshape(-1, 1)
        return outputs


def _load_pyfunc(path: str) -> LoadedVersion:
    """The name that MLflow looks for. path: the folder of the version."""
    return LoadedVersion(load_model(Path(path)))
