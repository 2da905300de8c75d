"""PostgreSQL with its backups in S3, by the scripts of its image."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from contract.ids import uuid7
from gateway.prediction import Prediction, State
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from inference.output import Output
from pmesh.stack.own_environment import python_of
from tests.parts.polling import wait_until
from tests.parts.postgres import BINARIES, Database, Postgres
from tests.parts.s3 import KEY, S3, SECRET

ROOT = Path(__file__).parents[2]
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
        return subprocess.run(
            [SCRIPTS / script, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, script: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([SCRIPTS / script, *arguments], env=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self._variables,
            "PGHOST": str(self.postgres.data.parent),
            "PGUSER": "postgres",
            "PGDATA": str(self.postgres.data),
        }

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

    def lose(self) -> None:
        """The disk, and all in memory."""
        self.postgres.stop_immediately()
        shutil.rmtree(self.postgres.data)

    def restore(self, *options: str) -> None:
        """Bring it back, and start it."""
        restored = self.run("restore.sh", str(self.postgres.data), *options)
        assert restored.returncode == 0, restored.stderr
        self.postgres.start()


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


def has_recovered(database: Database) -> bool:
    with database.connect() as connection:
        row = connection.execute("SELECT pg_is_in_recovery() AS recovering").fetchone()
    assert row is not None
    return not row["recovering"]
