"""Features of predictions made now: on their way to S3 through whatever dies."""

import signal
from pathlib import PurePosixPath

from predict.v1.prediction_pb2 import Prediction
from predict.v1.prediction_service_pb2 import BatchPredictRequest, PredictRequest

from tests.e2e.feature_rows import read_row
from tests.e2e.mesh import Mesh
from tests.e2e.texts import new_text, new_texts
from tests.parts.polling import wait_until


def predict_batch(mesh: Mesh, count: int) -> list[Prediction]:
    entries = [{"text": text} for text in new_texts(count)]
    request = BatchPredictRequest(model="sentiment", entries=entries)
    results = mesh.grpc.call("BatchPredict", request).message.results
    return [result.prediction for result in results]


def check_rows(mesh: Mesh, predictions: list[Prediction]) -> None:
    for prediction in predictions:
        row = read_row(mesh, prediction.features_uri)
        assert (row["prediction_id"], row["version"]) == (prediction.id, prediction.version)
        assert any(row["features"])


def are_closed(mesh: Mesh, predictions: list[Prediction]) -> bool:
    """Whether the files of their rows lie whole in the spool; they may not even be begun yet."""
    objects = (prediction.features_uri.partition("#")[0] for prediction in predictions)
    closed = {path.stem for path in mesh.stack.home.path.rglob("*.rows")}
    return {PurePosixPath(place).stem for place in objects} <= closed


def test_no_closed_file_is_lost_with_the_gateway_and_the_shipper_killed(mesh: Mesh) -> None:
    with mesh.stopped("features"):
        predictions = predict_batch(mesh, 50)
        wait_until(lambda: are_closed(mesh, predictions))
        shipper = mesh.stack.kill("features", signal.SIGKILL)
        mesh.wait_ready("gateway", after=mesh.stack.kill("gateway", signal.SIGKILL))
    mesh.wait_ready("features", after=shipper)
    check_rows(mesh, predictions)


def test_answers_do_not_wait_for_s3_and_rows_wait_for_it(mesh: Mesh) -> None:
    with mesh.stopped("s3"):
        predictions = predict_batch(mesh, 20)
        assert all(prediction.features_uri for prediction in predictions)
    check_rows(mesh, predictions)


def test_a_gateway_that_is_stopped_leaves_nothing_open(mesh: Mesh) -> None:
    prediction = mesh.grpc.call(
        "Predict", PredictRequest(model="sentiment", text=new_text())
    ).message.prediction
    mesh.restart("gateway", {})
    check_rows(mesh, [prediction])
