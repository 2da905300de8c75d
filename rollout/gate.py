"""What a version must show before Triton is asked to load it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from modelkit.abstract_model import Predictions
from modelkit.artifact import UnknownModel, digest, model_class
from modelkit.dataset import check_truths
from modelkit.golden import Golden, GoldenMismatch
from modelkit.isolation import ArtifactFailed, Failure, run_artifact
from modelkit.labelled import FindTexts, read_held_out
from modelkit.registry import (
    ArtifactCorrupt,
    Registry,
    RegistryUnavailable,
    VersionUnknown,
)
from rollout.foreign import ForeignVersions
from rollout.quality import ANY_LOSS, judge_quality
from rollout.refusal import Reason, Refused
from rollout.serving import Serving
from rollout.signature import check_config, check_declaration, check_registered_signature
from triton_repo.config import Manifest

REPLAY_S = 600.0
"""For an artifact to load and to predict its golden texts and the held-out examples. A release has
the lowest priority, so on a machine that is busy serving it takes its time."""

_FAILURES = {
    Failure.LOAD: Reason.DOES_NOT_LOAD,
    Failure.PREDICT: Reason.FAILS,
    Failure.CRASH: Reason.CRASHES,
    Failure.TIMEOUT: Reason.CRASHES,
    Failure.OUTPUT_NAME: Reason.OUTPUT_NAME,
    Failure.OUTPUT_TYPE: Reason.OUTPUT_TYPE,
    Failure.OUTPUT_SHAPE: Reason.OUTPUT_SHAPE,
    Failure.OUTPUT_VALUE: Reason.FAILS,
}


class Candidate(NamedTuple):
    """A version that has passed."""

    artifact: Path
    sha256: str
    golden: Golden
    verdict: str
    """How good it is, in a sentence."""
    labels: Sequence[str]
    """In the order of its scores."""


class Gate:
    """Checks versions of the registry. Each check has a reason of its own to refuse."""

    def __init__(
        self,
        *,
        registry: Registry,
        serving: Serving,
        foreign: ForeignVersions,
        find_texts: FindTexts,
    ) -> None:
        """find_texts: of labelled predictions, which a version keeps by their ids."""
        self._registry = registry
        self._find_texts = find_texts
        self._serving = serving
        self._foreign = foreign

    def find(self, model: str, version: str) -> None:
        """See that the registry has the version. Raises Refused."""
        with _registry_errors():
            self._registry.version(model, version)

    def check(
        self,
        model: str,
        version: str,
        *,
        labels: Sequence[str],
        champion: str | None,
        margin: float,
        scratch: Path,
    ) -> Candidate:
        """Download a version into `scratch` and check it.

        labels: of the model, as its clients know them. champion: the version that a new one must
        not be worse than by more than the margin, if there is one. Raises Refused.
        """
        with _registry_errors():
            artifact = self._registry.download(model, version, scratch)
            evaluation = self._registry.evaluation(model, version, scratch)
            labelled = self._registry.labels(model, version, scratch)
        sha256 = digest(artifact)
        check_declaration(artifact, labels=labels)
        check_registered_signature(artifact)
        present = self._serving.laid(model) - {version}
        check_config(artifact, [self._serving.artifact(model, other) for other in present])
        try:
            golden = Golden.read(artifact)
            held_out = read_held_out(evaluation, labelled, self._find_texts)
            judge = model_class(model)()
            check_truths(judge, held_out.examples)
        except UnknownModel as error:
            raise Refused(Reason.MODEL_UNKNOWN, str(error)) from error
        except (OSError, ValueError, TypeError) as error:
            raise Refused(Reason.ARTIFACT_CORRUPT, str(error)) from error
        texts = [example.text for example in held_out.examples]
        said = _replay(artifact, [*golden.texts, *texts])
        _check_golden(golden, _rows(said, 0, len(golden.texts)))
        verdict = "there is no version to compare it with"
        if champion is not None and champion != version:
            verdict = judge_quality(
                judge,
                held_out.examples,
                _rows(said, len(golden.texts), None),
                version=version,
                champion=champion,
                ask_champion=lambda: self._ask(model, champion, texts, margin),
                margin=margin,
            )
        if held_out.erased:
            verdict += f"; {held_out.erased} held-out examples have been erased"
        own_labels = Manifest.read(artifact / "model.json").labels
        return Candidate(artifact, sha256, golden, verdict, own_labels)

    def _ask(
        self, model: str, champion: str, texts: Sequence[str], margin: float
    ) -> Predictions | None:
        """What the champion says; None if it fails."""
        try:
            if server := self._foreign.server(model, champion):
                return server.ask(texts)
            return run_artifact(
                self._serving.artifact(model, champion), texts, REPLAY_S
            ).predictions
        except Refused as error:
            is_silent, why = error.reason == Reason.SERVER_UNAVAILABLE, error.detail
        except ArtifactFailed as error:
            is_silent, why = error.kind in (Failure.CRASH, Failure.TIMEOUT), str(error)
        if is_silent and margin < ANY_LOSS:
            raise Refused(Reason.CHAMPION_SILENT, f"version {champion}, to compare with, {why}")
        return None


@contextmanager
def _registry_errors() -> Iterator[None]:
    try:
        yield
    except RegistryUnavailable as error:
        raise Refused(Reason.REGISTRY_UNAVAILABLE, str(error)) from error
    except VersionUnknown as error:
        raise Refused(Reason.VERSION_UNKNOWN, str(error)) from error
    except ArtifactCorrupt as error:
        raise Refused(Reason.ARTIFACT_CORRUPT, str(error)) from error


def _check_golden(golden: Golden, said: Predictions) -> None:
    try:
        golden.check(said)
    except GoldenMismatch as error:
        raise Refused(Reason.GOLDEN_MISMATCH, str(error)) from error
    except ValueError as error:  # answers that are no table
        raise Refused(Reason.ARTIFACT_CORRUPT, f"golden.json: {error}") from error


def _replay(artifact: Path, texts: list[str]) -> Predictions:
    try:
        return run_artifact(artifact, texts, REPLAY_S).predictions
    except ArtifactFailed as error:
        raise Refused(_FAILURES[error.kind], error.detail) from error


def _rows(predictions: Predictions, start: int, end: int | None) -> Predictions:
    scores, features, value = predictions
    return Predictions(
        scores[start:end], features[start:end], None if value is None else value[start:end]
    )
