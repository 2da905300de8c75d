"""Makes the logins of the programs, each a member of the group that roles.sql gives its rights to.

    python -P -m database.roles groups --owner predict        once for a server, as a superuser
    python -P -m database.roles gateway < gateway.password    the login "gateway"
    python -P -m database.roles relay --password-file relay.password
    python -P -m database.roles worker sentiment < password   "worker-sentiment", of this model only
    python -P -m database.roles worker sentiment --login sentiment-2 --connections 4 < password
    python -P -m database.roles room 577                      fails unless the server takes so many

Connects by the standard PG* variables, as a role that may make roles. A model must be registered
before its worker; a login that is there gets the password and the limit anew, but never another
model. --owner names the role that owns the database: with CREATEROLE, it may then make the logins.
"""

import argparse
import getpass
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors

from contract.arguments import whole_number
from database import named_sql
from database.connections import bounded
from database.logins import (
    ANNOTATION,
    GATEWAY,
    MONITORING,
    RELAY,
    ROLLOUT,
    TRAINING,
    LoginTaken,
    create_groups,
    create_login,
    harden,
    let_manage_groups,
    worker_login,
)

_SQL = named_sql.load("database")


def main() -> None:
    """Do what the command line says; exit with one line if it cannot be done."""
    arguments = _parser().parse_args()
    try:
        with psycopg.connect(bounded(), autocommit=True) as connection:
            arguments.run(connection, arguments)
    except (LoginTaken, OSError) as error:
        sys.exit(str(error))
    except psycopg.OperationalError as error:
        sys.exit(f"cannot reach the database: {error}")
    except errors.ForeignKeyViolation:
        sys.exit(f"there is no model {arguments.model!r}; register it first")
    except psycopg.Error as error:
        sys.exit(f"PostgreSQL refuses: {error.diag.message_primary}")


def _make_groups(connection: "psycopg.Connection[Any]", arguments: argparse.Namespace) -> None:
    create_groups(connection)
    if arguments.owner:
        let_manage_groups(connection, arguments.owner)
    harden(connection)


def _make_login(connection: "psycopg.Connection[Any]", arguments: argparse.Namespace) -> None:
    login = arguments.known or worker_login(arguments.model)
    login = replace(
        login,
        name=arguments.login or login.name,
        connections=arguments.connections or login.connections,
    )
    create_login(connection, login, read_password(arguments.password_file))
    print(f"{login.name} may connect, {login.connections} times at once")


def _look_for_room(connection: "psycopg.Connection[Any]", arguments: argparse.Namespace) -> None:
    (room,) = connection.execute(_SQL["room"]).fetchone() or (0,)
    if room < arguments.connections:
        sys.exit(
            f"the server takes {room} connections, and all programs together may open"
            f" {arguments.connections}: raise its max_connections, or have fewer gateways, relays,"
            " workers or models"
        )


def read_password(file: Path | None) -> str:
    """Its first line, or that of the standard input: a command line can be read by others.

    Raises OSError, also where there is none.
    """
    if file is not None:
        text = file.read_text(encoding="utf-8")
    elif sys.stdin.isatty():
        text = getpass.getpass()
    else:
        text = sys.stdin.readline()
    if not (password := text.partition("\n")[0]):
        raise OSError("the password is empty" + (f" in {file}" if file else ""))
    return password


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m database.roles",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    programs = parser.add_subparsers(dest="program", required=True)
    groups = programs.add_parser("groups", help="make the groups, and take rights from everybody")
    groups.add_argument("--owner", metavar="ROLE", help="may put logins into the groups")
    groups.set_defaults(run=_make_groups)
    room = programs.add_parser("room", help="fail unless the server takes as many connections")
    room.add_argument("connections", type=whole_number(1, 1_000_000), metavar="NUMBER")
    room.set_defaults(run=_look_for_room)
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--login", help="its name; default: that of the program")
    options.add_argument(
        "--connections", type=whole_number(1, 10_000), metavar="NUMBER", help="how many at once"
    )
    options.add_argument("--password-file", type=Path, help="default: the standard input")
    for login in (GATEWAY, RELAY, ROLLOUT, MONITORING, TRAINING, ANNOTATION):
        program = programs.add_parser(login.name, parents=[options], help="a login for it")
        program.set_defaults(run=_make_login, known=login)
    worker = programs.add_parser("worker", parents=[options], help="a login for a model's worker")
    worker.add_argument("model", metavar="MODEL")
    worker.set_defaults(run=_make_login, known=None)
    return parser


if __name__ == "__main__":
    main()
