"""A model's versions on one Triton and in its repository: bring one in, take one out."""

from collections.abc import Collection
from pathlib import Path

from inference.blocking import InferenceError, ServerUnavailable, infer
from inference.repository import Loaded, RepositoryApi
from modelkit.abstract_model import Predictions
from modelkit.golden import Golden, GoldenMismatch
from rollout.refusal import Reason, Refused
from triton_repo.writer import (
    VersionExists,
    remove_version,
    renew,
    sweep,
    versions,
    write_version,
)

WARM_UP_SIZES = (1, 2, 8, 32)
"""Texts of the batches that a new version is first asked."""
WARM_UP_S = 60.0


class Serving:
    """One repository and the server on it."""

    def __init__(self, *, repository: Path, triton: RepositoryApi, device: str) -> None:
        self.repository = repository
        self.device = device
        self._triton = triton

    def artifact(self, model: str, version: str) -> Path:
        """Where a version lies that the repository holds."""
        return self.repository / model / version

    def bring_in(self, model: str, version: str, artifact: Path, *, sha256: str) -> None:
        """Lay a version beside the others and load it. Raises Refused, OSError."""
        try:
            write_version(
                self.repository, model, version, artifact, sha256=sha256, device=self.device
            )
        except VersionExists as error:
            raise Refused(Reason.VERSION_EXISTS, str(error)) from error
        try:
            self._triton.load(model)
            loaded = Loaded(model, version) in self._triton.loaded()
        except ServerUnavailable as error:
            raise Refused(Reason.TRITON_UNAVAILABLE, str(error)) from error
        except InferenceError as error:
            raise Refused(Reason.LOAD_FAILED, str(error)) from error
        if not loaded:
            raise Refused(Reason.LOAD_FAILED, f"Triton does not list {model} {version} as ready")

    def warm_up(self, model: str, version: str, golden: Golden) -> None:
        """Ask a loaded version until it is quick, and compare its answers. Raises Refused."""
        try:
            for size in WARM_UP_SIZES:
                texts = (golden.texts * size)[:size]
                infer(self._triton.address, model, version, texts, timeout_s=WARM_UP_S)
            said = infer(self._triton.address, model, version, golden.texts, timeout_s=WARM_UP_S)
        except ServerUnavailable as error:
            raise Refused(Reason.TRITON_UNAVAILABLE, str(error)) from error
        except InferenceError as error:
            raise Refused(Reason.WARM_UP_FAILED, str(error)) from error
        value = said["value"].ravel() if "value" in said else None
        try:
            golden.check(Predictions(said["scores"], said["features"], value))
        except GoldenMismatch as error:
            raise Refused(Reason.GOLDEN_MISMATCH, f"on Triton: {error}") from error

    def take_out(self, model: str, gone: Collection[str]) -> None:
        """Unload versions and remove them from the repository. Raises InferenceError."""
        for version in gone:
            remove_version(self.repository, model, version)
        self.load(model)
        sweep(self.repository, model)

    def renew(self, model: str) -> bool:
        """Give versions of before today's entry; whether Triton has to load the model again.

        Raises OSError.
        """
        return renew(self.repository, model, device=self.device)

    def laid(self, model: str) -> set[str]:
        """The versions in the repository."""
        return versions(self.repository, model)

    def loaded(self, model: str) -> set[str]:
        """The versions that Triton has loaded. Raises InferenceError."""
        return {version for name, version in self._triton.loaded() if name == model}

    def load(self, model: str) -> None:
        """Make Triton have what the repository holds. Raises InferenceError."""
        # Triton does not load a model without versions.
        (self._triton.load if self.laid(model) else self._triton.unload)(model)
