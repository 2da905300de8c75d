"""Brings the database to the schema of this version: `python -m gateway.store.migrate`.

Connects by the standard PG* variables. Each file of migrations/ runs once, in order, in a
transaction of its own; a lock keeps two runs apart.
"""

import logging
import sys
from importlib.resources import files

import psycopg

log = logging.getLogger(__name__)
_LOCK = 0x70_6D_65_73_68  # "pmesh"


def migrate(conninfo: str = "") -> list[str]:
    """Apply what is missing and answer with the names of the migrations that ran."""
    scripts = sorted(
        (f for f in files("gateway.store").joinpath("migrations").iterdir() if f.name[0].isdigit()),
        key=lambda f: f.name,
    )
    applied = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name text PRIMARY KEY, apply_time timestamptz NOT NULL DEFAULT now())"
        )
        done = {name for (name,) in connection.execute("SELECT name FROM migrations")}
        for script in scripts:
            if script.name in done:
                continue
            with connection.transaction():
                connection.execute(script.read_text(encoding="utf-8"))
                connection.execute("INSERT INTO migrations (name) VALUES (%s)", (script.name,))
            applied.append(script.name)
    return applied


def main() -> None:
    """Migrate the database of the environment and say what was done."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        applied = migrate()
    except psycopg.OperationalError as error:
        sys.exit(f"cannot reach the database: {error}\nSet PGHOST, PGPORT, PGUSER and PGDATABASE.")
    log.info("applied %s", ", ".join(applied) if applied else "nothing: the schema is current")


if __name__ == "__main__":
    main()
