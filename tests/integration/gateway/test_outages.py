"""PostgreSQL away, silent, full or read-only: what callers of the record are told, and when."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import psycopg
import pytest
from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import ListTooBroad, StoreUnavailable
from contract.ids import uuid7
from gateway.prediction import ListFilter
from gateway.refusals import to_error
from gateway.release import Signature
from gateway.store import search, silence
from gateway.store.catalog import Catalog
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from gateway.store.releases import TrafficStore
from tests.integration.gateway.test_store import accepted, finished
from tests.parts.catalog import register
from tests.parts.postgres import Database, Postgres

ANNA = Signature(actor="anna", reason="why")
Calls = dict[str, Callable[[], Awaitable[object]]]

LIMIT_S = 8.0
"""Of a test's patience, less than the deadline that a caller without one is given."""


@pytest.fixture
async def calls(database: Database, connections: Connections, store: PredictionStore) -> Calls:
    """Everything that the gateway asks of PostgreSQL, each on a connection that was used."""
    register(database, {"sentiment": ["1"]})
    catalog, traffic = Catalog(connections), TrafficStore(connections)
    calls: Calls = {
        "Predict": lambda: store.insert_finished(finished(), ""),
        "CreatePrediction": lambda: store.insert_accepted(accepted(), ""),
        "a known request_id": lambda: store.find(str(uuid4())),
        "GetPrediction": lambda: store.get(uuid7()),
        "ListPredictions": lambda: store.search(
            ListFilter(), before_id=None, limit=10, max_bytes=1000
        ),
        "CancelPrediction": lambda: store.cancel(uuid7()),
        "DeletePrediction": lambda: store.erase(uuid7()),
        "SetTraffic": lambda: traffic.set_shares("sentiment", {"1": 10_000}, ANNA, etag=""),
        "ListReleases": lambda: traffic.list("sentiment", before_id=None, limit=10),
        "the catalog": catalog.refresh,
    }
    await all_succeed(calls)
    return calls


async def all_succeed(calls: Calls) -> None:
    await asyncio.gather(*(call() for call in calls.values()))


async def reasons(calls: Calls) -> dict[str, str]:
    """What each is told, all asked at once."""
    async with asyncio.timeout(LIMIT_S):
        outcomes = await asyncio.gather(*(c() for c in calls.values()), return_exceptions=True)
    told = {}
    for name, outcome in zip(calls, outcomes, strict=True):
        assert isinstance(outcome, Exception), f"{name} succeeded"
        told[name] = ErrorReason.Name(to_error(outcome).reason)
    return told


def unavailable(calls: Calls) -> dict[str, str]:
    return dict.fromkeys(calls, "ERROR_REASON_STORE_UNAVAILABLE")


async def test_a_server_that_is_gone_is_told_at_once_and_its_return_is_noticed_by_the_first_call(
    calls: Calls, postgres: Postgres
) -> None:
    postgres.stop_immediately()
    try:
        for _ in range(3):
            assert await reasons(calls) == unavailable(calls)
    finally:
        postgres.start()
    await all_succeed(calls)


async def test_a_server_that_was_restarted_meanwhile_costs_no_call(
    calls: Calls, postgres: Postgres
) -> None:
    postgres.stop_immediately()
    postgres.start()
    await all_succeed(calls)


