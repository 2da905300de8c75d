"""What the scripts of PostgreSQL's image do beside a restore of all that there is."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from database.logins import GATEWAY
from tests.parts.backups import Backups, found, has_recovered, recorded
from tests.parts.catalog import environment
from tests.parts.polling import wait_until

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def backups() -> Iterator[Backups]:
    with ExitStack() as stack:
        yield Backups(stack)


async def test_a_moment_is_restored_and_the_archive_goes_on_from_there(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = backups.postgres.create_database()
    for name, value in environment(database, GATEWAY).items():
        monkeypatch.setenv(name, value)
    made = backups.run("backup.sh")
    assert made.returncode == 0, made.stderr
    before = await recorded(20)
    moment = backups.archive(database)
    after = await recorded(20)
    backups.archive(database)

    backups.lose()
    backups.restore("--until", str(moment))
    wait_until(lambda: has_recovered(database))
    assert await found(before) == before
    assert await found(after) == []
    backups.archive(database)


def test_what_makes_backups_again_and_again_ends_on_sigterm(backups: Backups) -> None:
    made = backups.postgres.data.with_name("last-backup")
    process = backups.start("backup.sh", "--every", "24")
    try:
        wait_until(made.exists)
        process.terminate()
        assert process.wait(100) == 0
    finally:
        process.kill()


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
