"""Nothing of what clients send as text is in any log: not even of calls that fail."""

import json
import signal

from predict.v1.prediction_service_pb2 import (
    BatchPredictRequest,
    CreatePredictionRequest,
    ListPredictionsRequest,
    PredictRequest,
    StreamPredictRequest,
    WaitPredictionRequest,
)

from tests.e2e.mesh import Mesh
from tests.e2e.texts import CANARY, new_text

JSON = {"content-type": "application/json"}
BODIES = [
    f'{{"text": "{CANARY}", "nosuch": 1}}',
    f'{{"text": "{CANARY}", "{CANARY}": 1}}',
    f'{{"text": {CANARY}}}',
    f'{{"text": ["{CANARY}"]}}',
    f'{{"text": "{CANARY}',
    f'{{"text": "{CANARY}\\ud800"}}',
    f'{{"text": "{CANARY}\\u0000"}}',
    f'{{"text": "{CANARY}", "requestId": "{CANARY}"}}',
    f'{{"text": "{CANARY}", "version": "{CANARY}"}}',
    json.dumps({"text": CANARY * 10_000}),
]


def test_no_text_is_in_any_log(mesh: Mesh) -> None:
    for body in BODIES:
        for rpc in (":predict", "/predictions"):
            path = f"/v1/models/sentiment{rpc}"
            assert mesh.rest.client.post(path, content=body, headers=JSON).is_client_error
    for payload in (CANARY.encode(), b"\x12\x10" + CANARY.encode() + b"\xff" * 7):
        assert mesh.grpc.send("Predict", payload).status.code
    assert mesh.grpc.call("ListPredictions", ListPredictionsRequest(page_token=CANARY)).status.code
    for model in ("sentiment", CANARY):
        ask_in_all_ways(mesh, model)
    mesh.wait_ready("triton", after=mesh.stack.kill("triton", signal.SIGKILL))
    logs = list(mesh.stack.home.logs.iterdir())
    parts = mesh.stack.status().parts  # type: ignore[union-attr]
    assert len(logs) >= len(parts)
    for log in logs:
        if log.name.startswith("access."):  # test_canary.py looks at it, less the paths
            continue
        assert CANARY not in log.read_text(errors="replace"), log.name


def ask_in_all_ways(mesh: Mesh, model: str) -> None:
    """Also while Triton stands still, until the caller has had enough."""
    now = PredictRequest(model=model, text=new_text())
    batch = BatchPredictRequest(
        model=model, entries=[{"text": new_text()}, {"text": f"\0{CANARY}"}]
    )
    create = CreatePredictionRequest(model=model, text=new_text())
    broken = CreatePredictionRequest(model=model, text=new_text(), version="999")
    mesh.grpc.call("Predict", now)
    mesh.grpc.call("BatchPredict", batch)
    list(mesh.predictions.StreamPredict(iter([StreamPredictRequest(request=now)]), timeout=30))
    for request in (create, broken):
        accepted = mesh.grpc.call("CreatePrediction", request).message
        if accepted is not None:
            mesh.grpc.call("WaitPrediction", WaitPredictionRequest(id=accepted.prediction.id))
    with mesh.stopped("triton"):
        assert mesh.grpc.call("Predict", now, timeout_s=0.5).status.code
