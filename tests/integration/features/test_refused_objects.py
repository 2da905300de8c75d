"""An S3 that refuses some objects for good: others go on. Answers are those that AWS gives."""

import asyncio
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import boto3
import numpy as np
import pytest

from bus.aws import CONFIG
from bus.outages import Retry
from contract.days import first_id
from contract.ids import uuid7
from features import pauses
from features.errors import FeaturesRefused, FeaturesUnavailable
from features.objects import FeatureObjects
from features.places import MAX_AGE
from features.shipper import Shipper
from features.spool import Spool

MATRIX = np.arange(8, dtype=np.float32).reshape(2, 4)
IDS = [str(uuid4()), str(uuid4())]


class Bucket:
    """What lies in it, and which keys get which answer instead."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.answers: dict[str, tuple[int, str]] = {}
        """By a part of the key: status and code."""

    def put(self, key: str) -> tuple[int, str]:
        for part, answer in self.answers.items():
            if part in key:
                return answer
        self.keys.append(key)
        return 200, ""


@contextmanager
def served(bucket: Bucket) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, code = bucket.put(self.path)
            body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def objects(bucket: Bucket) -> Iterator[FeatureObjects]:
    with served(bucket) as url, ThreadPoolExecutor(1) as executor:
        client = boto3.client(
            "s3",
            config=CONFIG,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
        )
        yield FeatureObjects(client=client, bucket="b", executor=executor)
        client.close()


@pytest.fixture
def shipper(tmp_path: Path, objects: FeatureObjects) -> Shipper:
    retry = Retry("S3", FeaturesUnavailable, stop=asyncio.Event())
    return Shipper(tmp_path, objects=objects, patiently=retry)


async def fill(spool: Path, *versions: str) -> None:
    for version in versions:
        async with Spool(spool, bucket="b", max_bytes=1 << 20) as opened:
            assert all(opened.append("sentiment", version, IDS, MATRIX))


def versions_of(keys: list[str]) -> list[str]:
    return [re.findall(r"/sentiment/(\d+)/", key)[0] for key in keys]


async def test_a_refused_file_is_passed_over_and_tried_again_later(
    tmp_path: Path,
    bucket: Bucket,
    shipper: Shipper,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pauses, "FIRST_S", 0.01)
    bucket.answers["/sentiment/3/"] = (403, "AccessDenied")
    await fill(tmp_path, "3", "4")
    for _ in range(5):
        await shipper.step()
        await asyncio.sleep(0.02)
    assert versions_of(bucket.keys) == ["4"]
    assert caplog.text.count("AccessDenied") == 1
    bucket.answers.clear()
    async with asyncio.timeout(100):
        while list(tmp_path.glob("*.rows")):
            await shipper.step()
    assert versions_of(bucket.keys) == ["4", "3"]


async def test_a_file_that_cannot_be_read_is_passed_over(
    tmp_path: Path, bucket: Bucket, shipper: Shipper, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "0.rows").mkdir()
    await fill(tmp_path, "3")
    await shipper.step()
    await shipper.step()
    assert versions_of(bucket.keys) == ["3"]
    assert caplog.text.count("0.rows waits") == 1


async def test_what_s3_has_not_taken_in_a_month_is_deleted(
    tmp_path: Path, bucket: Bucket, shipper: Shipper, caplog: pytest.LogCaptureFixture
) -> None:
    """Erasures are given up then, and it must not come later."""
    await fill(tmp_path, "3", "4")
    old, young = sorted(tmp_path.glob("*.rows"))
    begun = datetime.now(UTC) - MAX_AGE - timedelta(hours=1)
    old = old.rename(tmp_path / f"{first_id(begun)[:24]}{old.name[24:]}")
    bad = [tmp_path / "0.bad", tmp_path / "1.bad"]
    for path in bad:
        path.write_bytes(b"nonsense")
    os.utime(bad[0], (begun.timestamp(), begun.timestamp()))
    await shipper.step()
    assert versions_of(bucket.keys) == ["4"]
    assert f"{old.name} is deleted" in caplog.text
    assert [path for path in (old, young, *bad) if path.exists()] == [bad[1]]


@pytest.mark.parametrize("answer", [(503, "SlowDown"), (404, "NoSuchBucket")])
async def test_an_outage_stops_the_round(
    tmp_path: Path,
    bucket: Bucket,
    shipper: Shipper,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, str],
) -> None:
    bucket.answers["/sentiment/3/"] = answer
    await fill(tmp_path, "3", "4")
    step = asyncio.create_task(shipper.step())
    async with asyncio.timeout(100):
        while answer[1] not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert bucket.keys == []
    bucket.answers.clear()
    await step
    assert versions_of(bucket.keys) == ["3", "4"]
    assert caplog.text.count("waiting for the end of an outage") == 1


async def test_a_put_that_is_made_again_writes_the_same_object(
    bucket: Bucket, objects: FeatureObjects
) -> None:
    file_id = uuid7()
    first = await objects.put(file_id, "sentiment", "3", IDS, MATRIX)
    assert await objects.put(file_id, "sentiment", "3", IDS, MATRIX) == first
    assert len(set(bucket.keys)) == 1
    assert [f"s3:/{bucket.keys[0]}#row={row}" for row in range(2)] == first


async def test_who_waits_for_s3_waits_for_what_it_refuses_too(
    bucket: Bucket, objects: FeatureObjects
) -> None:
    bucket.answers["/sentiment/"] = (403, "AccessDenied")
    with pytest.raises(FeaturesUnavailable, match="AccessDenied") as caught:
        await objects.put(uuid7(), "sentiment", "3", IDS, MATRIX)
    assert caught.type is FeaturesRefused
