"""A lost data directory comes back from S3, by the scripts of PostgreSQL's image."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.ids import uuid7
from database.logins import GATEWAY
from gateway.prediction import Prediction, State
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from inference.output import Output
from pmesh.stack.own_environment import python_of
from tests.integration.deploy.jobs import ROOT
from tests.parts.catalog import environment
from tests.parts.polling import wait_until
from tests.parts.postgres import BINARIES, Database, Postgres
from tests.parts.s3 import KEY, S3, SECRET

SCRIPTS = ROOT / "deploy" / "docker" / "postgres"
BUCKET = "predict-backups"


class Backups:
    """A server that archives its log, and the scripts beside it."""

    def __init__(self, stack: ExitStack) -> None:
        python = python_of(ROOT / "build", "barman", SCRIPTS / "barman.txt")
        s3 = stack.enter_context(S3())
        (s3.directory / BUCKET).mkdir()
        self._url = f"s3://{BUCKET}/predict"
        self._variables = {
            **s3.environment,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PMESH_BACKUPS": self._url,
            "PATH": f"{python.parent}:{BINARIES}:{os.environ['PATH']}",
        }
        self.postgres = stack.enter_context(
            Postgres(
                "archive_mode=on",
                f"archive_command=barman-cloud-wal-archive --gzip {self._url} postgres %p",
                environment=self._variables,
            )
        )

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Barman asks by which path the server knows its data.
        return subprocess.run(
            [SCRIPTS / script, *arguments],
            env={
                **os.environ,
                **self._variables,
                "PGHOST": str(self.postgres.data.parent),
                "PGUSER": "postgres",
                "PGDATA": str(self.postgres.data),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def archive(self, database: Database) -> datetime:
        """Have all be archived that is committed until now; the time."""
        with database.connect() as connection:
            row = connection.execute(
                "SELECT now() AS now, pg_walfile_name(pg_switch_wal()) AS segment"
            ).fetchone()
            assert row is not None

            def is_archived() -> bool:
                archived = connection.execute("SELECT last_archived_wal FROM pg_stat_archiver")
                last = archived.fetchone()
                assert last is not None
                return (last["last_archived_wal"] or "") >= row["segment"]

            wait_until(is_archived)
        now: datetime = row["now"]
        return now


@pytest.fixture
def backups() -> Iterator[Backups]:
    with ExitStack() as stack:
        yield Backups(stack)


async def recorded(number: int) -> list[Prediction]:
    """Predictions that were acknowledged, as a gateway does."""
    made = [finished(f"text {i}") for i in range(number)]
    async with Connections(1) as connections, PredictionStore(connections, max_waiting=99) as store:
        for prediction in made:
            assert await store.insert_finished(prediction, "")
    return made


async def found(expected: Sequence[Prediction]) -> list[Prediction]:
    """Those of them that a gateway finds."""
    async with Connections(1) as connections, PredictionStore(connections, max_waiting=99) as store:
        read = [await store.get(prediction.id) for prediction in expected]
    return [prediction for prediction in read if prediction is not None]


def finished(text: str) -> Prediction:
    now = datetime.now(UTC)
    return Prediction(
        id=uuid7(),
        model="sentiment",
        version="1",
        text=text,
        state=State.SUCCEEDED,
        create_time=now,
        complete_time=now,
        output=Output(label="tweet", confidence=1.0, scores={"tweet": 1.0}),
    )


async def test_what_was_acknowledged_and_archived_is_there_again(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = backups.postgres
    database = postgres.create_database()
    for name, value in environment(database, GATEWAY).items():
        monkeypatch.setenv(name, value)

    before = await recorded(20)
    made = backups.run("backup.sh")
    assert made.returncode == 0, made.stderr
    after = await recorded(20)
    moment = backups.archive(database)
    later = await recorded(20)
    backups.archive(database)
    lost = await recorded(20)

    lose(postgres)
    restored = backups.run("restore.sh", str(postgres.data))
    assert restored.returncode == 0, restored.stderr
    postgres.start()
    wait_until(lambda: has_recovered(database))
    assert await found([*before, *after, *later]) == [*before, *after, *later]
    assert await found(lost) == []
    backups.archive(database)  # its own log goes on there
    assert len(await found(await recorded(1))) == 1

    lose(postgres)
    restored = backups.run("restore.sh", str(postgres.data), "--until", str(moment))
    assert restored.returncode == 0, restored.stderr
    postgres.start()
    wait_until(lambda: has_recovered(database))
    assert await found([*before, *after]) == [*before, *after]
    assert await found(later) == []


def test_what_is_there_is_not_overwritten(backups: Backups) -> None:
    refused = backups.run("restore.sh", str(backups.postgres.data))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr


def test_the_databases_of_programs_are_made_once(backups: Backups, tmp_path: Path) -> None:
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords" / "predict").write_text("a 'secret'\n")
    (tmp_path / "passwords" / "tracking").write_text("another\n")
    (tmp_path / "databases").write_text("predict predict createrole\ntracking tracking - plpgsql\n")
    for _ in range(2):
        made = backups.run("databases.sh", str(tmp_path))
        assert made.returncode == 0, made.stderr
    with backups.postgres.create_database().connect() as connection:
        owners = connection.execute(
            "SELECT datname, rolname, rolcreaterole, rolpassword LIKE 'SCRAM-SHA-256$%' AS hidden"
            " FROM pg_database JOIN pg_authid ON pg_authid.oid = datdba"
            " WHERE NOT rolsuper ORDER BY datname"
        ).fetchall()
        open_to_all = connection.execute(
            "SELECT FROM pg_database WHERE datname IN ('predict', 'tracking', 'postgres')"
            " AND has_database_privilege('public', oid, 'CONNECT')"
        ).fetchall()
    assert [tuple(owner.values()) for owner in owners] == [
        ("predict", "predict", True, True),
        ("tracking", "tracking", False, True),
    ]
    assert open_to_all == []


def lose(postgres: Postgres) -> None:
    """Its disk, and all in its memory."""
    postgres.stop_immediately()
    shutil.rmtree(postgres.data)


def has_recovered(database: Database) -> bool:
    with database.connect() as connection:
        row = connection.execute("SELECT pg_is_in_recovery() AS recovering").fetchone()
    assert row is not None
    return not row["recovering"]
