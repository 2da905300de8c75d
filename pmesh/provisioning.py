"""Brings what the programs find up to this checkout: the schema, the bus, the catalog, the logins.

Each step may be run at any time, also while programs of before run, and does what is missing. Who
comes while another is at it waits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from database.connections import bounded
from database.logins import Login, create_login, harden, has_login, program_logins
from database.migrate import migrate
from database.registration import Change, Registration, register_models
from database.turns import turn
from inference.addresses import of_model
from modelkit.values import ModelEntry

if TYPE_CHECKING:
    from bus.topology import Names


MISSING = "missing"
"""The outcome of a login that is not there."""


@dataclass(frozen=True, slots=True)
class Done:
    """One thing as it is now."""

    kind: str
    name: str
    outcome: str


def provision(
    models: Sequence[ModelEntry],
    *,
    address: str,
    names: "Names",
    features_bucket: str,
    password: Callable[[str], str | None],
    processes: int = 1,
) -> Iterator[Done]:
    """Do all steps where PG* and AWS_* say, and tell each thing as soon as it is done.

    address: of what answers for the versions of ours; it may hold {model}. password: of a login,
    by its name; None for one that somebody else makes. processes: of one program side by side, at
    the most. The database comes as its owner.
    Raises ValueError if there is no model, psycopg.Error, MigrationChanged, LoginTaken, and
    botocore's ClientError or BotoCoreError.
    """
    if not models:
        raise ValueError("this checkout has no model; with none, all models would be taken away")
    with turn():
        yield from (Done("schema", name, "applied") for name in migrate())
        # Before a model is listed: the relay looks into the queues of all that are.
        ids = [model.id for model in models]
        yield from _provision_bus(ids, names=names, features_bucket=features_bucket)
        with psycopg.connect(bounded(), autocommit=True) as connection:
            for model, change in register(connection, models, address=address).items():
                yield Done("model", model, change.lower())
            yield from admit(connection, ids, password=password, processes=processes)


def register(
    connection: "psycopg.Connection[Any]", models: Sequence[ModelEntry], *, address: str
) -> dict[str, Change]:
    """Have the catalog list these models and no others; see register_models."""
    return register_models(
        connection,
        [
            Registration(
                id=model.id,
                description=model.description,
                labels=model.labels,
                address=of_model(address, model.id),
                feature_share=model.feature_share,
                retention_days=model.retention_days,
                alerts=model.alerts,
            )
            for model in models
        ],
    )


def admit(
    connection: "psycopg.Connection[Any]",
    models: Iterable[str],
    *,
    password: Callable[[str], str | None],
    processes: int = 1,
) -> list[Done]:
    """Let in the programs for registered models, by id, each by a login of its own.

    processes: of one program, side by side: a login has connections for so many.
    connection: with autocommit, of a role that may make roles if there is a password. Of a
    superuser, everybody also loses what no program needs. Raises LoginTaken, psycopg.Error.
    """
    if connection.info.parameter_status("is_superuser") == "on":
        harden(connection)
    logins = program_logins(models, processes=processes)
    return [_admit(connection, login, password(login.name)) for login in logins]


def _admit(connection: "psycopg.Connection[Any]", login: Login, password: str | None) -> Done:
    if password is not None:
        create_login(connection, login, password)
        return Done("login", login.name, "may connect")
    return Done("login", login.name, "kept" if has_login(connection, login) else MISSING)


def _provision_bus(
    models: Sequence[str], *, names: "Names", features_bucket: str
) -> Iterator[Done]:
    import boto3

    from bus.topology import provision as provision_bus

    made = provision_bus(
        models,
        names=names,
        features_bucket=features_bucket,
        sns=boto3.client("sns"),
        sqs=boto3.client("sqs"),
        s3=boto3.client("s3"),
    )
    for arn in made:
        yield Done({"sns": "topic", "sqs": "queue"}.get(arn.split(":")[2], "bucket"), arn, "ready")
