"""Records one training in MLflow, and registers what it made as a version."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from modelkit.artifact import digest, file_digest
from modelkit.registry import (
    EVALUATION_FILE,
    EVALUATION_PATH,
    EXAMPLES_SHA256,
    MODEL_PATH,
    SHA256,
    VARIANT,
    connect,
    translated,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient


class TrainingRun:
    """One training of one model, as MLflow shows it."""

    def __init__(self, *, client: "MlflowClient", model: str, run_id: str) -> None:
        self._client = client
        self._model = model
        self._run_id = run_id
        self._examples = ""

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """What the training was given."""
        from mlflow.entities import Param

        values = [Param(name, str(value)) for name, value in parameters.items()]
        self._client.log_batch(self._run_id, params=values)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """How good the result is, and what it took."""
        from mlflow.entities import Metric

        now_ms = int(time() * 1000)
        values = [Metric(name, value, now_ms, 0) for name, value in metrics.items()]
        self._client.log_batch(self._run_id, metrics=values)

    def log_evaluation(self, directory: Path) -> None:
        """Store a folder of figures, and of the examples that they are of."""
        self._examples = file_digest(directory / EVALUATION_FILE)
        self._client.log_artifacts(self._run_id, str(directory), EVALUATION_PATH)

    def register(self, artifact: Path, *, variant: str) -> str:
        """Store the folder and register it. Answers the version, "1" for a model's first."""
        self._client.log_artifacts(self._run_id, str(artifact), MODEL_PATH)
        self._create_registered_model()
        root = self._client.get_run(self._run_id).info.artifact_uri
        version = self._client.create_model_version(
            self._model,
            source=f"{root}/{MODEL_PATH}",
            run_id=self._run_id,
            tags={
                SHA256: digest(artifact),
                EXAMPLES_SHA256: self._examples,
                VARIANT: variant,
            },
            await_creation_for=0,
        )
        return str(version.version)

    def _create_registered_model(self) -> None:
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

        try:
            self._client.create_registered_model(self._model)
        except MlflowException as exc:
            if exc.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise


@contextmanager
def training_run(*, tracking_uri: str, model: str) -> Iterator[TrainingRun]:
    """Open a run in the experiment named like the model; it ends FINISHED, or FAILED on an error.

    Raises RegistryUnavailable, after more patience than who only reads: a training is dear.
    """
    client = connect(tracking_uri, timeout_s=30, retries=5)
    with translated(tracking_uri):
        experiment = client.get_experiment_by_name(model)
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(model)
        run_id = client.create_run(experiment_id).info.run_id
        try:
            yield TrainingRun(client=client, model=model, run_id=run_id)
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
