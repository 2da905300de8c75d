"""Clients made of the contract as it was last landed go on working."""

import json
import os
import subprocess
import sys
import tarfile
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rollout.store import ReleaseStore
from tests.integration.gateway.program.running import Running

ROOT = Path(__file__).parents[4]
CLIENT = Path(__file__).with_name("landed_client.py")


@pytest.fixture(scope="module")
def landed_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python code of the landed contract."""
    landed = subprocess.check_output([ROOT / ".ci/landed"], text=True).strip()
    if not landed:
        pytest.skip("git knows no landed commit")
    directory = tmp_path_factory.mktemp("landed")
    archive = subprocess.check_output(["git", "archive", landed, "protos"], cwd=ROOT)
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(directory, filter="data")
    protos = directory / "protos"
    sources = [protos, ROOT / "build" / "third_party", files("grpc_tools") / "_proto"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{source}" for source in sources)]
    command += [f"--python_out={directory}", f"--grpc_python_out={directory}"]
    subprocess.run(
        [*command, *map(str, protos.glob("predict/v1/*.proto")), *validation(protos)], check=True
    )
    return directory


def validation(protos: Path) -> list[str]:
    """What the landed contract imports beside Google's, if it does."""
    uses = any("buf/validate" in proto.read_text() for proto in protos.glob("predict/v1/*.proto"))
    return ["buf/validate/validate.proto"] if uses else []


@pytest.fixture(scope="module")
def said(gateway: Running, landed_code: Path) -> Any:
    """What such a client is answered, by rpc."""
    with psycopg.connect(gateway.database.conninfo, autocommit=True) as connection:
        ReleaseStore(connection).set_version("sentiment", "13", "SERVING")
        connection.execute(
            "INSERT INTO releases"
            " (model, version, action, state, actor, reason, refusal, complete_time)"
            " VALUES ('sentiment', '14', 'RELEASE', 'REFUSED', 'a', 'b', 'QUALITY_WORSE', now())"
        )
    environment = {**os.environ, "PYTHONPATH": str(landed_code)}
    command = [sys.executable, "-P", str(CLIENT), gateway.address]
    done = subprocess.run(
        command, env=environment, cwd=landed_code, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_predictions_are_made_and_found(said: Any) -> None:
    assert said["Predict"]["prediction"]["state"] == "PREDICTION_STATE_SUCCEEDED"
    assert said["Predict"]["prediction"]["text"] == "a text of before"
    good, bad = said["BatchPredict"]["results"]
    assert good["prediction"]["text"] == "one"
    assert bad["error"]["code"] == 3
    assert said["CreatePrediction"]["prediction"]["state"] == "PREDICTION_STATE_ACCEPTED"
    found = [prediction["text"] for prediction in said["ListPredictions"]["predictions"]]
    assert found == ["for later", "one"]


def test_traffic_moves_in_whole_percent(said: Any) -> None:
    split = [{"version": "12", "percent": 30}, {"version": "13", "percent": 70}]
    assert said["SetTraffic"]["model"]["traffic"] == split
    assert said["GetModel"]["model"]["traffic"] == split
    assert said["refusal"] == "INVALID_SPLIT"


def test_a_release_says_in_a_string_why_it_was_refused(said: Any) -> None:
    moved, refused = said["ListReleases"]["releases"][:2]
    assert moved["action"] == "RELEASE_ACTION_SET_TRAFFIC"
    assert (refused["state"], refused["refusal"]) == ("RELEASE_STATE_REFUSED", "QUALITY_WORSE")
