"""What is kept no longer goes, and nothing else: rows, days, labels, request_ids and objects."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest

from bus.aws import CONFIG
from contract.days import first_id
from database.logins import RELAY
from features.aging import FeatureAging
from features.places import object_key
from relay import retention
from relay.retention import Retention
from tests.integration.relay.conftest import StartRelay
from tests.parts.aws import Aws
from tests.parts.bus_probe import Bus
from tests.parts.catalog import environment
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests

BUCKET = "predict-features"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
Pass = Callable[[], Any]


def noon(days_ago: int) -> datetime:
    return TODAY - timedelta(days=days_ago) + timedelta(hours=12)


@pytest.fixture
def record(database: Database, requests: Requests) -> Requests:
    """With "sentiment" kept for 3 days and "genre" for 10, and partitions for 14 days."""
    requests.execute(
        "UPDATE models SET retention_days = CASE id WHEN 'sentiment' THEN 3 ELSE 10 END"
    )
    for days_ago in range(1, 15):
        day = TODAY - timedelta(days=days_ago)
        for parent in ("requests", "predictions"):
            with database.connect() as connection:
                connection.execute(
                    f"CREATE TABLE {parent}_{day:%Y%m%d} PARTITION OF {parent}"  # type: ignore[arg-type]
                    f" FOR VALUES FROM ('{first_id(day)}')"
                    f" TO ('{first_id(day + timedelta(days=1))}')"
                )
    return requests


@pytest.fixture
def aging(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Iterator[FeatureAging]:
    for name, value in bus.environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", config=CONFIG)
    with ThreadPoolExecutor(2) as executor:
        yield FeatureAging(client=client, bucket=BUCKET, executor=executor)
        client.close()


@pytest.fixture
def run_pass(
    database: Database, aging: FeatureAging, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Any]:
    """All that a relay that has just started does, as its login."""
    for name, value in environment(database, RELAY).items():
        monkeypatch.setenv(name, value)

    async def run() -> None:
        one = Retention(features=aging)
        async with asyncio.timeout(100):
            while one._rests_until == 0:
                await one.step()

    return run


def add(
    requests: Requests, days_ago: int, model: str = "sentiment", state: str = "SUCCEEDED"
) -> str:
    """A request of noon of a day, with all that may hang on it."""
    made = noon(days_ago)
    id_ = first_id(made)[:24] + uuid4().hex[:12]
    requests.execute(
        "INSERT INTO requests (id, model, version, text, state, create_time)"
        " VALUES (%s, %s, '1', 'a text', %s, %s)",
        (id_, model, state, made),
    )
    if state == "SUCCEEDED":
        requests.execute(
            "INSERT INTO predictions (id, label, confidence, scores) VALUES (%s, 'a', 1, '{}')",
            (id_,),
        )
        requests.execute(
            "INSERT INTO labels (prediction_id, model, label, source, label_time)"
            " VALUES (%s, %s, 'a', 'CLIENT', now())",
            (id_, model),
        )
    requests.execute(
        "INSERT INTO request_ids (request_id, id, create_time) VALUES (%s, %s, now())",
        (str(uuid4()), id_),
    )
    return id_


def left(requests: Requests) -> set[str]:
    """Ids of requests; what hangs on them hangs on nothing else."""
    ids = {str(row["id"]) for row in requests.query("SELECT id FROM requests")}
    finished = requests.query("SELECT id FROM requests WHERE state = 'SUCCEEDED'")
    for sql in ("SELECT id FROM predictions", "SELECT prediction_id AS id FROM labels"):
        assert Counter(row["id"] for row in requests.query(sql)) == Counter(  # type: ignore[arg-type]
            row["id"] for row in finished
        )
    known = {str(row["id"]) for row in requests.query("SELECT id FROM request_ids")}
    assert known <= ids
    return ids


def days(requests: Requests, parent: str = "requests") -> set[date]:
    rows = requests.query(
        "SELECT right(inhrelid::regclass::text, 8) AS day FROM pg_inherits"
        " WHERE inhparent = %s::regclass AND inhrelid::regclass::text !~ 'default'",
        (parent,),
    )
    return {datetime.strptime(row["day"], "%Y%m%d").replace(tzinfo=UTC).date() for row in rows}


def ago(*counts: int) -> set[date]:
    return {(TODAY - timedelta(days=count)).date() for count in counts}


async def test_each_model_keeps_its_days_and_what_is_unfinished_stays(
    record: Requests, run_pass: Pass
) -> None:
    kept = [add(record, age) for age in (0, 1, 3)]
    kept += [add(record, age, "genre") for age in (4, 10)]
    kept += [add(record, 12, "genre", "RUNNING"), add(record, 5, state="ACCEPTED")]
    for age in (4, 5, 10, 12):
        add(record, age)
        add(record, age, state="FAILED")
    add(record, 11, "genre")
    add(record, 40, "genre")  # of no partition
    add(record, 40)
    kept.append(add(record, 30, "genre", "ACCEPTED"))
    before = days(record)
    await run_pass()
    assert left(record) == set(kept)
    # The day of an unfinished one stays, and each in which something is kept.
    assert before - days(record) == ago(2, 6, 7, 8, 9, 11, 13, 14)
    assert days(record) == days(record, "predictions")


async def test_the_figures_stay_and_so_does_what_is_not_of_the_record(
    record: Requests, run_pass: Pass
) -> None:
    record.execute(
        "INSERT INTO quality_metrics (model, version, hour, metric, value, rows)"
        " VALUES ('sentiment', '1', %s, 'volume', 1, 1)",
        (noon(12),),
    )
    add(record, 12)
    await run_pass()
    assert left(record) == set()
    assert len(record.query("SELECT FROM quality_metrics")) == 1


async def test_what_is_more_than_fits_a_transaction_goes_in_several(
    record: Requests, run_pass: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LIMIT", 2)
    kept = [add(record, 5, "genre") for _ in range(3)]  # the others must be deleted
    for age in (5, 11):  # and this day dropped
        for _ in range(5):
            add(record, age)
    await run_pass()
    assert left(record) == set(kept)
    assert not days(record) & ago(11)


async def test_a_day_in_use_is_dropped_later_and_keeps_nobody_waiting(
    database: Database, record: Requests, aging: FeatureAging, run_pass: Pass
) -> None:
    for age in (12, 13):
        add(record, age)
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("SELECT count(*) FROM requests")  # in a transaction that does not end
        one = Retention(features=aging)
        await one.step()
        assert one._rests_until == 0
        assert days(record) >= ago(12, 13)
        add(record, 0)
    await run_pass()
    assert not days(record) & ago(12, 13)


async def test_two_relays_do_it_once(
    record: Requests, run_pass: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LIMIT", 3)
    kept = [add(record, 5, "genre")]
    for age in (5, 5, 5, 5, 5, 11, 11, 12):
        add(record, age)
    await asyncio.gather(run_pass(), run_pass())
    assert left(record) == set(kept)
    assert not days(record) & ago(11, 12)


def test_dead_rows_of_days_that_are_over_do_not_stay(
    record: Requests, start_relay: StartRelay
) -> None:
    """However few they are, so that autovacuum's general rule would leave them."""
    settled = (
        "SELECT count(*) AS size FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid"
        " WHERE i.inhparent = 'requests'::regclass"
        " AND c.reloptions @> '{autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=0}'"
        " AND (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid)"
        "     @> '{autovacuum_vacuum_scale_factor=0,autovacuum_vacuum_threshold=0}'"
    )
    add(record, 1)
    start_relay()
    # Yesterday, perhaps the two days before, which nothing keeps, and what is of no day.
    wait_until(lambda: record.query(settled)[0]["size"] >= 2)
    (today,) = record.query(
        "SELECT reloptions FROM pg_class WHERE relname = %s", (f"requests_{TODAY:%Y%m%d}",)
    )
    assert today["reloptions"] is None


