"""Asks a running Triton over HTTP: load what the repository holds, say what is loaded, predict."""

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

ANSWER_S = 5.0
LOAD_S = 600.0  # at a low priority: see python_model


class TritonError(Exception):
    """Triton refused a call; says why."""


class TritonUnavailable(TritonError):
    """Triton does not answer."""


class Loaded(NamedTuple):
    """A version of a model that is loaded."""

    model: str
    version: str


class Triton:
    """One server, by the address of its HTTP port. Each call raises TritonError."""

    def __init__(self, address: str) -> None:
        """address: host:port."""
        self._address = address

    def load(self, model: str) -> None:
        """Make the loaded versions those of the repository; what stays serves on meanwhile.

        Returns once the new ones are loaded. If one does not load, the others are as they should.
        """
        self._post(f"/v2/repository/models/{model}/load", {}, timeout_s=LOAD_S)

    def unload(self, model: str) -> None:
        """Unload all versions of a model."""
        self._post(f"/v2/repository/models/{model}/unload", {})

    def loaded(self) -> list[Loaded]:
        """Every version that is ready."""
        index = self._post("/v2/repository/index", {"ready": True})
        return [Loaded(entry["name"], entry["version"]) for entry in index]

    def infer(
        self, model: str, version: str, texts: Sequence[str], *, timeout_s: float = ANSWER_S
    ) -> dict[str, npt.NDArray[np.float32]]:
        """What a version says of n texts, 1 to 256: (n, size) for each output."""
        tensor = {
            "name": "text",
            "shape": [len(texts), 1],
            "datatype": "BYTES",
            "data": list(texts),
        }
        path = f"/v2/models/{model}/versions/{version}/infer"
        answer = self._post(path, {"inputs": [tensor]}, timeout_s=timeout_s)
        return {
            output["name"]: np.array(output["data"], np.float32).reshape(output["shape"])
            for output in answer["outputs"]
        }

    def _post(self, path: str, body: Mapping[str, Any], timeout_s: float = ANSWER_S) -> Any:
        connection = http.client.HTTPConnection(self._address, timeout=timeout_s)
        try:
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise TritonUnavailable(f"Triton does not answer: {error}") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise TritonError(_message(answer))
        return json.loads(answer or "null")


def _message(answer: bytes) -> str:
    """The first line of what Triton says, without the traceback that may follow."""
    try:
        text = str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        text = answer.decode(errors="replace")
    return text.partition("\n")[0]
