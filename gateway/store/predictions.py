"""The record of predictions in PostgreSQL.

Calls of one kind that come together go together: writes in one commit, reads in one query.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple, Self

import orjson
from psycopg.rows import TupleRow

from contract.status import status_from_json, status_to_json
from database import named_sql
from gateway.batch_spans import batch_span
from gateway.batching import Batcher
from gateway.metrics.stages import Commits
from gateway.prediction import ListFilter, Prediction, State
from gateway.rights import EVERYTHING, Rights
from gateway.store.connections import Connection, Connections
from gateway.store.hot_statement import HotStatement
from gateway.store.labels import decided
from gateway.store.search import find_page, searching
from inference.output import Output
from telemetry.spans import tracer
from telemetry.trace_context import TraceContext, parse

_SQL = named_sql.load("gateway.store")

_INSERT = {"db.system.name": "postgresql", "db.operation.name": "INSERT"}
MAX_ROWS = 512
"""Of a commit, or of a read."""


Write = tuple[Prediction, str, str]
"""A prediction, the key of its request_id and its traceparent; "" for none of each."""


class Read(NamedTuple):
    """A prediction to be read."""

    prediction_id: str
    with_text: bool
    with_label: bool
    rights: Rights


class PredictionStore:
    """Writes and reads predictions; psycopg's errors are passed on, and StoreUnavailable."""

    def __init__(
        self, connections: Connections, *, max_waiting: int, commits: Commits | None = None
    ) -> None:
        """To be made in the event loop that it works in; to be opened with `async with`.

        max_waiting: rows that may wait for one kind of statement before Overloaded.
        commits: what counts them; None: nobody.
        """
        self._connections = connections
        self._commits = commits or Commits(counting=False)
        self._hot = HotStatement(_SQL["insert_finished"].replace("%(rows)s", "$1"), connections)
        # One write in flight: what waits for a commit shares the next one.
        self._finished = Batcher[Write, bool](
            self._insert_finished,
            max_batch=MAX_ROWS,
            max_waiting=max_waiting,
        )
        self._accepted = Batcher[Write, bool](
            self._insert_accepted,
            max_batch=MAX_ROWS,
            max_waiting=max_waiting,
        )
        self._reads = Batcher[Read, Prediction | None](
            self._get, max_batch=MAX_ROWS, max_waiting=max_waiting
        )
        self._finds = Batcher[str, str | None](
            self._find, max_batch=MAX_ROWS, max_waiting=max_waiting
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hot.close()

    def insert_finished(
        self, prediction: Prediction, request_key: str, *, traceparent: str = ""
    ) -> asyncio.Future[bool]:
        """Record a prediction with its terminal state, and its event; False if the request_key is
        taken."""
        return self._finished.submit((prediction, request_key, traceparent))

    def insert_accepted(
        self, prediction: Prediction, request_key: str, *, traceparent: str = ""
    ) -> asyncio.Future[bool]:
        """Record an ACCEPTED prediction and its event; False if the request_key is taken."""
        return self._accepted.submit((prediction, request_key, traceparent))

    async def get(
        self,
        prediction_id: str,
        *,
        rights: Rights = EVERYTHING,
        with_text: bool = True,
        with_label: bool = False,
    ) -> Prediction | None:
        """Read a prediction by its id, a canonical UUID; without its text, that is "".

        One that is out of reach is None, as one that there is not.
        """
        return await self._reads.submit(Read(prediction_id, with_text, with_label, rights))

    async def find(self, request_key: str) -> Prediction | None:
        """Read the prediction that a request_key, a canonical UUID, stands for."""
        prediction_id = await self._finds.submit(request_key)
        return await self.get(prediction_id) if prediction_id else None

    async def search(
        self,
        where: ListFilter,
        *,
        rights: Rights = EVERYTHING,
        before_id: str | None,
        limit: int,
        max_bytes: int,
        with_text: bool = True,
        least_confident_of: int = 0,
    ) -> list[Prediction]:
        """Read predictions within reach, newest first; only older ones than before_id, if given.

        The last one is at the most the first whose text goes beyond max_bytes in all. Raises
        ListTooBroad, Overloaded.

        least_confident_of: if not 0, of so many newest ones those that their models were the
        least sure of, which then come first.
        """
        async with searching(self._connections) as connection:
            ids = await find_page(
                connection,
                where,
                portions=rights.portions(where.model),
                before_id=before_id,
                limit=least_confident_of or limit,
                max_bytes=max_bytes,
                with_text=with_text and not least_confident_of,
            )
            if least_confident_of:
                page = {"limit": limit, "max_bytes": max_bytes, "with_text": with_text}
                cursor = await connection.execute(
                    _SQL["least_confident"], {"ids": ids, **page}, prepare=False
                )
                ids = [id for (id,) in await cursor.fetchall()]
            whole = ids if with_text else []
            found = await _read(connection, ids, texted=whole, labelled=whole)
            return [found[id] for id in ids]

    async def cancel(self, prediction_id: str) -> None:
        """Cancel a prediction if it is unfinished, and nobody is changing it at this moment."""
        async with self._connections.connection() as connection:
            await connection.execute(_SQL["cancel"], {"id": prediction_id}, prepare=False)

    async def erase(self, prediction_id: str) -> None:
        """Erase what a finished prediction holds of a person; again is no harm."""
        await self._execute("erase", {"id": prediction_id})

    def waiting(self) -> int:
        """Rows that wait for a commit."""
        return self._finished.waiting + self._accepted.waiting

    async def _insert_finished(self, batch: list[Write]) -> list[bool]:
        with self._committing("finished", batch):
            return _written(batch, await self._hot.execute(_document(batch)))

    async def _insert_accepted(self, batch: list[Write]) -> list[bool]:
        with self._committing("accepted", batch):
            rows = await self._execute("insert_accepted", {"rows": _document(batch).decode()})
        return _written(batch, [row[0] for row in rows])

    @contextmanager
    def _committing(self, statement: str, batch: list[Write]) -> Iterator[None]:
        """The block writes a batch: how long that takes is counted, and is in its calls' traces."""
        began, recorded = perf_counter(), _recorded(batch)
        with batch_span("insert requests", recorded, _INSERT):
            yield
        exemplar = recorded[0].trace_id if recorded and tracer() else ""
        self._commits.rows[statement].observe(len(batch))
        self._commits.seconds[statement].observe(perf_counter() - began, exemplar)

    async def _get(self, reads: list[Read]) -> list[Prediction | None]:
        async with self._connections.connection() as connection:
            found = await _read(
                connection,
                {read.prediction_id for read in reads},
                texted={read.prediction_id for read in reads if read.with_text},
                labelled={read.prediction_id for read in reads if read.with_label},
                reach=_reach(reads),
            )
        return [_as_asked(found.get(read.prediction_id), read) for read in reads]

    async def _find(self, request_ids: list[str]) -> list[str | None]:
        rows = await self._execute("find", {"request_ids": request_ids})
        found: dict[str, str] = dict(rows)
        return [found.get(request_id) for request_id in request_ids]

    async def _execute(self, query: str, parameters: dict[str, Any]) -> list[TupleRow]:
        """For what looks for nothing among the predictions: contract.days says why."""
        async with self._connections.connection() as connection:
            cursor = await connection.execute(_SQL[query], parameters, prepare=True)
            return await cursor.fetchall()


async def _read(
    connection: Connection,
    ids: Collection[str],
    *,
    texted: Collection[str],
    labelled: Collection[str],
    reach: str | None = None,
) -> dict[str, Prediction]:
    """Those that there are, by id; those of texted with their texts, of labelled with labels.

    reach: as `_reach` makes it.
    """
    parameters = {
        "ids": list(ids),
        "texted": list(texted),
        "labelled": list(labelled),
        "reach": reach,
    }
    cursor = await connection.execute(_SQL["get"], parameters, prepare=False)
    found, with_labels = {}, []
    for *row, has_labels in await cursor.fetchall():
        found[row[0]] = _prediction(row)
        if has_labels:
            with_labels.append(row[0])
    if with_labels:
        for id, label in (await decided(connection, with_labels)).items():
            found[id].label = label
    return found


def _reach(reads: list[Read]) -> str | None:
    """Who may have which of them, so that no more is read; None: all may have all."""
    if all(read.rights.reach_all for read in reads):
        return None
    return orjson.dumps(
        [
            {
                "id": read.prediction_id,
                "caller": read.rights.caller,
                "everybodys": read.rights.everybodys,
                "own": read.rights.own,
            }
            for read in reads
        ],
        default=list,
    ).decode()


def _as_asked(prediction: Prediction | None, read: Read) -> Prediction | None:
    """Another read of the same prediction may have more right to it, or asked for more of it."""
    if prediction is None or not read.rights.reach(prediction.model, prediction.caller):
        return None
    if read.with_text and read.with_label:
        return prediction
    return replace(
        prediction,
        text=prediction.text if read.with_text else "",
        label=prediction.label if read.with_label else None,
    )


def _recorded(batch: list[Write]) -> list[TraceContext]:
    """The traces of those that are."""
    found = (parse(traceparent) for _, _, traceparent in batch if traceparent)
    return [context for context in found if context is not None and context.sampled]


def _document(batch: list[Write]) -> bytes:
    """The rows go as one JSON document: psycopg takes several times as long for arrays."""
    for prediction, _, _ in batch:
        prediction.is_sent = True
    return orjson.dumps([_row(*write) for write in batch])


def _written(batch: list[Write], refused: Collection[str]) -> list[bool]:
    """For each row whether it was written. refused: ids of those that were not."""
    if not refused:
        return [True] * len(batch)
    return [prediction.id not in refused for prediction, _, _ in batch]


def _row(prediction: Prediction, request_key: str, traceparent: str) -> dict[str, Any]:
    """As json_to_recordset reads it: what is left out is null."""
    row: dict[str, Any] = {
        "id": prediction.id,
        "model": prediction.model,
        "version": prediction.version,
        "text": prediction.text,
        "create_time": prediction.create_time,
        "complete_time": prediction.complete_time,
        "expire_time": prediction.expire_time,
        "features_uri": prediction.features_uri,
    }
    if request_key:
        row["request_id"] = request_key
    if prediction.caller:
        row["caller"] = prediction.caller
    if traceparent:
        row["traceparent"] = traceparent
    if prediction.tags:
        row["tags"] = prediction.tags
    if (output := prediction.output) is not None:
        row["label"] = output.label
        row["confidence"] = output.confidence
        row["scores"] = output.scores
        row["value"] = output.value
    elif prediction.state.terminal:
        row["state"] = prediction.state
        if prediction.error is not None:
            row["error"] = status_to_json(prediction.error)
    return row


def _prediction(row: Sequence[Any]) -> Prediction:
    (id_, model, caller, version, text, state, created, completed, expires, error, *more) = row
    tags, erased, label, confidence, scores, value, features_uri = more
    return Prediction(
        id=id_,
        model=model,
        version=version,
        text=text or "",
        state=State(state),
        create_time=created,
        complete_time=completed,
        expire_time=expires,
        output=Output(label, confidence, scores, value) if label is not None else None,
        features_uri=features_uri or "",
        caller=caller,
        error=status_from_json(error) if error is not None else None,
        tags=tags,
        erase_time=erased,
    )
