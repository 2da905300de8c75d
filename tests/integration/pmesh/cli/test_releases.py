"""`pmesh pause`, `resume` and `cancel`: which of a model's releases they are about."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pmesh.calls import CallFailedError
from pmesh.releases import ReleaseClient
from rollout.store import ReleaseStore
from tests.integration.gateway.program.running import running
from tests.parts.postgres import Database

MODEL = "sentiment"
ALL = 10_000


class Desk:
    """A gateway that nobody carries releases out for, and its database."""

    def __init__(self, address: str, connection: "psycopg.Connection[Any]") -> None:
        self.address = address
        self._connection = connection
        self._store = ReleaseStore(connection)

    def accept(self, version: str) -> str:
        """As another client does; its id."""
        row = self._connection.execute(
            "SELECT releases_v1.create_release(%s, %s, %s, '1 hour', NULL, 'anna', '', '', NULL)",
            (MODEL, version, [10, ALL]),
        ).fetchone()
        assert row is not None
        return str(row[0])

    def take_step(self, release: str) -> None:
        assert self._store.take_step(release)

    def states(self) -> dict[str, str]:
        """Of all releases of versions, by version."""
        query = "SELECT version, state FROM releases_v1.releases WHERE action = 'RELEASE'"
        return dict(self._connection.execute(query).fetchall())

    def pmesh(self, command: str) -> "subprocess.CompletedProcess[str]":
        arguments = (command, MODEL, "--address", self.address)
        return subprocess.run(
            (sys.executable, "-m", "pmesh.cli", *arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Desk]:
    with (
        running(database, str(tmp_path)) as gateway,
        psycopg.connect(database.conninfo, autocommit=True) as connection,
    ):
        for version in "23":
            ReleaseStore(connection).set_version(MODEL, version, "SERVING")
        yield Desk(gateway.address, connection)


def test_each_is_about_the_release_that_it_can_change(desk: Desk) -> None:
    """An older one goes on while a newer one waits for its turn."""
    desk.take_step(desk.accept("2"))
    desk.accept("3")
    nothing = desk.pmesh("resume")
    assert (nothing.returncode, desk.states()) == (1, {"2": "RUNNING", "3": "ACCEPTED"})
    assert "no release of sentiment is paused" in nothing.stderr
    assert "sentiment 2 is paused" in desk.pmesh("pause").stdout
    assert desk.states() == {"2": "PAUSED", "3": "ACCEPTED"}
    assert "sentiment 2 goes on" in desk.pmesh("resume").stdout
    assert desk.states() == {"2": "RUNNING", "3": "ACCEPTED"}
    cancelled = desk.pmesh("cancel").stdout
    assert "sentiment 2 is cancelled" in cancelled
    assert "sentiment 3 is cancelled" in cancelled
    assert desk.states() == {"2": "INTERRUPTED", "3": "INTERRUPTED"}


def test_who_waits_for_a_paused_release_is_told(desk: Desk) -> None:
    desk.accept("2")
    assert desk.pmesh("pause").returncode == 0
    with ReleaseClient(desk.address) as client:
        (release,) = client.under_way(MODEL)
        assert client.outcome(release) == release


def test_who_asks_for_too_much_is_told_to_take_something_back(desk: Desk) -> None:
    for _ in range(100):
        desk.accept("2")
    with (
        ReleaseClient(desk.address) as client,
        pytest.raises(CallFailedError, match="too many releases") as raised,
    ):
        client.release(MODEL, "2", actor="anna")
    assert raised.value.remedy == "pmesh cancel sentiment"
