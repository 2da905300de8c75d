"""The registry: the numbered versions of each model, which MLflow keeps.

A version's files are `model/` (see artifact.py) and `evaluation/` of the run that made it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from modelkit.artifact import digest, file_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

MODEL_PATH, EVALUATION_PATH = "model", "evaluation"
EVALUATION_FILE, LABELS_FILE = "evaluation.tsv", "labels.jsonl"
CHAMPION = "champion"
SHA256, EXAMPLES_SHA256, LABELS_SHA256 = "sha256", "examples_sha256", "labels_sha256"
VARIANT, RETRAINING = "variant", "retraining"

_PASSWORD = re.compile(r"://[^/@\s]*@")
"""In a URL, with the user's name."""


class RegistryError(Exception):
    """The registry did not give what was asked of it. The message says why."""


class RegistryUnavailable(RegistryError):
    """MLflow does not answer in time, or answers with an error."""


class VersionUnknown(RegistryError):
    """There is no such version, or no version at all."""


class ArtifactCorrupt(RegistryError):
    """A version's files are missing, or are not those that were registered."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one model."""

    model: str
    number: str
    """"1" for the first."""
    run_id: str
    """The MLflow run that trained it."""
    sha256: str
    """`artifact.digest` of its folder; empty if it was registered without."""
    examples_sha256: str
    """Of its file of held-out examples."""
    labels_sha256: str
    """Of its file of labelled predictions; empty if it was trained without."""
    variant: str

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"


class Registry:
    """Reads versions, and says which one is the champion.

    All methods raise RegistryUnavailable: MLflow is asked three times and given 10 s each, if
    nothing else is said here or by its own variables MLFLOW_HTTP_REQUEST_*.
    """

    def __init__(self, tracking_uri: str, *, timeout_s: int = 10, retries: int = 2) -> None:
        self._uri = tracking_uri
        self._client = connect(tracking_uri, timeout_s=timeout_s, retries=retries)

    def latest(self, name: str) -> Version:
        """The version with the highest number. Raises VersionUnknown."""
        with translated(self._uri):
            found = self._client.search_model_versions(
                f"name = '{name}'", order_by=["version_number DESC"], max_results=1
            )
        if not found:
            raise VersionUnknown(f"{name} has no version yet; train one")
        return _version(found[0])

    def version(self, name: str, number: str) -> Version:
        """One version. Raises VersionUnknown."""
        if not number.isdecimal():
            raise VersionUnknown(f"{name}@{number}: a version is a number, such as {name}@1")
        with translated(self._uri, unknown=f"{name} has no version {number}"):
            return _version(self._client.get_model_version(name, number))

    def download(self, name: str, number: str, into: Path) -> Path:
        """Copy the version's folder `model` into a folder, and check its digest.

        Answers the copy. Raises VersionUnknown, ArtifactCorrupt.
        """
        version = self.version(name, number)
        copy = self._download(version, MODEL_PATH, into)
        if not version.sha256:
            raise ArtifactCorrupt(f"{version} has no tag {SHA256}; train it anew")
        if (found := digest(copy)) != version.sha256:
            raise ArtifactCorrupt(
                f"{version} is not what was registered: its digest is {found},"
                f" its tag {SHA256} says {version.sha256}"
            )
        return copy

    def evaluation(self, name: str, number: str, into: Path) -> Path:
        """Copy the version's held-out examples into a folder.

        Answers the file. Raises VersionUnknown, ArtifactCorrupt.
        """
        version = self.version(name, number)
        return self._evaluation(version, EVALUATION_FILE, version.examples_sha256, into)

    def labels(self, name: str, number: str, into: Path) -> Path | None:
        """Copy the list of the labelled predictions that the version was trained with.

        Answers the file, None for a version without. Raises VersionUnknown, ArtifactCorrupt.
        """
        version = self.version(name, number)
        if not version.labels_sha256:
            return None
        return self._evaluation(version, LABELS_FILE, version.labels_sha256, into)

    def of_retraining(self, name: str, retraining: str) -> Version | None:
        """The version that a recorded training has registered, if it has."""
        query = f"name = '{name}' and tags.{RETRAINING} = '{retraining}'"
        with translated(self._uri):
            found = self._client.search_model_versions(query, max_results=1)
        return _version(found[0]) if found else None

    def alias(self, name: str, alias: str) -> Version | None:
        """The version that has the alias, if one has it."""
        try:
            with translated(self._uri, unknown=f"{name} has no version yet"):
                aliases: dict[str, str] = self._client.get_registered_model(name).aliases
        except VersionUnknown:
            return None
        return self.version(name, str(aliases[alias])) if alias in aliases else None

    def set_alias(self, name: str, alias: str, number: str) -> None:
        """Give the alias to this version and to no other. Raises VersionUnknown."""
        version = self.version(name, number)
        with translated(self._uri):
            self._client.set_registered_model_alias(name, alias, version.number)

    def record(self, version: Version, *, metrics: dict[str, float], tags: dict[str, str]) -> None:
        """Add to what the version's run says of it."""
        from mlflow.entities import Metric, RunTag

        now_ms = int(time() * 1000)
        with translated(self._uri):
            self._client.log_batch(
                version.run_id,
                metrics=[Metric(name, value, now_ms, 0) for name, value in metrics.items()],
                tags=[RunTag(name, value) for name, value in tags.items()],
            )

    def _evaluation(self, version: Version, name: str, sha256: str, into: Path) -> Path:
        file = self._download(version, f"{EVALUATION_PATH}/{name}", into)
        if file_digest(file) != sha256:
            raise ArtifactCorrupt(f"{version}: its held-out examples are not what was registered")
        return file

    def _download(self, version: Version, path: str, into: Path) -> Path:
        folder = path.rpartition("/")[0] or None
        with translated(self._uri):
            if path not in {e.path for e in self._client.list_artifacts(version.run_id, folder)}:
                raise ArtifactCorrupt(f"{version} has no {path}; train it anew")
            return Path(self._client.download_artifacts(version.run_id, path, str(into)))


def connect(tracking_uri: str, *, timeout_s: int, retries: int) -> "MlflowClient":
    """A client that gives up. By its own defaults it would try for many minutes.

    timeout_s: for each try; the pauses between tries are 2 s, 4 s and so on.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(timeout_s))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its lines are like ours
    from mlflow import MlflowClient  # seconds; it reads those variables at each request

    return MlflowClient(tracking_uri)


@contextmanager
def translated(tracking_uri: str, *, unknown: str = "") -> Iterator[None]:
    """Raise our errors instead of MLflow's. unknown: what it means that something is not there."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
    from requests import RequestException

    try:
        yield
    except (MlflowException, RequestException) as exc:
        code = getattr(exc, "error_code", None)
        if unknown and code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise VersionUnknown(unknown) from exc
        why = f"MLflow at {tracking_uri} failed; does it run? {exc}"
        raise RegistryUnavailable(_PASSWORD.sub("://", why)) from exc


def _version(found: "ModelVersion") -> Version:
    return Version(
        model=found.name,
        number=str(found.version),
        run_id=found.run_id or "",
        sha256=found.tags.get(SHA256, ""),
        examples_sha256=found.tags.get(EXAMPLES_SHA256, ""),
        labels_sha256=found.tags.get(LABELS_SHA256, ""),
        variant=found.tags.get(VARIANT, "model"),
    )