def put(aws: Aws, model: str, days_ago: int, version: str = "1") -> str:
    file_id = first_id(noon(days_ago))[:24] + uuid4().hex[:12]
    key = object_key(model, version, file_id)
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"rows")
    return key


def keys(aws: Aws) -> set[str]:
    listed = aws.client("s3").list_objects_v2(Bucket=BUCKET)
    return {found["Key"] for found in listed.get("Contents", [])}


async def test_features_go_by_the_days_of_their_model_known_or_not(
    aws: Aws, record: Requests, run_pass: Pass
) -> None:
    kept = [put(aws, "sentiment", 0), put(aws, "sentiment", 3, "2"), put(aws, "genre", 10)]
    kept.append(put(aws, "gone", 90))
    record.execute("UPDATE models SET listed = false WHERE id = 'sentiment'")
    for model, age in (("sentiment", 4), ("sentiment", 400), ("genre", 11), ("gone", 91)):
        put(aws, model, age)
    await run_pass()
    assert keys(aws) == set(kept)


async def test_while_s3_is_away_the_record_is_cleared_and_features_later(
    aws: Aws, record: Requests, aging: FeatureAging, run_pass: Pass
) -> None:
    key = put(aws, "sentiment", 4)
    add(record, 12)
    away = FeatureAging(
        client=boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=CONFIG),
        bucket=BUCKET,
        executor=aging._executor,
    )
    one = Retention(features=away)
    await one.step()
    assert one._rests_until == 0
    assert left(record) == set()
    assert keys(aws) == {key}
    await run_pass()
    assert keys(aws) == set()
