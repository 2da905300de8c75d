"""`pmesh provision`: what the programs of production find, as this checkout needs it."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from contract.settings import read, setting
from database.roles import read_password
from pmesh.cli.options import console, fail, messages
from pmesh.provisioning import MISSING, Done
from pmesh.provisioning import provision as run

_COLOURS = {MISSING: "yellow", "unlisted": "yellow", "unchanged": "dim", "kept": "dim"}
_AS_OWNER = (
    "connect as the owner of the database, with CREATEROLE if it is to make logins; a superuser"
    " first runs python -P -m database.roles groups --owner ROLE, or makes the logins"
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are and how they are called; the rest is in PG* and AWS_*."""

    triton_address: str = setting(
        "PMESH_TRITON_ADDRESS",
        matching=re.compile(r"\S+:\S+"),
        meaning="host:port, or unix: and the path of a socket",
    )
    """The gRPC of what answers for the versions of ours, as gateways and workers reach it: as the
    release process has it."""
    bus_prefix: str = setting("PMESH_BUS_PREFIX", "predict")
    """How the names of topic and queues start."""
    features_bucket: str = setting("PMESH_FEATURES_BUCKET", "predict-features")
    """Where the features of answers lie."""
    replicas: int = setting("PMESH_REPLICAS", 1, least=1, most=1000)
    """Processes of one program side by side, at the most: each login has connections for so many,
    and for one that starts early."""


def provision(
    passwords: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="Files that are called as logins, each with its password: makes those logins.",
        ),
    ] = None,
) -> None:
    """Bring schema, bus and catalog up to this checkout: in production, before each release.

    Migrates the database that PG* names, as its owner; makes the topic, the queues and the bucket
    where AWS_* say; lists the models of this checkout, and takes others out of the list. Programs
    may be running. Again is no harm.

    [bold]PGHOST=db PGUSER=predict PMESH_TRITON_ADDRESS=triton:8001 pmesh provision[/]
    [bold]pmesh provision --passwords /run/secrets/logins[/]   gateway, relay, worker-sentiment, ...
    """
    import psycopg
    from botocore.exceptions import BotoCoreError, ClientError

    from bus.topology import Names
    from database.logins import LoginTaken
    from database.migrate import MigrationChanged
    from modelkit.values import read_models

    done: list[Done] = []
    try:
        password = _password_of(passwords)
        settings = read(Settings, os.environ)
        steps = run(
            read_models(),
            address=settings.triton_address,
            names=Names(settings.bus_prefix),
            features_bucket=settings.features_bucket,
            password=password,
            processes=settings.replicas,
        )
        for step in steps:  # one by one: what was done before a failure is shown as well
            done.append(step)
    except psycopg.OperationalError as error:
        fail(f"PostgreSQL does not answer: {error}", "set PGHOST, PGPORT, PGUSER and PGDATABASE")
    except psycopg.errors.InsufficientPrivilege as error:
        fail(f"PostgreSQL refuses: {error.diag.message_primary}", _AS_OWNER)
    except psycopg.Error as error:
        fail(f"PostgreSQL refuses: {error.diag.message_primary}")
    except (ClientError, BotoCoreError) as error:
        fail(f"the bus cannot be provisioned: {error}", "see that AWS_* say where it is, and who")
    except (ValueError, OSError, LoginTaken, MigrationChanged) as error:
        fail(str(error))
    finally:
        _show(done)
    if missing := [thing.name for thing in done if thing.outcome == MISSING]:
        messages.print(
            f"without a login: {', '.join(missing)}; give --passwords, or see"
            " python -P -m database.roles --help",
            markup=False,
        )


def _password_of(directory: Path | None) -> Callable[[str], str | None]:
    """Of a login, by its name; None without a file of it. Raises ValueError, OSError."""
    if directory is not None and not directory.is_dir():
        raise ValueError(f"there is no folder {directory}")

    def password(login: str) -> str | None:
        if directory is None or not (directory / login).is_file():
            return None
        return read_password(directory / login)

    return password


def _show(done: list[Done]) -> None:
    """A table for people; for all else, lines with tabs."""
    if not console.is_terminal:
        for thing in done:
            print(thing.kind, thing.name, thing.outcome, sep="\t")
        return
    rows = Table(box=None, pad_edge=False, show_header=False)
    for thing in done:
        colour = _COLOURS.get(thing.outcome, "green")
        rows.add_row(thing.kind, escape(thing.name), f"[{colour}]{thing.outcome}[/]")
    console.print(rows)
