"""The catalog of a test: models and versions that serve, and the logins of programs."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from database.logins import Login, create_login, worker_login
from database.registration import Registration, register_models
from rollout.store import ReleaseStore
from tests.parts.claims import LABELS
from tests.parts.postgres import Database

PASSWORD = "of-a-test"  # noqa: S105


def register(
    database: Database,
    versions: Mapping[str, Sequence[str]],
    *,
    address: str = "unused:1",
    labels: Mapping[str, Sequence[str]] = LABELS,
) -> None:
    """List models, each with versions that serve and a login for its worker.

    address: of the server that answers for all of them. labels: by model.
    """
    models = [
        Registration(id=model, description="", labels=list(labels[model]), address=address)
        for model in versions
    ]
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        register_models(connection, models)
        for model, numbers in versions.items():
            create_login(connection, worker_login(model), PASSWORD)
            for number in numbers:
                ReleaseStore(connection).set_version(model, number, "SERVING")


def set_version(
    database: Database,
    version: str,
    state: str = "SERVING",
    *,
    labels: Sequence[str] | None = None,
    address: str | None = None,
) -> None:
    """Put a version of the model "sentiment" into a state; what is None stays as it was."""
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        store = ReleaseStore(connection)
        store.set_version("sentiment", version, state, labels=labels, address=address)


def environment(database: Database, login: Login) -> dict[str, str]:
    """By which a program connects as itself."""
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        create_login(connection, login, PASSWORD)
    return {**database.environment, "PGUSER": login.name, "PGPASSWORD": PASSWORD}


def login_conninfo(database: Database, login: Login) -> str:
    """The same as a connection string."""
    environment(database, login)
    return make_conninfo(database.conninfo, user=login.name, password=PASSWORD)


def as_worker(database: Database, model: str) -> "psycopg.Connection[Any]":
    """A connection of a registered model's worker."""
    login = worker_login(model).name
    return psycopg.connect(database.conninfo, user=login, password=PASSWORD, autocommit=True)
