"""A runtime process under test, and the two doors as its callers see them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from predict.v1.model_runtime_service_pb2 import PredictBatchRequest, PredictBatchResponse
from predict.v1.model_runtime_service_pb2_grpc import ModelRuntimeServiceStub

from tests.integration.polling import wait_until
from tests.integration.ports import free_port


class Runtime:
    """`python -m model_runtime`; killed when the test ends."""

    def __init__(self, environment: dict[str, str], *, model: str = "sentiment") -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="runtime-")
        self._log = Path(self._directory.name) / "log"
        address = f"127.0.0.1:{free_port()}"
        variables = {"PMESH_MODEL": model, "PMESH_RUNTIME_ADDRESS": address}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "model_runtime"],
                env={**os.environ, "PMESH_RECEIVE_WAIT_S": "1", **variables, **environment},
                stderr=log,
            )
        self._channel = grpc.insecure_channel(address)
        self._stub = ModelRuntimeServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()
        self._directory.cleanup()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def is_serving(self) -> bool:
        """What its health says of the model."""
        try:
            answer = self._health.Check(
                health_pb2.HealthCheckRequest(), timeout=2, wait_for_ready=True
            )
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def wait_until_serving(self) -> None:
        wait_until(self.is_serving, timeout_s=30)

    def predict(
        self,
        texts: Sequence[str],
        *,
        model: str = "sentiment",
        version: str = "1",
        timeout_s: float = 20,
    ) -> PredictBatchResponse:
        request = PredictBatchRequest(model=model, version=version)
        for text in texts:
            request.entries.add(prediction_id=str(uuid4()), text=text)
        response: PredictBatchResponse = self._stub.PredictBatch(request, timeout=timeout_s)
        return response

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.terminate()
        return self.process.wait(timeout=30)
