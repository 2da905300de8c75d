"""MLmodel: how MLflow's own tools describe and load a version. There is no pickle in it."""

import platform
from pathlib import Path

import numpy as np
import yaml

from modelkit import mlflow_loader
from modelkit.abstract_model import AbstractModel
from modelkit.artifact import CODE_DIRECTORY


def write_mlmodel(model: type[AbstractModel], artifact: Path) -> None:
    """Write the file MLmodel, with the model's signature, into an artifact."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    outputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype(output["type"]), output["shape"], output["name"])
        for output in model.manifest()["outputs"]
    ]
    # The input has no name: with one, MLflow would take tables but no plain list of texts.
    signature = ModelSignature(inputs=Schema([ColSpec("string")]), outputs=Schema(outputs))
    description = Model(signature=signature)
    description.add_flavor(
        "python_function",
        loader_module=mlflow_loader.__name__,
        data=".",
        code=CODE_DIRECTORY,
        python_version=platform.python_version(),
    )
    fields = description.to_dict()
    for field in ("utc_time_created", "model_uuid"):  # the same training gives the same file
        del fields[field]
    (artifact / "MLmodel").write_text(yaml.safe_dump(fields))
