"""Triton: started by the recipe of triton_repo.server, watched by real inferences."""

import hashlib
import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from triton_repo import server

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
_ANSWER_S = 5.0
_LOAD_S = 120.0


class TritonError(Exception):
    """Triton refused a call; says why."""


class Triton:
    """The server on a repository of models."""

    def __init__(self, home: Home, *, http_port: int, grpc_port: int, metrics_port: int) -> None:
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
        """Whether every version that is loaded answers.

        Triton goes on calling a model ready when the process behind it is dead: only an
        inference shows it.
        """
        text = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": ["ready?"]}
        try:
            for model in _post(self._http_port, "/v2/repository/index", {"ready": True}):
                path = f"/v2/models/{model['name']}/versions/{model['version']}/infer"
                _post(self._http_port, path, {"inputs": [text]})
        except TritonError:
            return False
        return True


def load_model(name: str, *, port: int) -> None:
    """Load the versions of a model that the repository holds; those that serve go on serving.

    port: Triton's HTTP port. Raises TritonError.
    """
    _post(port, f"/v2/repository/models/{name}/load", {}, timeout_s=_LOAD_S)


def _post(port: int, path: str, body: Mapping[str, Any], timeout_s: float = _ANSWER_S) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise TritonError(f"Triton does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise TritonError(answer.decode(errors="replace"))
    return json.loads(answer or "null")
