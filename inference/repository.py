"""Triton's repository API: load what the repository holds, and say what is loaded.

It is no part of the Open Inference Protocol, and Triton runs whatever code it is told to load:
only who has the key may call it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tritonclient.grpc.service_pb2 import (
    RepositoryIndexRequest,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
)
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inference.addresses import Endpoint
from inference.blocking import ANSWER_S, InferenceError, ServerUnavailable, stub

KEY_HEADER = "triton-grpc-protocol-pmesh-key"
"""The header of the key: Triton's prefix, and the name that Triton is started with."""
LOAD_S = 600.0  # at a low priority: see triton_repo/python_model.py


class KeyRefused(InferenceError):
    """Triton was started with another key."""


class ServerEnding(ServerUnavailable):
    """Triton was told to end, and answers nothing any more."""


class Loaded(NamedTuple):
    """A version of a model that is loaded."""

    model: str
    version: str


class RepositoryApi:
    """One server, by where its gRPC is. Each call raises InferenceError."""

    def __init__(self, endpoint: str | Endpoint, *, key: str) -> None:
        """endpoint: if a string, its address. key: what it was started with."""
        self.endpoint = Endpoint(endpoint) if isinstance(endpoint, str) else endpoint
        self._key = ((KEY_HEADER, key),)

    def load(self, model: str) -> None:
        """Make the loaded versions those of the repository; what stays serves on meanwhile.

        Returns once the new ones are loaded. If one does not load, the others are as they should.
        """
        with self._stub() as server:
            request = RepositoryModelLoadRequest(model_name=model)
            server.RepositoryModelLoad(request, timeout=LOAD_S, metadata=self._key)

    def unload(self, model: str) -> None:
        """Unload all versions of a model."""
        with self._stub() as server:
            request = RepositoryModelUnloadRequest(model_name=model)
            server.RepositoryModelUnload(request, timeout=ANSWER_S, metadata=self._key)

    def loaded(self) -> list[Loaded]:
        """Every version that is ready."""
        with self._stub() as server:
            request = RepositoryIndexRequest(ready=True)
            index = server.RepositoryIndex(request, timeout=ANSWER_S, metadata=self._key)
        return [Loaded(entry.name, entry.version) for entry in index.models]

    def versions(self, model: str) -> set[str]:
        """The versions of a model that are ready."""
        return {version for name, version in self.loaded() if name == model}

    @contextmanager
    def _stub(self) -> Iterator[GRPCInferenceServiceStub]:
        try:
            with stub(self.endpoint) as server:
                yield server
        except ServerUnavailable as error:
            # Triton 2.51 answers UNAVAILABLE to who has no key, or another one.
            if "protocol is restricted" in str(error):
                raise KeyRefused(str(error)) from error
            if "Server not ready" in str(error):
                raise ServerEnding(str(error)) from error
            raise
