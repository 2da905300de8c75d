"""A model's versions in a repository and on the Tritons that load from it: one comes, one goes."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from predict.v1.release_refusal_pb2 import ReleaseRefusal

from inference.addresses import Endpoint, endpoints, of_model
from inference.blocking import InferenceError, ServerUnavailable, infer
from inference.repository import RepositoryApi, ServerEnding
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
PATIENCE_S = 120.0
"""For one that starts, or ends: above what the chart lets it drain."""
_POLL_S = 0.5


class Serving:
    """One repository and the servers on it, which are looked up anew each time.

    They are asked one after the other: a version that breaks one of them breaks no other.
    """

    def __init__(
        self,
        *,
        repository: Path,
        address: str,
        key: str,
        device_of: Callable[[str], str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        """address: of the servers, as the setting. key: what they were started with.

        device_of: where they run a model, as the setting. patience_s: for servers that do not
        answer, in each part of a release.
        """
        self.repository = repository
        self._device_of = device_of
        self._address = address
        self._key = key
        self._patience_s = patience_s

    def artifact(self, model: str, version: str) -> Path:
        """Where a version lies that the repository holds."""
        return self.repository / model / version

    def bring_in(self, model: str, version: str, artifact: Path, *, sha256: str) -> None:
        """Lay a version beside the others and load it. Raises Refused, OSError."""
        try:
            device = self._device_of(model)
            write_version(self.repository, model, version, artifact, sha256=sha256, device=device)
        except VersionExists as error:
            raise Refused(Reason.VERSION_EXISTS, str(error)) from error

        def load(server: RepositoryApi) -> None:
            server.load(model)
            if version not in server.versions(model):
                raise InferenceError(f"Triton does not list {model} {version} as ready")

        with _refusing(Reason.LOAD_FAILED):
            self._on_each(model, load)

    def warm_up(self, model: str, version: str, golden: Golden) -> None:
        """Ask a loaded version until it is quick, and compare its answers. Raises Refused."""
        with _refusing(Reason.WARM_UP_FAILED):
            self._on_each(model, lambda server: _warm_up(server, model, version, golden))

    def take_out(self, model: str, gone: Collection[str], *, anew: bool = False) -> None:
        """Have the servers and the repository hold the model's versions but these.

        anew: whether servers that do so are to load the rest again. All are asked, also when one
        fails. Raises InferenceError.
        """
        for version in gone:
            remove_version(self.repository, model, version)
        laid, failures = self.laid(model), []
        for server in self._servers(model):
            try:
                if anew or server.versions(model) != laid:
                    # Triton does not load a model without versions.
                    (server.load if laid else server.unload)(model)
            except InferenceError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        sweep(self.repository, model)

    def renew(self, model: str) -> bool:
        """Give versions of before today's entry; whether Triton has to load the model again.

        Raises OSError.
        """
        return renew(self.repository, model, device=self._device_of(model))

    def laid(self, model: str) -> set[str]:
        """The versions in the repository."""
        return versions(self.repository, model)

    def loaded(self, model: str) -> set[str]:
        """The versions that all servers have loaded. Raises InferenceError."""
        return set.intersection(*(server.versions(model) for server in self._servers(model)))

    def wait(self, model: str) -> None:
        """Until all servers that are there answer: one may be starting, or ending.

        One that starts loads all that is laid; one that ends is gone with its address. Raises
        InferenceError.
        """
        self._all_answering(model, time.monotonic() + self._patience_s)

    def _on_each(self, model: str, do: Callable[[RepositoryApi], None]) -> None:
        """On one after the other; not on one that ends, but on one that comes meanwhile."""
        deadline = time.monotonic() + self._patience_s
        done = set[Endpoint]()
        while True:
            servers = self._all_answering(model, deadline)
            server = next((one for one in servers if one.endpoint not in done), None)
            if server is None:
                return
            try:
                do(server)
                done.add(server.endpoint)
            except ServerUnavailable:
                if not _is_ending(server):
                    raise

    def _all_answering(self, model: str, deadline: float) -> list[RepositoryApi]:
        while True:
            servers = self._servers(model)
            try:
                for server in servers:
                    server.loaded()
            except ServerUnavailable:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_POLL_S)
            else:
                return servers

    def _servers(self, model: str) -> list[RepositoryApi]:
        """Those that are there now, one or more. Raises ServerUnavailable."""
        address = of_model(self._address, model)
        try:
            found = endpoints(address)
        except OSError as error:
            raise ServerUnavailable(f"{address}: {error.strerror}") from error
        return [RepositoryApi(endpoint, key=self._key) for endpoint in found]


def _is_ending(server: RepositoryApi) -> bool:
    try:
        server.loaded()
    except ServerUnavailable as error:
        return isinstance(error, ServerEnding)
    return False


def _warm_up(server: RepositoryApi, model: str, version: str, golden: Golden) -> None:
    for size in WARM_UP_SIZES:
        texts = (golden.texts * size)[:size]
        infer(server.endpoint, model, version, texts, timeout_s=WARM_UP_S)
    said = infer(server.endpoint, model, version, golden.texts, timeout_s=WARM_UP_S)
    value = said["value"].ravel() if "value" in said else None
    try:
        golden.check(Predictions(said["scores"], said["features"], value))
    except GoldenMismatch as error:
        detail = f"on Triton, {server.endpoint.address}: {error}"
        raise Refused(Reason.GOLDEN_MISMATCH, detail) from error


@contextmanager
def _refusing(reason: ReleaseRefusal) -> Iterator[None]:
    """What a server says in the block refuses the version: for this reason, if it says anything."""
    try:
        yield
    except ServerUnavailable as error:
        raise Refused(Reason.TRITON_UNAVAILABLE, str(error)) from error
    except InferenceError as error:
        raise Refused(reason, str(error)) from error
