"""The release tables in PostgreSQL: versions, their traffic, and what is asked of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from contract.days import unfinished_since
from database import connections, named_sql
from rollout.refusal import OUTAGES, Refused, refusal_name
from telemetry.spans import Kind, span

_SQL = named_sql.load("rollout")

DUE = "release_due"
"""The channel that tells of releases to carry out."""


class ModelNotRegistered(LookupError):
    """PostgreSQL lists no such model."""


class Order(NamedTuple):
    """A release whose version is to be brought in."""

    release: str
    version: str
    margin: float | None
    """How much of the primary metric it may lose; None: as the program is set."""


class DueStep(NamedTuple):
    """A release that is due for a step and needs nothing but that."""

    release: str
    model: str
    version: str


class StateCount(NamedTuple):
    """How many releases or versions of a model are in a state."""

    model: str
    state: str
    number: int


class Alias(NamedTuple):
    """What is known of an alias of the registry."""

    version: str = ""
    """Where it pointed at the last look."""
    pending: str = ""
    """Where this program was moving it; "" for nowhere."""
    state: str = ""
    """Of the release that its last move asked for; "" for none."""
    passes: bool = False
    """Whether it ended for a reason that passes."""
    ended_s: float = 0.0
    """Seconds since that release has ended."""


def connect(*, lock_s: int) -> "psycopg.Connection[Any]":
    """One that prepares no statement. Raises psycopg.Error.

    lock_s: that a statement waits for what others hold, such as the traffic of a model.
    """
    connection = connections.connect()
    connection.execute(f"SET lock_timeout = '{lock_s}s'")
    return connection


class ReleaseStore:
    """Reads and writes on one connection; psycopg's errors are passed on."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """connection: of `connect`."""
        self._connection = connection

    @property
    def is_lost(self) -> bool:
        """Whether the connection is: psycopg.OperationalError may stand for less."""
        return self._connection.closed

    @contextmanager
    def traffic_held(self, model: str) -> Iterator[None]:
        """A transaction in which nobody else moves the traffic of a model."""
        with self._connection.transaction():
            self._execute("hold_traffic", model=model)
            yield

    @contextmanager
    def lock(self, model: str) -> Iterator[bool]:
        """Try to be the one process that loads and unloads versions of a model: whether it is."""
        held = bool(self._value("lock", model=model))
        try:
            yield held
        finally:
            if held and not self._connection.closed:
                self._execute("unlock", model=model)

    def labels(self, model: str) -> list[str]:
        """The labels of a model. Raises ModelNotRegistered."""
        labels = self._value("labels", model=model)
        if labels is None:
            raise ModelNotRegistered(f"there is no model {model!r} any more")
        return list(labels)

    def models(self) -> list[str]:
        """The ids of all models."""
        return self._column("models")

    def champion(self, model: str) -> str | None:
        """The version with the greatest share, the older one of two."""
        return cast("str | None", self._value("champion", model=model))

    def create_release(self, model: str, version: str, *, actor: str, reason: str) -> str:
        """Ask for a release that takes all the traffic at once; answers with its id."""
        parameters = {"model": model, "version": version, "actor": actor, "reason": reason}
        return str(self._value("create_release", **parameters))

    def models_due(self) -> list[str]:
        """The models of which a version is to be brought in, and that no process works on."""
        return self._column("models_due")

    def next_order(self, model: str) -> Order | None:
        """The oldest release whose version is to be brought in."""
        row = self._execute("next_order", model=model).fetchone()
        return Order(*row) if row else None

    def steps_due(self) -> list[DueStep]:
        """The steps that are due."""
        return [DueStep(*row) for row in self._execute("steps_due").fetchall()]

    def next_step_s(self) -> float | None:
        """In how many seconds the next step will be due; None: none will."""
        return cast("float | None", self._value("next_step_s"))

    def take_up(self, release: str) -> int:
        """Note that a release is being carried out: the how manyth time, counted from 1.

        0 if it was paused or has ended.
        """
        return cast(int, self._value("take_up", release=release) or 0)

    def take_step(self, release: str) -> bool:
        """Move the traffic to the release's next share, if that is due: whether it was.

        psycopg's error has the SQLSTATE PM002 for a version that does not serve.
        """
        with span("set traffic", Kind.CLIENT, attributes={"db.system.name": "postgresql"}):
            return bool(self._value("take_step", release=release))

    def note(self, release: str, detail: str) -> None:
        """Note what was found out about its version."""
        self._execute("note", release=release, detail=_storable(detail))

    def refused(self, release: str, refusal: Refused) -> None:
        """Note that it was refused."""
        passes = refusal.reason in OUTAGES
        self._end(release, "REFUSED", refusal_name(refusal.reason), refusal.detail, passes)

    def interrupted(self, release: str, detail: str, *, passes: bool = False) -> None:
        """Note that it was cut short, unless whoever cut it short has noted it.

        passes: whether what did so may be over at the next attempt.
        """
        self._end(release, "INTERRUPTED", "", detail, passes)

    def interrupt(self, model: str) -> list[str]:
        """End what a dead process of before has left running; answers with the versions."""
        return self._column("interrupt", model=model)

    def set_version(
        self,
        model: str,
        version: str,
        state: str,
        *,
        sha256: str | None = None,
        labels: Sequence[str] | None = None,
        address: str | None = None,
    ) -> None:
        """Put a version into a state, and tell the gateways. What is None stays as it was.

        labels: in the order of its scores. address: of a server of others that answers for it.
        """
        self._execute(
            "set_version",
            model=model,
            version=version,
            state=state,
            sha256=sha256,
            labels=None if labels is None else list(labels),
            address=address,
        )
        self._execute("notify")

    def version_state(self, model: str, version: str) -> str | None:
        """The state of a version; None for one that was never released."""
        return cast("str | None", self._value("version_state", model=model, version=version))

    def versions_at(self, model: str, address: str) -> list[str]:
        """The versions that serve or drain and that the server of others at this address has."""
        return self._column("versions_at", model=model, address=address)

    def versions_in(self, model: str, *states: str) -> list[str]:
        """The versions that are in one of these states, the oldest first."""
        return self._column("versions_in", model=model, states=list(states))

    def drain_unused(self, model: str) -> list[str]:
        """Take new work from versions without traffic that are no way back: those it was taken."""
        drained = self._column("drain_unused", model=model)
        if drained:
            self._execute("notify")
        return drained

    def drained(self, model: str, drain_s: float) -> list[str]:
        """The versions that nothing uses any more."""
        since = unfinished_since()
        return self._column("drained", model=model, drain_s=drain_s, since=since)

    def texts(self, predictions: Sequence[UUID]) -> Mapping[UUID, str]:
        """Of labelled predictions, those that are still there."""
        return dict(self._execute("texts", ids=list(predictions)).fetchall())

    def alias(self, model: str, alias: str) -> Alias:
        """What is known of an alias."""
        with self._connection.cursor(row_factory=class_row(Alias)) as cursor:
            row = cursor.execute(_SQL["alias"], {"model": model, "alias": alias}).fetchone()
        return row or Alias()

    def set_alias(
        self,
        model: str,
        alias: str,
        *,
        version: str = "",
        pending: str = "",
        release: str | None = None,
    ) -> None:
        """Note where it points, or where it is about to be moved, and what it has asked for."""
        parameters = {"version": version or None, "pending": pending, "release": release}
        self._execute("set_alias", model=model, alias=alias, **parameters)

    def releases_by_state(self) -> list[StateCount]:
        """Of all models that are listed, with the states that none is in."""
        return [StateCount(*row) for row in self._execute("releases_by_state").fetchall()]

    def versions_by_state(self) -> list[StateCount]:
        """Likewise."""
        return [StateCount(*row) for row in self._execute("versions_by_state").fetchall()]

    def _end(self, release: str, state: str, refusal: str, detail: str, passes: bool) -> None:
        said = {"state": state, "refusal": refusal, "detail": _storable(detail), "passes": passes}
        self._execute("end", release=release, **said)

    def _execute(self, query: str, **parameters: Any) -> "psycopg.Cursor[Any]":
        return self._connection.execute(_SQL[query], parameters)

    def _value(self, query: str, **parameters: Any) -> Any:
        row = self._execute(query, **parameters).fetchone()
        return row[0] if row else None

    def _column(self, query: str, **parameters: Any) -> list[Any]:
        return [row[0] for row in self._execute(query, **parameters).fetchall()]


def _storable(detail: object) -> str:
    """As PostgreSQL takes it: what models and servers say may be anything, and of any length."""
    text = str(detail)[:1000].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode("utf-8")
