"""The record of predictions in PostgreSQL.

Calls of one kind that come together go together: writes in one commit, reads in one query.
"""

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Any

import orjson
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from predict.v1.prediction_pb2 import PredictionOutput
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from gateway.batching import Batcher
from gateway.prediction import ListFilter, Prediction, State
from gateway.store import queries

_SQL = queries.load("gateway.store")
# json_format finds the types of a Status's details among the imported messages.
_DETAIL_TYPES = (error_details_pb2.ErrorInfo,)

Write = tuple[Prediction, str]
"""A prediction and the client's request_id, "" for none."""


class PredictionStore:
    """Writes and reads predictions; psycopg's errors are passed on."""

    def __init__(self, pool: AsyncConnectionPool, *, max_waiting: int) -> None:
        """To be made in the event loop that it works in.

        max_waiting: rows that may wait for one kind of statement before Overloaded.
        """
        self._pool = pool
        self._searches = asyncio.Semaphore(1)  # the other connections are for what is quick
        # One write in flight: what waits for a commit shares the next one.
        self._finished = Batcher[Write, bool](
            partial(self._insert, "insert_finished"),
            max_batch=512,
            max_in_flight=1,
            max_waiting=max_waiting,
        )
        self._accepted = Batcher[Write, bool](
            partial(self._insert, "insert_accepted"),
            max_batch=512,
            max_in_flight=1,
            max_waiting=max_waiting,
        )
        self._reads = Batcher[str, Prediction | None](
            self._get, max_batch=512, max_in_flight=1, max_waiting=max_waiting
        )
        self._finds = Batcher[str, str | None](
            self._find, max_batch=512, max_in_flight=1, max_waiting=max_waiting
        )

    async def insert_finished(self, prediction: Prediction, request_id: str) -> bool:
        """Record a SUCCEEDED prediction and its event; False if the request_id is taken."""
        return await self._finished.submit((prediction, request_id))

    async def insert_accepted(self, prediction: Prediction, request_id: str) -> bool:
        """Record an ACCEPTED prediction and its event; False if the request_id is taken."""
        return await self._accepted.submit((prediction, request_id))

    async def get(self, prediction_id: str) -> Prediction | None:
        """Read a prediction by its id, a canonical UUID."""
        return await self._reads.submit(prediction_id)

    async def find(self, request_id: str) -> Prediction | None:
        """Read the prediction that a client's request_id, a canonical UUID, stands for."""
        prediction_id = await self._finds.submit(request_id)
        return await self.get(prediction_id) if prediction_id else None

    async def search(
        self, where: ListFilter, *, before_id: str | None, limit: int, max_bytes: int
    ) -> list[Prediction]:
        """Read predictions, newest first; only older ones than before_id, if given.

        The last one is at the most the first whose text goes beyond max_bytes in all.
        """
        conditions = {name: value or None for name, value in asdict(where).items()}
        async with (
            self._searches,
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            await connection.execute(_SQL["limit_search"])
            # Not prepared: the best plan depends on which conditions are given.
            cursor = await connection.execute(
                _SQL["search"],
                {**conditions, "before_id": before_id, "limit": limit, "max_bytes": max_bytes},
                prepare=False,
            )
            return [_prediction(row) for row in await cursor.fetchall()]

    async def cancel(self, prediction_id: str) -> None:
        """Cancel a prediction if it is unfinished."""
        await self._execute("cancel", {"id": prediction_id})

    async def _insert(self, query: str, batch: list[Write]) -> list[bool]:
        """The rows go as one JSON document: psycopg takes several times as long for arrays."""
        rows = orjson.dumps([_row(*write) for write in batch]).decode()
        refused = {row[0] for row in await self._execute(query, {"rows": rows})}
        return [prediction.id not in refused for prediction, _ in batch]

    async def _get(self, ids: list[str]) -> list[Prediction | None]:
        rows = await self._execute("get", {"ids": list(set(ids))})
        found = {row[0]: _prediction(row) for row in rows}
        return [found.get(prediction_id) for prediction_id in ids]

    async def _find(self, request_ids: list[str]) -> list[str | None]:
        rows = await self._execute("find", {"request_ids": request_ids})
        found: dict[str, str] = dict(rows)
        return [found.get(request_id) for request_id in request_ids]

    async def _execute(self, query: str, parameters: dict[str, Any]) -> list[TupleRow]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SQL[query], parameters, prepare=True)
            return await cursor.fetchall()


def _row(prediction: Prediction, request_id: str) -> dict[str, Any]:
    """As json_to_recordset reads it."""
    row: dict[str, Any] = {
        "id": prediction.id,
        "request_id": request_id or None,
        "model": prediction.model,
        "version": prediction.version,
        "text": prediction.text,
        "create_time": prediction.create_time,
        "complete_time": prediction.complete_time,
        "expire_time": prediction.expire_time,
        "features_uri": prediction.features_uri,
    }
    if (output := prediction.output) is not None:
        scores = output.scores  # read by key, which takes half the time of dict()
        row["label"] = output.label
        row["confidence"] = output.confidence
        row["scores"] = {label: scores[label] for label in scores}
        row["value"] = output.value if output.HasField("value") else None
    return row


def _prediction(row: TupleRow) -> Prediction:
    (id_, model, version, text, state, created, completed, expires, error, label, *output) = row
    confidence, scores, value, features_uri = output
    return Prediction(
        id=id_,
        model=model,
        version=version,
        text=text,
        state=State(state),
        create_time=created,
        complete_time=completed,
        expire_time=expires,
        output=PredictionOutput(label=label, confidence=confidence, scores=scores, value=value)
        if label is not None
        else None,
        features_uri=features_uri or "",
        error=json_format.ParseDict(error, status_pb2.Status()) if error is not None else None,
    )
