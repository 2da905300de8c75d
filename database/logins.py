"""The groups that roles.sql gives rights to, and the logins of programs in them."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import errors, sql

from database import named_sql

_SQL = named_sql.load("database")

GROUPS = (
    *("pmesh_annotation", "pmesh_gateway", "pmesh_monitoring", "pmesh_relay"),
    *("pmesh_rollout", "pmesh_training", "pmesh_worker"),
)
_FORMER_GROUP = "pmesh_runtime"  # the first migration grants to it
_MAX_NAME = 63  # bytes; https://www.postgresql.org/docs/current/limits.html
_TRIES = 20


IDLE_IN_TRANSACTION = "60s"
"""How long a program may keep a transaction open in which it does nothing: longer than a call of
the bus, in whose transaction the relay waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a program connects as."""

    name: str
    group: str
    connections: int
    """At the same time; twice what one process opens, so that the next one may start early."""
    model: str | None = None
    """That a worker works for."""

    def for_processes(self, number: int) -> "Login":
        """The same for so many processes side by side, and one that starts early."""
        return replace(self, connections=self.connections * (number + 1) // 2)


GATEWAY = Login(name="gateway", group="pmesh_gateway", connections=24)
RELAY = Login(name="relay", group="pmesh_relay", connections=18)
ROLLOUT = Login(name="rollout", group="pmesh_rollout", connections=21)
MONITORING = Login(name="monitoring", group="pmesh_monitoring", connections=8)
TRAINING = Login(name="training", group="pmesh_training", connections=8)
ANNOTATION = Login(name="annotation", group="pmesh_annotation", connections=8)


class LoginTaken(ValueError):
    """A role has this name that is no login of such a program, or one of another model's."""


def worker_login(model: str) -> Login:
    """The login of a model's worker."""
    name = f"worker-{model}"
    if len(name) > _MAX_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _MAX_NAME - len(digest) - 1]}-{digest}"
    return Login(name=name, group="pmesh_worker", connections=8, model=model)


def program_logins(models: Iterable[str], *, processes: int = 1) -> list[Login]:
    """The logins of all programs that serve these models. processes: of each, side by side."""
    programs = (GATEWAY, RELAY, ROLLOUT, MONITORING, TRAINING, ANNOTATION)
    return [login.for_processes(processes) for login in (*programs, *map(worker_login, models))]


def let_manage_groups(connection: "psycopg.Connection[Any]", role: str) -> None:
    """Let a role put logins into the groups, without the rights of these. Raises psycopg.Error.

    connection: of a superuser, with autocommit.
    """
    grant = sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").format(
        sql.SQL(", ").join(map(sql.Identifier, GROUPS)), sql.Identifier(role)
    )
    _despite_others(lambda: connection.execute(grant))


def create_groups(connection: "psycopg.Connection[Any]") -> None:
    """Make the groups that the server does not have. Raises InsufficientPrivilege.

    connection: with autocommit.
    """
    known = {name for (name,) in connection.execute(_SQL["roles"])}
    for group in {*GROUPS, _FORMER_GROUP} - known:
        create = sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group))
        with suppress(errors.DuplicateObject, errors.UniqueViolation):  # made meanwhile
            connection.execute(create)


def harden(connection: "psycopg.Connection[Any]") -> None:
    """Take from everybody what no program needs, in the database of a superuser's connection."""
    content = files("database").joinpath("server.sql").read_text(encoding="utf-8")
    _despite_others(lambda: connection.execute(content))


def has_login(connection: "psycopg.Connection[Any]", login: Login) -> bool:
    """Whether the server has a login of this name, in this group."""
    row = connection.execute(_SQL["role"], {"name": login.name, "group": login.group}).fetchone()
    return row is not None and bool(row[0])


def create_login(connection: "psycopg.Connection[Any]", login: Login, password: str) -> None:
    """Make a login, or give the one that is there its password and limit anew.

    Raises LoginTaken, psycopg.Error.
    """
    _despite_others(lambda: _create_login(connection, login, password))


def _despite_others(change: Callable[[], object]) -> None:
    """Make a change to what the whole server has, and others may change at the same moment."""
    for _ in range(_TRIES - 1):
        with suppress(errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_):
            change()
            return
    change()


def _create_login(connection: "psycopg.Connection[Any]", login: Login, password: str) -> None:
    name = sql.Identifier(login.name)
    encoding = connection.info.encoding
    # The server, and so its log, only sees what the password is checked by.
    secret = connection.pgconn.encrypt_password(password.encode(encoding), login.name.encode())
    with connection.transaction():
        found = connection.execute(_SQL["role"], {"name": login.name, "group": login.group})
        match found.fetchone():
            case None:
                connection.execute(sql.SQL("CREATE ROLE {}").format(name))
            case [False]:
                raise LoginTaken(f"there is a role {login.name!r} that is not in {login.group}")
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}").format(
                name, login.connections, secret.decode()
            )
        )
        # A program that froze in a transaction would keep its locks and hold up the vacuum.
        connection.execute(
            sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = {}").format(
                name, IDLE_IN_TRANSACTION
            )
        )
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(login.group), name))
        if login.model is not None:
            row = {"login": login.name, "model": login.model}
            if not connection.execute(_SQL["assign_worker"], row).rowcount:
                raise LoginTaken(
                    f"{login.name!r} is the login of another model's worker and stays it; give that"
                    f" of {login.model} another name"
                )
