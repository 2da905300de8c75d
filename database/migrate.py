"""Brings the database to the schema of this version: `python -P -m database.migrate`.

    PGHOST=db.example PGUSER=predict PGDATABASE=predict python -P -m database.migrate

Connects by the standard PG* variables, as the owner of the database. Each file of migrations/ runs
once, in order, in a transaction of its own, and is never changed again. The files of published/ and
roles.sql are applied whenever they have changed.
"""

import hashlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import errors

from database import named_sql
from database.connections import bounded
from database.logins import create_groups

log = logging.getLogger(__name__)

_SQL = named_sql.load("database")

_ROLES = "roles.sql"

Record = dict[str, str | None]
"""File -> the checksum of what was applied; None where none was kept."""


class MigrationChanged(Exception):
    """A file is no longer what was applied to this database."""


@dataclass(frozen=True, slots=True)
class Script:
    """A file of SQL."""

    name: str
    sql: str
    sha256: str


def migrate(conninfo: str = "") -> list[str]:
    """Apply what is missing or has changed; answers with the names of the files.

    Runs that come together go one after the other. Raises MigrationChanged, psycopg.Error.
    """
    with psycopg.connect(bounded(conninfo), autocommit=True) as connection:
        create_groups(connection)
        _create_record(connection)
        migrations = _scripts("migrations")
        _check(connection, migrations)
        applied = [script.name for script in migrations if _apply_once(connection, script)]
        return applied + _publish(connection)


def _create_record(connection: "psycopg.Connection[Any]") -> None:
    # Another run may make it at the same moment.
    with suppress(errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject):
        connection.execute(_SQL["create_record"])
    if not connection.execute(_SQL["has_checksums"]).rowcount:
        connection.execute(_SQL["add_checksums"])


@contextmanager
def _alone(connection: "psycopg.Connection[Any]") -> Iterator[Record]:
    """A transaction that no other migration runs beside; gives what was applied before."""
    with connection.transaction():
        connection.execute(_SQL["lock_record"])
        yield dict(connection.execute(_SQL["read_record"]).fetchall())


def _check(connection: "psycopg.Connection[Any]", migrations: list[Script]) -> None:
    """See that what was applied is what lies here. Raises MigrationChanged."""
    with _alone(connection) as record:
        for script in migrations:
            applied = record.get(script.name, script.sha256)
            if applied is None:
                _note(connection, script)
            elif applied != script.sha256:
                raise MigrationChanged(
                    f"{script.name} was applied to this database in another form;"
                    " put it back as it was, and write what is new into a file of its own"
                )


def _apply_once(connection: "psycopg.Connection[Any]", script: Script) -> bool:
    """Whether it was still to be done."""
    with _alone(connection) as record:
        if script.name in record:
            return False
        _apply(connection, script)
        # In this commit: a run that ends before the roles leaves them to the next one.
        connection.execute(_SQL["forget"], {"name": _ROLES})
        return True


def _publish(connection: "psycopg.Connection[Any]") -> list[str]:
    """Apply what has changed of the functions and of the roles.

    In one commit, so that nobody has rights on a new function that roles.sql does not give.
    """
    with _alone(connection) as record:
        published = _scripts("published")
        changed = [script for script in published if record.get(script.name) != script.sha256]
        roles = _script(_ROLES)
        if changed or record.get(roles.name) != roles.sha256:
            changed.append(roles)
        for script in changed:
            _apply(connection, script)
        return [script.name for script in changed]


def _apply(connection: "psycopg.Connection[Any]", script: Script) -> None:
    connection.execute(script.sql)
    _note(connection, script)


def _note(connection: "psycopg.Connection[Any]", script: Script) -> None:
    connection.execute(_SQL["note"], {"name": script.name, "sha256": script.sha256})


def _scripts(folder: str) -> list[Script]:
    names = sorted(file.name for file in files("database").joinpath(folder).iterdir())
    return [_script(name, folder) for name in names if name.endswith(".sql")]


def _script(name: str, *folder: str) -> Script:
    content = files("database").joinpath(*folder, name).read_bytes()
    return Script(name, content.decode(), hashlib.sha256(content).hexdigest())


def main() -> None:
    """Migrate the database of the environment and say what was done."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    if sys.argv[1:]:
        sys.exit(__doc__)
    try:
        applied = migrate()
    except MigrationChanged as error:
        sys.exit(str(error))
    except psycopg.OperationalError as error:
        sys.exit(f"cannot reach the database: {error}\nSet PGHOST, PGPORT, PGUSER and PGDATABASE.")
    except errors.InsufficientPrivilege as error:
        sys.exit(
            f"{error.diag.message_primary}: connect as the owner of the database; where that may"
            " make no roles, a superuser first runs: python -P -m database.roles groups --owner"
            " ROLE"
        )
    log.info("applied %s", ", ".join(applied) if applied else "nothing: the schema is current")


if __name__ == "__main__":
    main()
