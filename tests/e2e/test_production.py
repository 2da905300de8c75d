"""A model of a fresh checkout in production: no supervisor, one command and jobs."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from predict.v1.model_service_pb2 import GetModelRequest, ListModelsRequest
from predict.v1.prediction_pb2 import PredictionState
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    WaitPredictionRequest,
)

from tests.e2e.production import Production
from tests.parts.aws import Aws
from tests.parts.doors import Door
from tests.parts.mlflow_server import MlflowServer
from tests.parts.polling import wait_until
from tests.parts.postgres import Postgres
from tests.parts.s3 import S3
from tests.parts.triton import Triton

MODEL = "support"
TEXT = "Why is there a second charge on my invoice?"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """Servers with nothing in them, and a checkout without a model."""
    directory: Path = tmp_path_factory.mktemp("production")
    with Postgres() as postgres, Aws() as aws, S3() as s3, MlflowServer() as mlflow, Triton() as t:
        production = Production(
            directory,
            database=postgres.create_database(template="template1"),
            aws=aws,
            s3=s3,
            mlflow=mlflow,
            triton=t,
        )
        yield production
        production.close()


def is_released(door: Door) -> bool:
    """Whether the gateway knows of traffic of the model."""
    return bool(door.call("GetModel", GetModelRequest(model=MODEL)).message.model.traffic)


def listed(production: Production) -> set[str]:
    grpc_door, _ = production.doors()
    return {model.id for model in grpc_door.call("ListModels", ListModelsRequest()).message.models}


def test_a_model_of_a_fresh_checkout_is_provisioned_released_and_served(
    production: Production,
) -> None:
    production.run("pmesh", "models", "new", MODEL, variables={})
    production.let_in(MODEL)
    done = production.provision()
    assert done["0001_predictions.sql"] == "applied"
    assert done[MODEL] == "listed"
    assert done[f"worker-{MODEL}"] == "may connect"
    production.serve(MODEL)
    version = production.train(MODEL)
    production.release(MODEL, version)
    for door in production.doors():
        wait_until(partial(is_released, door))
        now = door.call("Predict", PredictRequest(model=MODEL, text=TEXT)).message.prediction
        assert (now.version, now.output.label) == (version, "billing")
        request = CreatePredictionRequest(model=MODEL, text=TEXT)
        later = door.call("CreatePrediction", request).message.prediction
        wait = WaitPredictionRequest(id=later.id, timeout=Duration(seconds=20))
        ended = door.call("WaitPrediction", wait).message.prediction
        assert ended.state == PredictionState.PREDICTION_STATE_SUCCEEDED
        assert ended.output.label == "billing"
        for features in (now.features_uri, ended.features_uri):
            file, _ = production.s3.locate(features)
            wait_until(file.exists)


def test_what_runs_is_told_of_a_model_that_comes_and_goes(production: Production) -> None:
    production.run("pmesh", "models", "new", "spam", "--labels", "spam,ham", variables={})
    assert production.provision()["spam"] == "listed"
    wait_until(lambda: listed(production) == {MODEL, "spam"})
    (production.models / "spam" / "values.yaml").unlink()
    assert production.provision()["spam"] == "unlisted"
    wait_until(lambda: listed(production) == {MODEL})
    for door in production.doors():
        answer = door.call("Predict", PredictRequest(model=MODEL, text=TEXT))
        assert answer.message.prediction.output.label == "billing"
