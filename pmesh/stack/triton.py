"""Triton: started by the recipe of triton_repo.server, watched by real inferences."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from triton_repo import server
from triton_repo.control import Loaded, TritonError
from triton_repo.control import Triton as Control

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


class Triton:
    """The server on a repository of models."""

    def __init__(
        self,
        home: Home,
        *,
        http_port: int,
        grpc_port: int,
        metrics_port: int,
        served: Callable[[], Collection[Loaded] | None],
    ) -> None:
        """served: what PostgreSQL says is served; None if it cannot tell."""
        self.http_address = f"127.0.0.1:{http_port}"
        self.control = Control(self.http_address)
        self._served = served
        self.repository = home.path / "triton_repo"
        self._backends = home.path / "triton_backends"
        self._http_port = http_port
        self._grpc_port = grpc_port
        self._metrics_port = metrics_port
        # Servers that share a machine must not share the names of their memory.
        digest = hashlib.sha256(str(home.path).encode()).hexdigest()
        self._memory_prefix = f"pmesh-{digest[:8]}-"

    def part(self, *, environment: Mapping[str, str]) -> Part:
        """Its recipe."""
        command = server.command(
            repository=self.repository,
            backends=self._backends,
            http_port=self._http_port,
            grpc_port=self._grpc_port,
            metrics_port=self._metrics_port,
            memory_prefix=self._memory_prefix,
        )
        return Part(
            name="triton",
            command=command,
            environment=server.environment(environment),
            before=self._prepare,
            is_ready=self._is_ready,
            watched=True,
        )

    def _prepare(self) -> None:
        self.repository.mkdir(exist_ok=True)
        server.prepare_backends(self._backends)
        for region in _SHARED_MEMORY.glob(f"{self._memory_prefix}*"):  # of a server that was killed
            region.unlink()

    def _is_ready(self) -> bool:
        """Whether every version that serves answers.

        Triton goes on calling a model ready when the process behind it is dead: only an
        inference shows it. One that a release is still trying out may well be dead.
        """
        try:
            served = self._served()
            for loaded in self.control.loaded():
                if served is None or loaded in served:
                    self.control.infer(loaded.model, loaded.version, ["ready?"])
        except TritonError:
            return False
        return True
