"""The way of features to S3: from the spool of a process, whatever is killed meanwhile."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest

from features import spool_file
from features.spool import Spool
from tests.parts.exposed import exposed
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.polling import wait_until
from tests.parts.s3 import BUCKET, KEY, S3, SECRET

MATRIX = np.arange(8, dtype=np.float32).reshape(2, 4)


class Shipper:
    """`python -P -m features`; killed when the test ends."""

    def __init__(self, spool: Path, s3: S3, **variables: str) -> None:
        self._log = spool.parent / "shipper.log"
        environment = {
            **os.environ,
            **s3.environment,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PMESH_FEATURES_SPOOL": str(spool),
            "PMESH_FEATURES_BUCKET": BUCKET,
            "PMESH_FEATURES_METRICS_PORT": "0",
            **variables,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-P", "-m", "features"],
                env=environment,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(100)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3() as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    directory = tmp_path / "spool"
    directory.mkdir()
    return directory


@pytest.fixture
def shipper(spool: Path, s3: S3) -> Iterator[Shipper]:
    shipper = Shipper(spool, s3)
    yield shipper
    shipper.process.kill()
    shipper.process.wait()


def fill(spool: Path, count: int = 1) -> dict[str, str]:
    """Append rows as a gateway does, and close the files: place by id of a prediction."""

    async def append() -> dict[str, str]:
        places = {}
        for _ in range(count):
            async with Spool(spool, bucket=BUCKET, max_bytes=1 << 20) as opened:
                ids = [str(uuid4()), str(uuid4())]
                places |= dict(zip(ids, opened.append("sentiment", "3", ids, MATRIX), strict=True))
        return places

    return asyncio.run(append())


def left(spool: Path) -> list[str]:
    return [path.name for path in spool.iterdir() if path.name != ".lock"]


def check_shipped(s3: S3, places: dict[str, str]) -> None:
    for row, (prediction_id, place) in enumerate(places.items()):
        path, index = s3.locate(place)
        wait_until(path.exists)
        found = pq.read_table(path).slice(index, 1).to_pylist()[0]
        assert found == {
            "prediction_id": prediction_id,
            "version": "3",
            "features": MATRIX[row % 2].tolist(),
        }


def test_what_was_shipped_and_what_waits_is_told(spool: Path, s3: S3) -> None:
    page = exposed()
    with receiving_spans() as receiver:
        told = {"PMESH_FEATURES_METRICS_PORT": str(page.port), **receiver.environment}
        shipper = Shipper(spool, s3, **told)
        check_shipped(s3, fill(spool, 3))
        page.wait_for(6, "pmesh_features_shipped_rows_total")
        page.wait_for(3, "pmesh_features_shipped_objects_total")
        (spool / "later.open").write_bytes(b"12345")
        page.wait_for(5, "pmesh_spool_bytes")
        assert page.value("pmesh_spool_files") == 1
        wait_until(lambda: (page.value("pmesh_spool_oldest_age_seconds") or 0) > 0)
        assert page.value("pmesh_outage", dependency="S3") == 0
        wait_until(lambda: len(receiver.named("put features")) == 3)
        assert shipper.stop() == 0
    assert {span.parent_id for span in receiver.spans} == {""}
    assert {span.service for span in receiver.spans} == {"features"}


def test_what_was_appended_lies_where_its_place_says(spool: Path, s3: S3, shipper: Shipper) -> None:
    check_shipped(s3, fill(spool, 3))
    wait_until(lambda: left(spool) == [])
    assert shipper.stop() == 0


def test_closed_files_survive_a_killed_shipper_and_an_outage(
    spool: Path, s3: S3, shipper: Shipper
) -> None:
    wait_until(lambda: "shipping" in shipper.log)
    s3.stop()
    try:
        places = fill(spool, 3)
        wait_until(lambda: "waiting for the end of an outage" in shipper.log)
        shipper.process.kill()
        shipper.process.wait()
        assert len(list(spool.glob("*.rows"))) == 3
    finally:
        s3.start()
    again = Shipper(spool, s3)
    check_shipped(s3, places)
    assert again.stop() == 0
    assert left(spool) == []


def test_it_ships_what_is_there_before_it_ends(spool: Path, s3: S3, shipper: Shipper) -> None:
    wait_until(lambda: "shipping" in shipper.log)
    shipper.process.send_signal(signal.SIGSTOP)
    places = fill(spool)
    shipper.process.send_signal(signal.SIGTERM)
    shipper.process.send_signal(signal.SIGCONT)
    assert shipper.process.wait(100) == 0
    check_shipped(s3, places)


def test_it_ends_soon_while_s3_is_away_and_keeps_what_is_there(
    spool: Path, s3: S3, shipper: Shipper
) -> None:
    wait_until(lambda: "shipping" in shipper.log)
    s3.stop()
    try:
        fill(spool)
        assert shipper.stop() == 0
        assert len(list(spool.glob("*.rows"))) == 1
    finally:
        s3.start()


def test_files_that_no_spool_wrote_are_set_aside(spool: Path, s3: S3, shipper: Shipper) -> None:
    header = spool_file.Header("sentiment", "3", 4)
    rows = (
        json.dumps(asdict(header)).encode() + b"\n" + spool_file.encode([str(uuid4())] * 2, MATRIX)
    )
    (spool / "0.rows").write_bytes(b"nonsense")
    (spool / "1.rows").write_bytes(rows)
    (spool / "ffffffff-ffff-7fff-bfff-ffffffffffff.rows").write_bytes(rows)
    check_shipped(s3, fill(spool))
    for name in ("0", "1", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        wait_until((spool / f"{name}.bad").exists)
        assert f"{name}.rows is set aside" in shipper.log
    assert shipper.stop() == 0
