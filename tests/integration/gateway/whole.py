"""The gateway as it is: its process, a real database, and a server of the words model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.request import urlopen

import grpc
import psycopg
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from predict.v1.prediction_service_pb2 import PredictRequest, PredictResponse
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub
from prometheus_client.parser import text_string_to_metric_families
from psycopg.types.json import Jsonb

from database.logins import GATEWAY
from gateway.envoy.front import Front
from tests.integration.gateway.envoy.gateway_process import GatewayProcess, echo_settings
from tests.parts.catalog import environment, register
from tests.parts.ports import free_port
from tests.parts.postgres import Database
from tests.parts.words import LABELS
from tests.parts.words_server import VERSION

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
PREDICTIONS, MODELS = "predict.v1.PredictionService", "predict.v1.ModelService"


class WholeGateway(GatewayProcess):
    """Inside `with`, with clients of it."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        variables: Mapping[str, str] = MappingProxyType({}),
        **changes: Any,
    ) -> None:
        """variables: of its environment; changes: to the settings of its front."""
        access = changes.get("access")
        self.metrics_port = free_port()
        super().__init__(
            log=folder / "gateway.log",
            settings=echo_settings(app=Front.app, **changes),
            environment={
                **environment(database, GATEWAY),
                "PMESH_FEATURES_SPOOL": str(folder / "spool"),
                "PMESH_GATEWAY_METRICS_PORT": str(self.metrics_port),
                **({"PMESH_GATEWAY_ACCESS": str(access)} if access else {}),
                **variables,
            },
        )

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """What it tells Prometheus: values by name and labels, in their order."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urlopen(url, timeout=20) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            return {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in families
                for sample in family.samples
            }

    @contextmanager
    def stub(self) -> Iterator[PredictionServiceStub]:
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            yield PredictionServiceStub(channel)

    @contextmanager
    def health(self) -> Iterator[HealthStub]:
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            yield HealthStub(channel)

    def status(self, service: str = "") -> int:
        """What Check says, which must be asked for something that there is."""
        with self.health() as stub:
            answer = stub.Check(HealthCheckRequest(service=service), timeout=5)
        return int(answer.status)

    def readyz(self) -> tuple[int, list[str]]:
        """The status, and what is not ready."""
        answer = self.request("GET", "/readyz")
        assert answer.json["ready"] is (answer.status == 200)
        return answer.status, answer.json["notReady"]

    def why(self) -> str:
        """The reason by which it is not ready; "" if it is."""
        return str(self.request("GET", "/readyz").json.get("reason", ""))

    def predict(self, text: str, model: str = "words", timeout_s: float = 30) -> PredictResponse:
        """By gRPC."""
        with self.stub() as stub:
            request = PredictRequest(model=model, text=text)
            answer: PredictResponse = stub.Predict(request, timeout=timeout_s)
            return answer


def list_models(database: Database, *models: str, address: str) -> None:
    """Have them in the catalog, each with a version that serves and has no traffic."""
    labels = dict.fromkeys(models, LABELS)
    register(database, {model: [VERSION] for model in models}, address=address, labels=labels)


def release(database: Database, model: str) -> None:
    """Give the version all traffic."""
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(
            "SELECT releases_v1.set_shares(%s, %s, 'a test', '', '')",
            (model, Jsonb({VERSION: 10_000})),
        )