async def test_a_silent_server_is_waited_for_once_and_then_by_nobody(
    calls: Calls,
    postgres: Postgres,
    connections: Connections,
    store: PredictionStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = 0
    connect = psycopg.AsyncConnection.connect

    async def count(*arguments: object, **options: object) -> object:
        nonlocal tried
        tried += 1
        return await connect(*arguments, **options)  # type: ignore[arg-type]

    written = finished()
    await store.insert_finished(written, "")
    with postgres.silent():
        assert await reasons(calls) == unavailable(calls)
        monkeypatch.setattr(psycopg.AsyncConnection, "connect", count)
        for _ in range(200):
            assert await reasons(calls) == unavailable(calls)
        # Of 1,800 calls: the only connection that is tried is that of the looks, now and then.
        assert tried < 10
    await answering(connections)
    await all_succeed(calls)
    assert await store.get(written.id) == written


async def test_a_silent_server_is_noticed_without_any_connection(
    database: Database, postgres: Postgres
) -> None:
    async with Connections(conninfo=database.conninfo) as connections:
        with postgres.silent():
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    async with asyncio.timeout(LIMIT_S):
                        await connections.open()
        await answering(connections)
        await (await connections.open()).close()


async def test_a_slow_server_is_not_away(
    calls: Calls, store: PredictionStore, database: Database
) -> None:
    with psycopg.connect(database.conninfo) as holder:
        holder.execute("LOCK TABLE requests")
        slow = [finished(), finished()]
        writes = [asyncio.ensure_future(store.insert_finished(p, "")) for p in slow]
        read = asyncio.create_task(store.get(slow[0].id))
        await asyncio.sleep(silence.PATIENCE_S * 2 + silence.LOOK_S)
        assert not any(task.done() for task in (*writes, read))
        await calls["ListReleases"]()  # which needs no such table
    assert await asyncio.gather(*writes) == [True, True]
    await read


async def test_what_does_not_end_is_given_up(
    calls: Calls, store: PredictionStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "ANSWER_S", 0.5)
    with psycopg.connect(database.conninfo) as holder:
        holder.execute("LOCK TABLE requests")
        writing = {"Predict": calls["Predict"], "GetPrediction": calls["GetPrediction"]}
        assert await reasons(writing) == unavailable(writing)
        await calls["ListReleases"]()
    await all_succeed(calls)


async def test_a_backend_that_ends_in_a_statement_fails_that_statement_alone(
    calls: Calls, store: PredictionStore, database: Database
) -> None:
    with psycopg.connect(database.conninfo) as holder:
        holder.execute("LOCK TABLE requests")
        read = asyncio.create_task(store.get(uuid7()))
        await asyncio.sleep(0.1)
        with database.connect() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        with pytest.raises(psycopg.OperationalError):
            await read
        await calls["ListReleases"]()
    await all_succeed(calls)


async def test_too_many_connections_refuse_those_who_need_another(
    database: Database, connections: Connections, store: PredictionStore
) -> None:
    async def read() -> None:
        assert await store.get(uuid7()) is None

    await store.insert_finished(finished(), "")
    with database.connect() as admin:
        admin.execute("ALTER ROLE gateway CONNECTION LIMIT 1")
    try:
        for _ in range(2):
            assert set((await reasons({"read": read})).values()) == {
                "ERROR_REASON_STORE_UNAVAILABLE"
            }
            assert await store.insert_finished(finished(), "")
    finally:
        with database.connect() as admin:
            admin.execute("ALTER ROLE gateway CONNECTION LIMIT 12")
    await read()


async def test_a_server_that_became_read_only_is_left_for_one_that_is_not(
    calls: Calls, database: Database
) -> None:
    """As after a failover: the connection is well, and leads to the wrong one."""
    writing = {
        name: calls[name]
        for name in (
            "Predict",
            "CreatePrediction",
            "CancelPrediction",
            "DeletePrediction",
            "SetTraffic",
        )
    }
    name = psycopg.sql.Identifier(database.environment["PGDATABASE"])
    change = psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
    with database.connect() as admin:
        admin.execute(change.format(name, "on"))
        end_the_others(admin)
        assert await reasons(writing) == unavailable(writing)
        admin.execute("SET default_transaction_read_only = off")
        admin.execute(change.format(name, "off"))
    await all_succeed(calls)


async def test_a_list_that_takes_too_long_is_refused_for_its_conditions(
    store: PredictionStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCH_S", 1)

    async def page() -> None:
        await store.search(ListFilter(), before_id=None, limit=10, max_bytes=1000)

    with psycopg.connect(database.conninfo) as holder:
        holder.execute("LOCK TABLE requests")
        with pytest.raises(ListTooBroad, match="ask for a model, or for less time"):
            await page()
    await page()


async def answering(connections: Connections) -> None:
    """Until the end of a silence is noticed."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return connections.silence.check()
            except StoreUnavailable:
                await asyncio.sleep(0.01)


def end_the_others(connection: "psycopg.Connection[dict[str, object]]") -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
