"""How releases and versions stand is told as long as the database says it."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from database.logins import ROLLOUT
from rollout import metrics
from rollout.store import ReleaseStore
from tests.parts.catalog import PASSWORD, environment, register
from tests.parts.polling import wait_until
from tests.parts.postgres import Database

BLOCKED = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"


def versions() -> list[float]:
    return [
        sample.value
        for collector in metrics.COLLECTORS
        for metric in collector.collect()
        for sample in metric.samples
        if sample.name in ("pmesh_versions", "pmesh_releases")
    ]


def test_what_is_not_known_any_more_is_left_out(database: Database) -> None:
    register(database, {"sentiment": ["1"]})
    environment(database, ROLLOUT)
    connection = psycopg.connect(database.conninfo, user=ROLLOUT.name, password=PASSWORD)
    with connection:
        metrics.read(ReleaseStore(connection))
        assert versions()
    with pytest.raises(psycopg.OperationalError):
        metrics.read(ReleaseStore(connection))
    assert versions() == []


def test_what_is_known_is_told_while_it_is_read_anew(database: Database) -> None:
    register(database, {"sentiment": ["1"]})
    environment(database, ROLLOUT)
    with (
        psycopg.connect(database.conninfo, user=ROLLOUT.name, password=PASSWORD) as connection,
        ThreadPoolExecutor(1) as thread,
        database.connect() as other,
        database.connect() as watcher,
    ):
        metrics.read(ReleaseStore(connection))
        connection.commit()
        known = versions()
        with other.transaction():
            other.execute("LOCK TABLE versions")
            reading = thread.submit(metrics.read, ReleaseStore(connection))
            name = (watcher.info.dbname,)
            wait_until(lambda: watcher.execute(BLOCKED, name).fetchone() is not None)
            meanwhile = versions()
        reading.result()
    assert known
    assert meanwhile == known
