"""Records trainings in MLflow, and registers what they made as numbered versions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

ARTIFACT_PATH = "model"


class TrainingRun:
    """One training of one model, as MLflow shows it."""

    def __init__(self, *, client: MlflowClient, model: str, run_id: str) -> None:
        self._client = client
        self._model = model
        self._run_id = run_id

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """What the training was given."""
        values = [Param(name, str(value)) for name, value in parameters.items()]
        self._client.log_batch(self._run_id, params=values)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """How good the result is."""
        now_ms = int(time() * 1000)
        values = [Metric(name, value, now_ms, 0) for name, value in metrics.items()]
        self._client.log_batch(self._run_id, metrics=values)

    def register(self, artifact: Path) -> str:
        """Store the folder and register it. Answers the version, "1" for a model's first."""
        self._client.log_artifacts(self._run_id, str(artifact), ARTIFACT_PATH)
        try:
            self._client.create_registered_model(self._model)
        except MlflowException as exc:
            if exc.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
        root = self._client.get_run(self._run_id).info.artifact_uri
        version = self._client.create_model_version(
            self._model, source=f"{root}/{ARTIFACT_PATH}", run_id=self._run_id
        )
        return str(version.version)


@contextmanager
def training_run(*, tracking_uri: str, model: str) -> Iterator[TrainingRun]:
    """Open a run in the experiment named like the model; it ends FINISHED, or FAILED on an error.

    Raises MlflowException if MLflow does not answer.
    """
    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name(model)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(model)
    run_id = client.create_run(experiment_id).info.run_id
    try:
        yield TrainingRun(client=client, model=model, run_id=run_id)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
