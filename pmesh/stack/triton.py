"""Tritons: started by the recipe of tritonserver.py, watched by real inferences."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

import psycopg

from inference.blocking import InferenceError
from inference.liveness import dead
from inference.repository import Loaded, RepositoryApi
from pmesh.stack import tritonserver
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.sockets import make_private, socket_folder

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


Served = Callable[[], Collection[Loaded] | None]
"""What PostgreSQL says that a server serves; None if it cannot tell."""


def served_versions(conninfo: str) -> set[Loaded] | None:
    """The same as the owner of the database reads it."""
    query = (
        "SELECT v.model, v.version FROM versions v JOIN models m ON m.id = v.model AND m.listed"
        " WHERE v.state IN ('SERVING', 'DRAINING') AND v.address IS NULL"
    )
    with (
        suppress(psycopg.Error),
        psycopg.connect(conninfo, connect_timeout=2) as connection,
    ):
        return {Loaded(*row) for row in connection.execute(query).fetchall()}
    return None


class Tritons:
    """The servers on one repository of models, by the names of their parts."""

    def __init__(
        self,
        home: Home,
        names: tuple[str, ...],
        *,
        ports: Mapping[str, int],
        served: Served,
        traces: str = "",
    ) -> None:
        """traces: the URL that spans are sent to; empty: none."""
        self.names = names
        self._servers = [
            Triton(
                home,
                name=name,
                metrics_port=ports[f"{name}-metrics"],
                served=served,
                traces=traces,
            )
            for name in names
        ]
        self.address = tritonserver.address(*(server.sockets for server in self._servers))
        self.key = self._servers[0].key
        self.repository = self._servers[0].repository

    def parts(self, *, environment: Mapping[str, str]) -> list[Part]:
        """Their recipes."""
        return [server.part(environment=environment) for server in self._servers]


class Triton:
    """One server on the repository of models."""

    def __init__(
        self,
        home: Home,
        *,
        name: str = "triton",
        metrics_port: int,
        served: Served,
        traces: str = "",
    ) -> None:
        """name: of its part. traces: as of all."""
        self._name = name
        self.sockets = socket_folder(
            home.path, "sockets" if name == "triton" else f"{name}_sockets"
        )
        self.address = tritonserver.address(self.sockets)
        self.key = home.secret("triton")
        self.repository = home.path / "triton_repo"
        self._loaded = RepositoryApi(self.address, key=self.key).loaded
        self._served = served
        self._backends = home.path / f"{name}_backends"
        self._metrics_port = metrics_port
        self._traces = traces
        # Servers that share a machine must not share the names of their memory.
        digest = hashlib.sha256(str(self.sockets).encode()).hexdigest()
        self._memory_prefix = f"pmesh-{digest[:8]}-"

    def part(self, *, environment: Mapping[str, str]) -> Part:
        """Its recipe."""
        command = tritonserver.command(
            repository=self.repository,
            backends=self._backends,
            sockets=self.sockets,
            metrics_port=self._metrics_port,
            memory_prefix=self._memory_prefix,
            key=self.key,
            traces=self._traces,
        )
        return Part(
            name=self._name,
            command=command,
            environment=tritonserver.environment(environment),
            before=self._prepare,
            is_ready=self._is_ready,
            watched=True,
        )

    def _prepare(self) -> None:
        self.repository.mkdir(exist_ok=True)
        make_private(self.sockets)
        tritonserver.prepare_backends(self._backends)
        for region in _SHARED_MEMORY.glob(f"{self._memory_prefix}*"):  # of a server that was killed
            region.unlink()

    def _is_ready(self) -> bool:
        """Whether no version that serves is dead; a busy one is not.

        Not those that a release is still trying out, which may well be dead.
        """
        try:
            loaded = self._loaded()
        except InferenceError:
            return False
        served = self._served()
        return not dead(self.address, [v for v in loaded if served is None or v in served])
