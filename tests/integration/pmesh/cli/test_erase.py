"""`pmesh erase` on a gateway of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from predict.v1 import prediction_service_pb2 as pb

from tests.integration.gateway.program.running import Running, running
from tests.parts.polling import wait_until
from tests.parts.postgres import Postgres
from tests.parts.refusals import UNKNOWN

WORDS = "a very private sentence"


@pytest.fixture(scope="module")
def gateway(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = postgres.create_database()
    with running(database, str(tmp_path_factory.mktemp("spool"))) as found:
        yield found
    postgres.drop_database(database)


def command(gateway: Running, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pmesh.cli", "erase", *arguments, "--address", gateway.address]


def pmesh(gateway: Running, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(gateway, *arguments), input=given, capture_output=True, text=True, timeout=100
    )


def predict(gateway: Running) -> str:
    request = pb.PredictRequest(model="sentiment", text=WORDS)
    answer: str = gateway.grpc.call("Predict", request).message.prediction.id
    return answer


def accept(gateway: Running, count: int = 1) -> list[str]:
    return gateway.requests.accept_texts(*[WORDS] * count, version="12")


def has_text(gateway: Running, id_: str) -> bool:
    return bool(gateway.requests.get(id_)["text"] != "")


def test_those_of_a_file_are_erased_and_the_others_named(gateway: Running, tmp_path: Path) -> None:
    erased = [predict(gateway) for _ in range(20)]
    kept = predict(gateway)
    (unfinished,) = accept(gateway)
    ids = tmp_path / "ids"
    ids.write_text("\n".join([*erased[:9], UNKNOWN, "", " " + unfinished, "no id", *erased[9:]]))
    done = pmesh(gateway, str(ids))
    assert (done.returncode, done.stdout) == (1, "20 erased, 1 unknown, 1 unfinished, 1 refused\n")
    reasons = dict(line.split("\t") for line in done.stderr.splitlines())
    assert reasons == {
        UNKNOWN: "PREDICTION_NOT_FOUND",
        unfinished: "PREDICTION_UNFINISHED",
        "no id": "INVALID_ID",
    }
    assert [has_text(gateway, id_) for id_ in [*erased, kept]] == [False] * 20 + [True]
    left = tmp_path / "left"
    again = pmesh(gateway, str(ids), "--refused", str(left))
    assert (again.returncode, again.stdout, again.stderr) == (1, done.stdout, "")
    assert left.read_text() == done.stderr


def test_all_of_the_standard_input_are_erased(gateway: Running) -> None:
    ids = [predict(gateway) for _ in range(3)]
    done = pmesh(gateway, "-", given="\n".join(ids))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 erased, 0 unknown, 0 unfinished, 0 refused\n"


def test_what_is_interrupted_is_seen_to_by_the_next_one(gateway: Running, tmp_path: Path) -> None:
    ids = accept(gateway, 10_000)
    gateway.requests.execute(
        "UPDATE requests SET state = 'CANCELLED'"
        " WHERE state = 'ACCEPTED' AND id = ANY (%s::uuid[])",
        (ids,),
    )
    gateway.requests.execute("DELETE FROM outbox")
    file = tmp_path / "ids"
    file.write_text("\n".join(ids))
    left = "SELECT count(*) AS size FROM requests WHERE state = 'CANCELLED' AND erase_time IS NULL"
    begun = subprocess.Popen(command(gateway, str(file)), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: gateway.requests.query(left)[0]["size"] < len(ids))
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=100)
    assert begun.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    (row,) = gateway.requests.query(left)
    assert 0 < row["size"] < len(ids)
    file.write_text("\n".join([*ids[:500], str(uuid4())]))
    assert pmesh(gateway, str(file)).stdout.startswith("500 erased, 1 unknown")


def test_what_cannot_be_begun_says_why(gateway: Running) -> None:
    done = pmesh(gateway, "nowhere/ids")
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_nothing_is_erased_that_could_not_be_told_of(gateway: Running, tmp_path: Path) -> None:
    (tmp_path / "ids").write_text(id_ := predict(gateway))
    left = tmp_path / "nowhere" / "left"
    done = pmesh(gateway, str(tmp_path / "ids"), "--refused", str(left))
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert has_text(gateway, id_)
