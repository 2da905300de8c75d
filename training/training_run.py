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
    LABELS_FILE,
    LABELS_SHA256,
    MODEL_PATH,
    RETRAINING,
    SHA256,
    VARIANT,
    connect,
    translated,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient


TIMEOUT_S, RETRIES = 30, 5
"""More patience than who only reads has: a training is dear."""


class TrainingRun:
    """One training of one model, as MLflow shows it."""

    def __init__(self, *, client: "MlflowClient", model: str, run_id: str) -> None:
        self._client = client
        self._model = model
        self._run_id = run_id
        self._digests: dict[str, str] = {}

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
        self._digests = {EXAMPLES_SHA256: file_digest(directory / EVALUATION_FILE)}
        if (labels := directory / LABELS_FILE).exists():
            self._digests[LABELS_SHA256] = file_digest(labels)
        self._client.log_artifacts(self._run_id, str(directory), EVALUATION_PATH)

    def register(self, artifact: Path, *, variant: str, retraining: str = "") -> str:
        """Store the folder and register it. Answers the version, "1" for a model's first.

        retraining: the recorded training that it comes of, by which it is found again.
        """
        self._client.log_artifacts(self._run_id, str(artifact), MODEL_PATH)
        self._create_registered_model()
        root = self._client.get_run(self._run_id).info.artifact_uri
        version = self._client.create_model_version(
            self._model,
            source=f"{root}/{MODEL_PATH}",
            run_id=self._run_id,
            tags={
                SHA256: digest(artifact),
                VARIANT: variant,
                **self._digests,
                **({RETRAINING: retraining} if retraining else {}),
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

    Raises RegistryUnavailable.
    """
    client = connect(tracking_uri, timeout_s=TIMEOUT_S, retries=RETRIES)
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
