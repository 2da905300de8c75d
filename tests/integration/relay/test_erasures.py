"""Features of erased predictions leave their objects, whoever dies, writes or is away meanwhile."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg_pool import AsyncConnectionPool

from bus.aws import CONFIG
from contract.days import first_id
from contract.ids import uuid7
from database.logins import RELAY
from features.erasure import FeatureErasure
from features.objects import FeatureObjects
from features.places import MAX_AGE
from features.shipper import Shipper
from features.spool import Spool
from relay.erasures import Erasures
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.patches import DIE
from tests.parts.aws import Aws
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests
from tests.parts.s3 import KEY, S3, SECRET

BUCKET = "predict-features"
MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4)

DIE_AFTER_REWRITING = f"""{DIE}
from features.erasure import FeatureErasure, Found
real = FeatureErasure.erase
async def erase(self, *arguments):
    found = await real(self, *arguments)
    if found is Found.REWRITTEN: die()
    return found
FeatureErasure.erase = erase
"""


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture(params=["moto", "rclone"])
def client(request: pytest.FixtureRequest, bus: Bus) -> Any:
    """One that knows conditional writes, and one that does not."""
    if request.param == "moto":
        return bus.aws.client("s3")
    s3: S3 = request.getfixturevalue("s3")
    return boto3.client(
        "s3",
        config=CONFIG,
        endpoint_url=s3.environment["AWS_ENDPOINT_URL_S3"],
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )


@pytest.fixture
async def pool(database: Database, requests: Requests) -> AsyncIterator[AsyncConnectionPool]:
    env = environment(database, RELAY)
    conninfo = psycopg.conninfo.make_conninfo(
        database.conninfo, user=env["PGUSER"], password=env["PGPASSWORD"]
    )
    async with AsyncConnectionPool(conninfo, min_size=1, max_size=4, open=False) as pool:
        yield pool


@pytest.fixture
def erasures(pool: AsyncConnectionPool, client: Any, threads: Executor) -> Erasures:
    return Erasures(pool=pool, features=FeatureErasure(client=client, executor=threads))


async def ship(client: Any, threads: Executor, file_id: str, ids: list[str]) -> list[str]:
    objects = FeatureObjects(client=client, bucket=BUCKET, executor=threads)
    return await objects.put(file_id, "sentiment", "1", ids, MATRIX)


def record(requests: Requests, places: dict[str, str]) -> None:
    """Finished predictions whose features lie there."""
    for id_, place in places.items():
        requests.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time)"
            " VALUES (%s, 'sentiment', '1', 'a text', 'SUCCEEDED', now())",
            (id_,),
        )
        requests.execute(
            "INSERT INTO predictions (id, label, confidence, scores, features_uri)"
            " VALUES (%s, 'a', 1, '{}', %s)",
            (id_, place),
        )


def erase(requests: Requests, *ids: str) -> None:
    for id_ in ids:
        requests.query("SELECT gateway_v1.erase(%s)", (id_,))


def due(requests: Requests) -> None:
    """What waits is due now."""
    requests.execute("UPDATE erasures SET next_time = now()")


def waiting(requests: Requests) -> set[str]:
    return {str(row["id"]) for row in requests.query("SELECT id FROM erasures")}


def pause_s(requests: Requests) -> float:
    (row,) = requests.query(
        "SELECT extract(epoch FROM next_time - now())::float8 AS pause_s FROM erasures"
    )
    return float(row["pause_s"])


def in_object(client: Any, place: str) -> list[tuple[str | None, list[float]]]:
    """Id and features of each row."""
    key = place.removeprefix(f"s3://{BUCKET}/").partition("#")[0]
    body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    return [(row["prediction_id"], row["features"]) for row in rows]


def is_erased(row: tuple[str | None, list[float]]) -> bool:
    return row[0] is None and len(row[1]) == 4 and bool(np.isnan(row[1]).all())


async def test_rows_are_erased_and_the_others_lie_where_they_lay(
    requests: Requests, client: Any, threads: Executor, erasures: Erasures
) -> None:
    ids = [uuid7() for _ in range(3)]
    places = await ship(client, threads, uuid7(), ids)
    record(requests, dict(zip(ids, places, strict=True)))
    erase(requests, ids[0], ids[1])
    await erasures.step()
    first, second, third = in_object(client, places[0])
    assert is_erased(first)
    assert is_erased(second)
    assert third == (ids[2], MATRIX[2].tolist())
    assert waiting(requests) == set(ids[:2])  # until it is seen that it has stayed
    await erasures.step()
    assert waiting(requests) == set(ids[:2])
    due(requests)
    await erasures.step()
    assert waiting(requests) == set()


async def test_a_ship_that_comes_late_brings_nothing_back(
    requests: Requests, client: Any, threads: Executor, erasures: Erasures
) -> None:
    """Whoever was not heard of writes again."""
    ids, file_id = [uuid7() for _ in range(3)], uuid7()
    places = await ship(client, threads, file_id, ids)
    record(requests, dict(zip(ids, places, strict=True)))
    erase(requests, ids[1])
    await erasures.step()
    assert await ship(client, threads, file_id, ids) == places
    for _ in range(2):
        due(requests)
        await erasures.step()
    assert waiting(requests) == set()
    rows = in_object(client, places[0])
    assert [row[0] for row in rows] == [ids[0], None, ids[2]]
    assert is_erased(rows[1])


async def test_what_is_erased_before_it_is_shipped_is_erased_then(
    requests: Requests, client: Any, threads: Executor, erasures: Erasures, tmp_path: Path
) -> None:
    ids = [uuid7() for _ in range(3)]
    async with Spool(tmp_path, bucket=BUCKET, max_bytes=1 << 20) as spool:
        places = spool.append("sentiment", "1", ids, MATRIX)
    record(requests, dict(zip(ids, places, strict=True)))
    erase(requests, ids[2])
    await erasures.step()
    assert waiting(requests) == {ids[2]}
    assert 30 < pause_s(requests) < 90

    async def once(call: Any) -> None:
        await call()

    objects = FeatureObjects(client=client, bucket=BUCKET, executor=threads)
    await Shipper(tmp_path, objects=objects, patiently=once).step()
    for _ in range(2):
        due(requests)
        await erasures.step()
    assert waiting(requests) == set()
    assert is_erased(in_object(client, places[0])[2])


async def test_an_object_that_does_not_come_is_asked_for_ever_less_and_then_given_up(
    requests: Requests, client: Any, threads: Executor, erasures: Erasures
) -> None:
    lost = first_id(datetime.now(UTC) - MAX_AGE - timedelta(days=2))[:24] + uuid7()[24:]
    place = f"s3://{BUCKET}/features/sentiment/1/2026/01/01/{{}}.parquet#row=0"
    for id_, file_id in ((uuid7(), lost), (kept := uuid7(), uuid7())):
        record(requests, {id_: place.format(file_id)})
        erase(requests, id_)
    await erasures.step()
    assert waiting(requests) == {kept}
    requests.execute("UPDATE erasures SET create_time = now() - interval '5 hours'")
    due(requests)
    await erasures.step()
    assert 4.9 * 3600 < pause_s(requests) < 5.1 * 3600


async def test_an_object_that_cannot_be_read_keeps_no_other_waiting(
    requests: Requests, client: Any, threads: Executor, erasures: Erasures
) -> None:
    broken, ids = uuid7(), [uuid7() for _ in range(3)]
    key = f"features/sentiment/1/2026/01/01/{uuid7()}.parquet"
    client.put_object(Bucket=BUCKET, Key=key, Body=b"no rows")
    places = await ship(client, threads, uuid7(), ids)
    record(requests, {broken: f"s3://{BUCKET}/{key}#row=0", ids[0]: places[0]})
    erase(requests, broken, ids[0])
    await erasures.step()
    assert is_erased(in_object(client, places[0])[0])
    assert waiting(requests) == {broken, ids[0]}


async def test_two_relays_erase_in_one_object(
    aws: Aws, bus: Bus, requests: Requests, pool: AsyncConnectionPool, threads: Executor
) -> None:
    client = aws.client("s3")
    ids = [uuid7() for _ in range(3)]
    places = await ship(client, threads, uuid7(), ids)
    record(requests, dict(zip(ids, places, strict=True)))
    features = FeatureErasure(client=client, executor=threads)
    for _ in range(5):
        erase(requests, *ids)
        await asyncio.gather(*(Erasures(pool=pool, features=features).step() for _ in range(3)))
        due(requests)
    assert all(map(is_erased, in_object(client, places[0])))
    assert waiting(requests) == set()


async def test_a_relay_that_dies_after_the_rewrite_is_followed_by_one_that_sees_it(
    aws: Aws, requests: Requests, threads: Executor, start_relay: StartRelay
) -> None:
    client = aws.client("s3")
    ids = [uuid7() for _ in range(3)]
    places = await ship(client, threads, uuid7(), ids)
    record(requests, dict(zip(ids, places, strict=True)))
    erase(requests, ids[0])
    relay = start_relay(patch=DIE_AFTER_REWRITING)
    wait_until(lambda: relay.exit_code is not None)
    assert is_erased(in_object(client, places[0])[0])
    assert waiting(requests) == {ids[0]}
    due(requests)
    start_relay()
    wait_until(lambda: waiting(requests) == set())


async def test_while_s3_is_away_the_relay_does_its_other_work(
    requests: Requests, bus: Bus, start_relay: StartRelay, threads: Executor
) -> None:
    id_ = uuid7()
    with S3() as s3:
        client = boto3.client(
            "s3",
            endpoint_url=s3.environment["AWS_ENDPOINT_URL_S3"],
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        (place, *_) = await ship(client, threads, uuid7(), [id_, uuid7(), uuid7()])
        record(requests, {id_: place})
        erase(requests, id_)
        s3.stop()
        relay = start_relay(aws=s3.environment)
        wait_until(lambda: "erasures: waiting for S3" in relay.log)
        requests.accept(1, model="genre")
        assert bus.receive("predict-genre", wait_s=20)
        assert waiting(requests) == {id_}
        s3.start()

        def done() -> bool:
            due(requests)  # rewritten, it is looked at once more
            return waiting(requests) == set()

        # Not until the object says so: while it is written, it is told of with another length.
        wait_until(done)
        assert is_erased(in_object(client, place)[0])
