"""The release tables in PostgreSQL: versions, their traffic, and the history."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg.types.json import Jsonb

from database import named_sql
from rollout.refusal import Refused

_SQL = named_sql.load("rollout")

Shares = dict[str, int]
"""Version -> percent, adding up to 100; empty while nothing is released."""


class ModelNotRegistered(LookupError):
    """PostgreSQL lists no such model."""


class ReleaseStore:
    """Reads and writes on one connection; psycopg's errors are passed on."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """connection: with autocommit."""
        self._connection = connection

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
            raise ModelNotRegistered(
                f"there is no model {model!r}; a start of the stack registers it"
            )
        return list(labels)

    def models(self) -> list[str]:
        """The ids of all models."""
        return self._column("models")

    def traffic(self, model: str) -> Shares:
        """The present split."""
        return dict(self._value("traffic", model=model))

    def history(self, model: str) -> list[Shares]:
        """The splits that a model had, the present one first."""
        return self._column("history", model=model)

    def begin(self, model: str, version: str, action: str, *, actor: str, reason: str) -> str:
        """Note that something is asked of a model's traffic; answers with the release's id."""
        release = self._value(
            "begin", model=model, version=version, action=action, actor=actor, reason=reason
        )
        return str(release)

    def done(self, release: str, detail: str = "") -> None:
        """Note that it was done."""
        self._end(release, "DONE", detail=detail)

    def refused(self, release: str, refusal: Refused) -> None:
        """Note that it was refused."""
        self._end(release, "REFUSED", refusal=refusal.reason, detail=refusal.detail)

    def is_running(self, release: str) -> bool:
        """Whether nobody has ended it meanwhile."""
        return bool(self._value("is_running", release=release))

    def interrupted(self, release: str, detail: str) -> None:
        """Note that it was cut short, unless whoever cut it short has noted it."""
        self._end(release, "INTERRUPTED", detail=detail)

    def interrupt(self, model: str) -> list[str]:
        """End what a dead process has left running; answers with the versions."""
        return self._column("interrupt", model=model)

    def fresh_refusal(self, model: str, within_s: float) -> str | None:
        """Why a release of the model was refused last, if within so many seconds."""
        return cast("str | None", self._value("fresh_refusal", model=model, within_s=within_s))

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

    def move_traffic(self, model: str, shares: Mapping[str, int], release: str) -> None:
        """Replace the split. psycopg's error has the SQLSTATE PM002 for what does not serve."""
        self._execute("move_traffic", model=model, shares=Jsonb(dict(shares)), release=release)

    def drain_unused(self, model: str, kept: Collection[str]) -> list[str]:
        """Take new work from every version that serves and is not kept; answers with those."""
        drained = self._column("drain_unused", model=model, kept=list(kept))
        self._execute("notify")
        return drained

    def drained(self, model: str, drain_s: float) -> list[str]:
        """The versions that nothing uses any more."""
        return self._column("drained", model=model, drain_s=drain_s)

    def alias(self, model: str, alias: str) -> set[str]:
        """Where the registry's alias pointed at the last look, or was being moved to."""
        row = self._execute("alias", model=model, alias=alias).fetchone()
        return set(row) - {""} if row else set()

    def set_alias(self, model: str, alias: str, *, version: str = "", pending: str = "") -> None:
        """Note where it points, or where it is about to be moved."""
        self._execute(
            "set_alias", model=model, alias=alias, version=version or None, pending=pending
        )

    def _end(self, release: str, state: str, *, refusal: str = "", detail: str) -> None:
        self._execute("end", release=release, state=state, refusal=refusal, detail=detail[:1000])

    def _execute(self, query: str, **parameters: Any) -> "psycopg.Cursor[Any]":
        return self._connection.execute(_SQL[query], parameters)

    def _value(self, query: str, **parameters: Any) -> Any:
        row = self._execute(query, **parameters).fetchone()
        return row[0] if row else None

    def _column(self, query: str, **parameters: Any) -> list[Any]:
        return [row[0] for row in self._execute(query, **parameters).fetchall()]
