"""How releases and versions stand is told as long as the database says it."""

import psycopg
import pytest

from database.logins import ROLLOUT
from rollout import metrics
from rollout.store import ReleaseStore
from tests.parts.catalog import PASSWORD, environment, register
from tests.parts.postgres import Database


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
