"""The traffic of models in PostgreSQL: who moves it, when and why, and what releases ask of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from contract.errors import (
    EtagMismatch,
    NoOtherVersion,
    Overloaded,
    ReleaseFinished,
    ReleaseNotFound,
    RequestIdReused,
    VersionNotServing,
)
from database import named_sql
from gateway.release import Action, Plan, Release, Signature
from gateway.store.connections import Connections

_SQL = named_sql.load("gateway.store", "releases.sql")


class TrafficStore:
    """Moves traffic, asks for releases and reads the history; psycopg's errors are passed on."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def set_shares(
        self, model: str, shares: Mapping[str, int], signature: Signature, *, etag: str
    ) -> None:
        """Replace the split of a model that exists; the shares add up to 10,000 basis points.

        etag: of the model as the caller knows it, "" for any. Raises VersionNotServing,
        EtagMismatch.
        """
        with _errors(model=model, etag=etag):
            await self._value(
                "set_shares",
                model=model,
                shares=Jsonb(dict(shares)),
                actor=signature.actor,
                reason=signature.reason,
                etag=etag,
            )

    async def create(
        self,
        model: str,
        plan: Plan,
        signature: Signature,
        *,
        etag: str,
        request_id: str,
        request_key: str,
    ) -> Release:
        """Accept a release, or move the traffic at once for the other actions.

        request_id: as its caller chose it, and request_key: what it is kept under; the release of
        before that they stand for is answered with; "" for none. Raises NoOtherVersion,
        EtagMismatch, RequestIdReused, Overloaded.
        """
        row = {
            "model": model,
            "actor": signature.actor,
            "reason": signature.reason,
            "etag": etag,
            "request_id": request_key or None,
        }
        with _errors(model=model, etag=etag, request_id=request_id):
            if plan.action is Action.RELEASE:
                release_id = await self._value(
                    "create_release",
                    version=plan.version,
                    steps=list(plan.steps),
                    pause=plan.pause,
                    quality_margin=plan.quality_margin,
                    **row,
                )
            else:
                release_id = await self._value("shift", action=plan.action, **row)
        release = await self.get(release_id)
        if not release.is_for(model, plan):
            raise RequestIdReused(request_id)
        return release

    async def pause(self, release_id: str, *, etag: str) -> Release:
        """Keep a release at its step. Raises ReleaseNotFound, ReleaseFinished, EtagMismatch."""
        return await self._change("pause", release_id, etag)

    async def resume(self, release_id: str, *, etag: str) -> Release:
        """Let a release go on. Raises as `pause`."""
        return await self._change("resume", release_id, etag)

    async def cancel(self, release_id: str, *, etag: str) -> Release:
        """End a release where it stands. Raises as `pause`."""
        return await self._change("cancel", release_id, etag)

    async def get(self, release_id: str) -> Release:
        """One release. Raises ReleaseNotFound."""
        found = await self._releases("get_release", release=release_id)
        if not found:
            raise ReleaseNotFound(release_id)
        return found[0]

    async def list(self, model: str, *, before_id: str | None, limit: int) -> Sequence[Release]:
        """Releases of a model, the newest first; only older ones than before_id, if given."""
        return await self._releases("list_releases", model=model, before_id=before_id, limit=limit)

    async def _change(self, query: str, release_id: str, etag: str) -> Release:
        with _errors(release=release_id, etag=etag):
            await self._value(query, release=release_id, etag=etag)
        return await self.get(release_id)

    async def _value(self, query: str, **parameters: Any) -> Any:
        async with self._connections.connection() as connection:
            row = await (await connection.execute(_SQL[query], parameters)).fetchone()
        return row[0] if row else None

    async def _releases(self, query: str, **parameters: Any) -> Sequence[Release]:
        async with self._connections.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Release))
            return await (await cursor.execute(_SQL[query], parameters)).fetchall()


@contextmanager
def _errors(
    *, model: str = "", release: str = "", etag: str = "", request_id: str = ""
) -> Iterator[None]:
    """The errors of database/published/releases_v1.sql as ours."""
    try:
        yield
    except errors.UniqueViolation:  # for another model, at the same moment
        raise RequestIdReused(request_id) from None
    except errors.Error as error:
        detail = error.diag.message_detail or ""
        match error.sqlstate:
            case "PM002":
                raise VersionNotServing(model, detail) from None
            case "PM003":
                raise EtagMismatch(etag) from None
            case "PM004":
                raise NoOtherVersion(model, error.diag.message_primary or "") from None
            case "PM005":
                raise ReleaseNotFound(release) from None
            case "PM006":
                raise ReleaseFinished(release, detail) from None
            case "PM007":
                raise Overloaded(
                    f"too many releases of {model} are under way; cancel some"
                ) from None
        raise
