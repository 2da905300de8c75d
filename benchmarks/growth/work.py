"""What the programs do with a record: their own statements, on connections that stay."""

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from psycopg import AsyncConnection, sql

from contract.days import LAST_ID, MAX_TTL, Ids, unfinished_since
from contract.ids import uuid7
from database import named_sql
from database.connections import UNPREPARED
from database.logins import worker_login
from gateway.prediction import ListFilter, Prediction, State
from gateway.store.connections import Connections
from gateway.store.predictions import PredictionStore
from inference.output import Output
from relay.completions import finish

MODEL, COMMON, RARE = "sentiment", "1", "2"
PAGE, PAGE_BYTES = 50, 1 << 20
BATCH = 24
"""Answers of a commit, as they come together at 64 calls in flight."""

_RELAY = named_sql.load("relay")
_WORKER = named_sql.load("model_runtime")
_RECORD = named_sql.load("benchmarks.growth", "record.sql")


class Work:
    """Of all programs, on one record; to be used with `async with`."""

    def __init__(self, conninfo: str) -> None:
        """conninfo: of the superuser."""
        self._conninfo = conninfo
        self._connections = Connections(1, conninfo=conninfo)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        enter = self._stack.enter_async_context
        await enter(self._connections)
        self._store = await enter(PredictionStore(self._connections, max_waiting=BATCH))
        self._relay = await enter(await self._connect())
        self._worker = await enter(await self._connect())
        login = sql.Identifier(worker_login(MODEL).name)
        await self._worker.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(login))
        cursor = await self._relay.execute(_RECORD["some_ids"])
        self._ids = [id for (id,) in await cursor.fetchall()]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def read(self) -> None:
        """A prediction of any day, by its id."""
        assert await self._store.get(random.choice(self._ids))  # noqa: S311

    async def newest(self) -> None:
        """The newest page."""
        await self._search(ListFilter())

    async def rare(self) -> None:
        """All of a version that made ten, of all days."""
        await self._search(ListFilter(model=MODEL, version=RARE))

    async def commit(self) -> None:
        """Answers made now, as many as come together."""
        made = [_prediction(State.SUCCEEDED) for _ in range(BATCH)]
        await asyncio.gather(*(self._store.insert_finished(one, "") for one in made))

    async def later(self) -> None:
        """A prediction made later, from its acceptance to its end."""
        asked = _prediction(State.ACCEPTED)
        await self._store.insert_accepted(asked, "")
        async with self._relay.transaction():
            models = [model for (model,) in await self._ask_relay("lock_models")]
            published = await self._ask_relay(
                "claim_requests",
                models=models,
                since=unfinished_since(),
                limit=100,
                max_in_flight=1000,
            )
            await self._ask_relay("mark_published", ids=[event[5] for event in published])
            await self._ask_relay("delete_events", ids=[event[0] for event in published])
        claim = {"ids": [asked.id], "lease_s": 60, "max_attempts": 5}
        cursor = await self._worker.execute(_WORKER["claim"], claim)
        ((_, _, version, token, *_),) = await cursor.fetchall()
        answer = {
            "id": [asked.id],
            "model": [MODEL],
            "version": [version],
            "claim_token": [token],
            "error": [None],
            "label": ["positive"],
            "confidence": [0.5],
            "scores": ['{"positive": 0.5}'],
            "value": [None],
            "features_uri": [""],
        }
        async with self._relay.transaction():
            (ending,) = await finish(self._relay, "answer", answer)
        assert ending.state == "SUCCEEDED"

    async def sweep(self) -> None:
        """The relay's look for what expires or is stuck."""
        ids = Ids(unfinished_since(), LAST_ID)._asdict()
        await self._ask_relay("expire", **ids, max_ttl=MAX_TTL, limit=500)
        await self._ask_relay("stuck_models", since=unfinished_since(), age_s=60)

    async def tidy(self) -> None:
        """Take away the events, which nobody publishes here."""
        await self._relay.execute("TRUNCATE outbox")

    async def backend_bytes(self) -> int:
        """What the backend of the gateway's connection has come to."""
        async with self._connections.connection() as connection:
            row = await (await connection.execute(_RECORD["memory"], prepare=False)).fetchone()
        assert row is not None
        return int(row[0])

    async def _connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self._conninfo, autocommit=True, **UNPREPARED)

    async def _search(self, where: ListFilter) -> None:
        assert await self._store.search(where, before_id=None, limit=PAGE, max_bytes=PAGE_BYTES)

    async def _ask_relay(self, query: str, **parameters: Any) -> list[Any]:
        cursor = await self._relay.execute(_RELAY[query], parameters)
        return await cursor.fetchall() if cursor.description else []


def _prediction(state: State) -> Prediction:
    now = datetime.now(UTC)
    done = state is State.SUCCEEDED
    scores = {"negative": 0.3, "neutral": 0.2, "positive": 0.5}
    return Prediction(
        id=uuid7(),
        model=MODEL,
        version=COMMON,
        text="a text of some sixteen words, as people write them of films that they have seen",
        state=state,
        create_time=now,
        complete_time=now if done else None,
        expire_time=None if done else now + timedelta(hours=1),
        output=Output("positive", 0.5, scores, None) if done else None,
    )
