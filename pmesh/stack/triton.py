"""Triton: started by the recipe of tritonserver.py, watched by real inferences."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from inference.blocking import InferenceError, all_answer
from inference.repository import Loaded, RepositoryApi
from pmesh.stack import tritonserver
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.sockets import make_private, socket_folder

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


class Triton:
    """The server on a repository of models."""

    def __init__(
        self, home: Home, *, metrics_port: int, served: Callable[[], Collection[Loaded] | None]
    ) -> None:
        """served: what PostgreSQL says that this server serves; None if it cannot tell."""
        self._sockets = socket_folder(home.path)
        self.address = tritonserver.address(self._sockets)
        self.key = home.secret("triton")
        self.repository = home.path / "triton_repo"
        self._loaded = RepositoryApi(self.address, key=self.key).loaded
        self._served = served
        self._backends = home.path / "triton_backends"
        self._metrics_port = metrics_port
        # Servers that share a machine must not share the names of their memory.
        digest = hashlib.sha256(str(home.path).encode()).hexdigest()
        self._memory_prefix = f"pmesh-{digest[:8]}-"

    def part(self, *, environment: Mapping[str, str]) -> Part:
        """Its recipe."""
        command = tritonserver.command(
            repository=self.repository,
            backends=self._backends,
            sockets=self._sockets,
            metrics_port=self._metrics_port,
            memory_prefix=self._memory_prefix,
            key=self.key,
        )
        return Part(
            name="triton",
            command=command,
            environment=tritonserver.environment(environment),
            before=self._prepare,
            is_ready=self._is_ready,
            watched=True,
        )

    def _prepare(self) -> None:
        self.repository.mkdir(exist_ok=True)
        make_private(self._sockets)
        tritonserver.prepare_backends(self._backends)
        for region in _SHARED_MEMORY.glob(f"{self._memory_prefix}*"):  # of a server that was killed
            region.unlink()

    def _is_ready(self) -> bool:
        """Whether every version that serves answers.

        Not those that a release is still trying out, which may well be dead.
        """
        try:
            loaded = self._loaded()
        except InferenceError:
            return False
        served = self._served()
        return all_answer(self.address, (v for v in loaded if served is None or v in served))
