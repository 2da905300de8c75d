"""The record of labels in PostgreSQL. Those that come together go in one commit."""

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from predict.v1.error_reason_pb2 import ErrorReason
from psycopg import errors

from contract.errors import (
    InvalidArgument,
    PredictionErased,
    PredictionNotFound,
    PredictionUnfinished,
    RequestIdReused,
)
from contract.label_errors import (
    ExternalIdReused,
    LabelCorrected,
    LabelNotOfModel,
    TooManyLabels,
)
from database import named_sql
from gateway.batching import Batcher, NotYet
from gateway.label import Attached, DecidedLabel, Label, LabelFilter, Statement
from gateway.rights import EVERYTHING, Rights
from gateway.store.connections import Connection, Connections
from gateway.store.search import limit_search, searching

_SQL = named_sql.load("gateway.store", "labels.sql")

MAX_ROWS = 512
"""Of a commit."""
MAX_LABELS_OF_PREDICTION = 1000
"""With their history, as database/published/labels_v1.sql has it."""


class LabelStore:
    """Writes and reads labels; psycopg's errors are passed on, and StoreUnavailable."""

    def __init__(self, connections: Connections, *, max_waiting: int) -> None:
        """To be made in the event loop that it works in.

        max_waiting: labels that may wait for a commit before Overloaded.
        """
        self._connections = connections
        self._attachments = Batcher[Statement, Attached](
            self._attach, max_batch=MAX_ROWS, max_waiting=max_waiting
        )

    def attach(self, statement: Statement) -> Awaitable[Attached]:
        """Record a label, or find it where the same was said before.

        Raises PredictionNotFound, PredictionUnfinished, PredictionErased, LabelNotOfModel,
        TooManyLabels, RequestIdReused, ExternalIdReused, InvalidArgument for a time to come.
        """
        return self._attachments.submit(statement)

    async def withdraw(
        self, label_id: str, *, caller: str, rights: Rights = EVERYTHING
    ) -> Label | None:
        """Record that a label is withdrawn; None: there is none, or it is out of reach.

        Raises LabelCorrected.
        """
        parameters = {"id": label_id, "caller": caller}
        try:
            async with self._connections.connection() as connection:
                if not (rights.reach_all or await _reaches(connection, label_id, rights)):
                    return None
                row = await (await connection.execute(_SQL["withdraw"], parameters)).fetchone()
        except errors.Error as error:
            if error.sqlstate == "PM008":
                raise LabelCorrected(label_id) from None
            raise
        return Label(*row) if row else None

    async def search(
        self,
        where: LabelFilter,
        *,
        rights: Rights = EVERYTHING,
        before_id: str | None,
        limit: int,
    ) -> list[Label]:
        """Read labels, the last recorded first; only earlier ones than before_id, if given.

        rights: of whose everybody's they are. Raises ListTooBroad, Overloaded.
        """
        if where.model and not rights.reach(where.model, caller=""):
            return []  # without a look at them, which might take long
        conditions = {name: value or None for name, value in asdict(where).items()}
        conditions |= {"with_history": where.with_history, "before_id": before_id, "limit": limit}
        conditions["models"] = None if rights.everybodys is None else sorted(rights.everybodys)
        async with searching(self._connections) as connection:
            await limit_search(connection)
            # Not prepared: the best plan depends on which conditions are given.
            cursor = await connection.execute(_SQL["search_labels"], conditions, prepare=False)
            return [Label(*row) for row in await cursor.fetchall()]

    async def _attach(self, batch: list[Statement]) -> list[Attached | Exception]:
        """One commit, so that none of them waits for what another has to wait for."""
        results: list[Attached | Exception] = [NotYet()] * len(batch)
        said = orjson.dumps([_row(place, batch[place]) for place in _apart(batch)])
        async with self._connections.connection() as connection:
            cursor = await connection.execute(_SQL["attach"], {"said": said.decode()})
            for place, *outcome in await cursor.fetchall():
                results[place] = _outcome(batch[place], *outcome)
        return results


async def decided(connection: Connection, ids: Sequence[str]) -> dict[str, DecidedLabel]:
    """The labels that count, by the ids of their predictions."""
    cursor = await connection.execute(_SQL["decided"], {"ids": ids}, prepare=True)
    return {id: DecidedLabel(*label) for id, *label in await cursor.fetchall()}


async def _reaches(connection: Connection, label_id: str, rights: Rights) -> bool:
    """Whether a label is the caller's own, or of a model of which everybody's are within reach."""
    row = await (await connection.execute(_SQL["origin"], {"id": label_id})).fetchone()
    return row is not None and rights.reach(*row)


def _apart(batch: Sequence[Statement]) -> Iterator[int]:
    """Places of those that do not depend on one before them, whose row the statement cannot see."""
    taken: set[object] = set()
    for place, said in enumerate(batch):
        keys = {
            (said.prediction_id, said.source, said.annotator),
            (said.request_key or place,),
            (said.caller, said.source, said.external_id or place),
        }
        if taken.isdisjoint(keys):
            yield place
        taken |= keys


def _row(place: int, said: Statement) -> dict[str, Any]:
    """As json_to_recordset reads it: what is left out is null."""
    row: dict[str, Any] = {
        "place": place,
        "prediction_id": said.prediction_id,
        "label": said.label,
        "source": said.source,
        "annotator": said.annotator,
        "adjudicated": said.adjudicated,
        "label_time": said.label_time,
        "choice": said.choice,
        "weight": said.weight,
        "caller": said.caller,
    }
    if said.external_id:
        row["external_id"] = said.external_id
    if said.request_key:
        row["request_id"] = said.request_key
    return row


def _outcome(
    said: Statement,
    refusal: str | None,
    model: str,
    version: str,
    state: str,
    labels: Sequence[str],
    added: bool,
    *row: Any,
) -> Attached | Exception:
    match refusal:
        case None:
            return Attached(Label(*row), added)
        case "AGAIN":
            return NotYet()
        case "PREDICTION_NOT_FOUND":
            return PredictionNotFound(said.prediction_id)
        case "PREDICTION_UNFINISHED":
            return PredictionUnfinished(said.prediction_id, state)
        case "PREDICTION_ERASED":
            return PredictionErased(said.prediction_id)
        case "LABEL_NOT_OF_MODEL":
            return LabelNotOfModel(model, version, labels)
        case "TOO_MANY_LABELS":
            return TooManyLabels(said.prediction_id, MAX_LABELS_OF_PREDICTION)
        case "REQUEST_ID_REUSED":
            return RequestIdReused(said.request_id)
        case "EXTERNAL_ID_REUSED":
            return ExternalIdReused(said.external_id)
        case "OUT_OF_RANGE":
            return InvalidArgument(
                ErrorReason.ERROR_REASON_OUT_OF_RANGE, "label_time", "is still to come"
            )
    return ValueError(f"labels_v1.attach refuses for {refusal}")
