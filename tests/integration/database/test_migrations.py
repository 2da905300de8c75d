"""Migrations: once each, never changed, and what was there stays."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest

from database import migrate as program
from database.migrate import MigrationChanged, migrate
from tests.parts.postgres import Database, Postgres

NAMES = sorted(path.name for path in files("database").joinpath("migrations").iterdir())


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[Database]:
    """A database without a schema."""
    database = postgres.create_database(template="template1")
    yield database
    postgres.drop_database(database)


def text(name: str) -> str:
    return files("database").joinpath("migrations", name).read_text(encoding="utf-8")


def apply_as_before_checksums(database: Database, *names: str) -> None:
    """As the program did before it kept checksums."""
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE migrations"
            " (name text PRIMARY KEY, apply_time timestamptz NOT NULL DEFAULT now())"
        )
        for name in names:
            connection.execute(text(name).encode())
            connection.execute(
                "INSERT INTO migrations VALUES (%s, now() - interval '1 day')", (name,)
            )


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo) as connection:
        return connection.execute(query.encode()).fetchall()


def test_what_was_applied_is_not_applied_again(empty: Database) -> None:
    assert migrate(empty.conninfo)[: len(NAMES)] == NAMES
    assert migrate(empty.conninfo) == []


def test_a_changed_file_that_was_applied_is_named_and_nothing_is_done(empty: Database) -> None:
    migrate(empty.conninfo)
    with empty.connect() as connection:
        connection.execute("UPDATE migrations SET sha256 = 'x' WHERE name LIKE '0002%'")
        connection.execute("DELETE FROM migrations WHERE name LIKE '0003%'")
    with pytest.raises(MigrationChanged, match=r"^0002_releases\.sql "):
        migrate(empty.conninfo)
    assert rows(empty, "SELECT FROM migrations WHERE name LIKE '0003%'") == []
    command = (sys.executable, "-P", "-m", "database.migrate")
    done = subprocess.run(
        command, env=empty.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("0002_releases.sql ")


def test_what_was_applied_before_checksums_gets_its_own(empty: Database) -> None:
    apply_as_before_checksums(empty, *NAMES[:2])
    assert migrate(empty.conninfo)[0] == NAMES[2]
    applied = "SELECT name, sha256 IS NOT NULL, apply_time < now() - interval '1 hour'"
    found = rows(empty, f"{applied} FROM migrations WHERE name ~ '^0' ORDER BY name")
    assert found[: len(NAMES)] == [
        *((name, True, True) for name in NAMES[:2]),
        *((name, True, False) for name in NAMES[2:]),
    ]


def test_runs_that_come_together_apply_everything_once(empty: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [empty.conninfo] * 4))
    # The rights are given anew by each run that applied something.
    names = [name for names in applied for name in names if name != "roles.sql"]
    assert sorted(names) == sorted(set(names))
    assert set(NAMES) < set(names)


def test_a_run_waits_for_one_that_goes_on_and_for_nobody_who_reads(empty: Database) -> None:
    migrate(empty.conninfo)
    with (
        psycopg.connect(empty.conninfo) as reading,
        psycopg.connect(empty.conninfo) as going_on,
        ThreadPoolExecutor(1) as threads,
    ):
        reading.execute("SELECT FROM migrations")
        assert migrate(empty.conninfo) == []
        reading.rollback()
        going_on.execute("LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE")
        waiting = threads.submit(migrate, empty.conninfo)
        with pytest.raises(TimeoutError):
            waiting.result(0.5)
        going_on.rollback()
        assert waiting.result(30) == []


def test_published_functions_are_replaced_when_they_change(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty.conninfo)
    source = Path(str(files("database")))
    (tmp_path / "database").symlink_to(source)
    changed = tmp_path / "changed"
    for name in ("migrations", "published"):
        (changed / name).mkdir(parents=True)
        for file in (source / name).iterdir():
            (changed / name / file.name).write_bytes(file.read_bytes())
    (changed / "roles.sql").write_bytes((source / "roles.sql").read_bytes())
    file = changed / "published" / "relay_v1.sql"
    file.write_text(
        file.read_text()
        + "CREATE OR REPLACE FUNCTION relay_v1.two() RETURNS integer LANGUAGE sql RETURN 2;\n"
    )
    monkeypatch.setattr(program, "files", lambda _: changed)
    assert migrate(empty.conninfo) == ["relay_v1.sql", "roles.sql"]
    # What is new is nobody's until roles.sql gives it to somebody.
    granted = "SELECT has_function_privilege('pmesh_worker', 'relay_v1.two()', 'EXECUTE')"
    assert rows(empty, granted) == [(False,)]


def test_a_run_that_ends_between_the_migrations_and_the_roles_leaves_the_roles_to_the_next(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty.conninfo)
    with empty.connect() as connection:  # as if the last one were still to come
        connection.execute("CREATE FUNCTION late() RETURNS integer LANGUAGE sql RETURN 1")
    scripts = program._scripts
    late = program.Script("0999_late.sql", "SELECT late()", "a checksum")

    def with_a_late_one(folder: str) -> list[program.Script]:
        return scripts(folder) + [late] * (folder == "migrations")

    def die(_: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_scripts", with_a_late_one)
    with monkeypatch.context() as killed:
        killed.setattr(program, "_publish", die)
        with pytest.raises(KeyboardInterrupt):
            migrate(empty.conninfo)
    granted = "SELECT has_function_privilege('public', 'late()', 'EXECUTE')"
    assert rows(empty, granted) == [(True,)]
    assert migrate(empty.conninfo) == ["roles.sql"]
    assert rows(empty, granted) == [(False,)]
    assert migrate(empty.conninfo) == []


def test_versions_and_traffic_and_requests_of_before_stay(empty: Database) -> None:
    apply_as_before_checksums(empty, *NAMES[:2])
    with empty.connect() as connection:
        connection.execute(
            """
            INSERT INTO models VALUES ('m', 'of old', '{no,yes}', 'host:1', true);
            INSERT INTO versions (model, version, state, sha256)
                VALUES ('m', '1', 'SERVING', 'a'), ('m', '2', 'REFUSED', 'b');
            INSERT INTO traffic VALUES ('m', '1', 100);
            INSERT INTO releases (model, action, actor, reason, state)
                VALUES ('m', 'SET_TRAFFIC', 'anna', 'why', 'DONE');
            INSERT INTO requests (id, model, version, text, state, create_time, attempt)
                VALUES (uuidv7(), 'm', '1', 'a text', 'RUNNING', now(), 1);
            """
        )
    migrate(empty.conninfo)
    versions = "SELECT version, state::text, sha256, labels, address FROM versions ORDER BY version"
    assert rows(empty, versions) == [
        ("1", "SERVING", "a", ["no", "yes"], None),
        ("2", "REFUSED", "b", ["no", "yes"], None),
    ]
    assert rows(empty, "SELECT * FROM traffic") == [("m", "1", 100, None)]
    assert rows(empty, "SELECT state::text, actor, holder FROM releases") == [
        ("DONE", "anna", None)
    ]
    requests = "SELECT state::text, text, attempt, claim_token FROM requests"
    assert rows(empty, requests) == [("RUNNING", "a text", 1, None)]
    assert rows(empty, "SELECT feature_share FROM models") == [(1.0,)]
    assert rows(empty, "SELECT model FROM publishing") == [("m",)]


def test_an_owner_that_may_make_no_roles_can_migrate_once_the_groups_are_there(
    empty: Database,
) -> None:
    name = empty.environment["PGDATABASE"]
    with empty.connect() as connection:  # the server has the groups, from the tests' template
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {name}".encode())
    owner = Database(empty.environment | {"PGUSER": name})
    assert migrate(owner.conninfo)[: len(NAMES)] == NAMES
    for right in ("CONNECT", "TEMP"):
        granted = f"SELECT has_database_privilege('public', current_database(), '{right}')"
        assert rows(owner, granted) == [(False,)]
