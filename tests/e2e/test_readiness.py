"""What the stack says of itself from outside."""

import grpc
from google.rpc import code_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from predict.v1.prediction_service_pb2 import PredictRequest

from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.texts import new_text
from tests.parts.doors import Door
from tests.parts.polling import wait_until
from tests.parts.refusals import check

SERVICES = ("", "predict.v1.PredictionService", *(f"models/{model}" for model in MODELS))


def statuses(mesh: Mesh) -> list[int]:
    with grpc.insecure_channel(mesh.address) as channel:
        health = HealthStub(channel)
        return [health.Check(HealthCheckRequest(service=name)).status for name in SERVICES]


def test_a_silent_triton_is_told_at_once(mesh: Mesh, door: Door) -> None:
    all_ready = {"ready": True, "notReady": []}
    wait_until(lambda: mesh.rest.client.get("/readyz").json() == all_ready)
    assert statuses(mesh) == [HealthCheckResponse.SERVING] * len(SERVICES)
    with mesh.stopped("triton"):
        wait_until(lambda: mesh.rest.client.get("/readyz").status_code == 503)
        assert statuses(mesh) == [HealthCheckResponse.NOT_SERVING] * len(SERVICES)
        assert mesh.rest.client.get("/healthz").status_code == 200
        refusal = door.call("Predict", PredictRequest(model="sentiment", text=new_text()))
        check(refusal, code_pb2.UNAVAILABLE, "MODEL_UNAVAILABLE")
    wait_until(lambda: mesh.rest.client.get("/readyz").status_code == 200)
