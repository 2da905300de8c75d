"""A lost data directory comes back from S3, by the scripts of PostgreSQL's image."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from database.logins import GATEWAY
from tests.parts.backups import Backups, found, has_recovered, recorded
from tests.parts.catalog import environment
from tests.parts.polling import wait_until


@pytest.fixture(scope="module")
def backups() -> Iterator[Backups]:
    with ExitStack() as stack:
        yield Backups(stack)


async def test_what_was_acknowledged_and_archived_is_there_again(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = backups.postgres.create_database()
    for name, value in environment(database, GATEWAY).items():
        monkeypatch.setenv(name, value)
    before = await recorded(20)
    made = backups.run("backup.sh")
    assert made.returncode == 0, made.stderr
    after = await recorded(20)
    backups.archive(database)
    lost = await recorded(20)

    backups.lose()
    backups.restore()
    wait_until(lambda: has_recovered(database))
    assert await found([*before, *after]) == [*before, *after]
    assert await found(lost) == []
    assert len(await found(await recorded(1))) == 1


def test_what_is_there_is_not_overwritten(backups: Backups) -> None:
    refused = backups.run("restore.sh", str(backups.postgres.data))
    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
