"""The requests of a test: accepted as the gateway does it, claimed as a worker does it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any, LiteralString
from uuid import uuid4

from psycopg import Connection

from contract.ids import uuid7
from database import named_sql
from model_runtime.claims import Claim
from tests.parts.catalog import as_worker
from tests.parts.postgres import Database

_GATEWAY = named_sql.load("gateway.store")
_WORKER = named_sql.load("model_runtime")


class Requests:
    """Rows of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, count: int = 1, *, model: str = "sentiment", ttl_s: float = 3600) -> list[str]:
        """Accept requests in one transaction; answers with their ids."""
        with self._database.connect() as connection, connection.transaction():
            return accept(connection, ["a text"] * count, model=model, ttl_s=ttl_s)

    def accept_texts(self, *texts: str, version: str = "1") -> list[str]:
        """Accept these; answers with their ids."""
        with self._database.connect() as connection:
            return accept(connection, texts, version=version)

    def accept_traced(self, *traceparents: str, version: str = "1") -> list[str]:
        """Accept a request of each of these traces; answers with their ids."""
        with self._database.connect() as connection:
            texts = ["a text"] * len(traceparents)
            return accept(connection, texts, version=version, traceparents=traceparents)

    def claim(
        self, ids: Sequence[str], *, model: str = "sentiment", lease_s: float = 60, limit: int = 5
    ) -> dict[str, Claim]:
        """Claim as the worker of a model does; answers with what was claimed, by id."""
        given = {"ids": list(ids), "lease_s": lease_s, "max_attempts": limit}
        with as_worker(self._database, model) as connection:
            rows = connection.execute(_WORKER["claim"], given).fetchall()
        claimed = {}
        for prediction_id, outcome, *claim in rows:
            if outcome == "claimed":
                claimed[prediction_id] = Claim(prediction_id, *claim)
            elif outcome == "alone":
                claimed |= self.claim([prediction_id], model=model, lease_s=lease_s, limit=limit)
        return claimed

    def claim_one(self, prediction_id: str, *, lease_s: float = 60) -> Claim:
        """Claim one that may be claimed, of the model "sentiment"."""
        return self.claim([prediction_id], lease_s=lease_s)[prediction_id]

    @contextmanager
    def hold(self, ids: Iterable[str], *, model: str = "sentiment") -> Iterator[None]:
        """Hold requests as a worker does whose transaction does not end; at the end it commits.

        What may be claimed is claimed; of all else, only the rows are locked.
        """
        given = {"ids": list(ids), "lease_s": 60, "max_attempts": 5}
        with as_worker(self._database, model) as connection, connection.transaction():
            connection.execute(_WORKER["claim"], given)
            yield

    def states(self) -> Counter[str]:
        rows = self.query("SELECT state::text, count(*) AS size FROM requests GROUP BY state")
        return Counter({row["state"]: row["size"] for row in rows})

    def get(self, prediction_id: str) -> dict[str, Any]:
        """The row of a request and of its prediction, in one."""
        (row,) = self.query(
            "SELECT r.*, r.state::text AS state, r.lease_until > now() AS leased,"
            " p.label, p.features_uri"
            " FROM requests r LEFT JOIN predictions p ON p.id = r.id WHERE r.id = %s",
            (prediction_id,),
        )
        return row

    def execute(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> None:
        with self._database.connect() as connection:
            connection.execute(sql, parameters)

    def query(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._database.connect() as connection:
            return connection.execute(sql, parameters).fetchall()


def accept(
    connection: Connection[Any],
    texts: Sequence[str],
    *,
    model: str = "sentiment",
    version: str = "1",
    ttl_s: float = 3600,
    traceparents: Sequence[str | None] = (),
) -> list[str]:
    """Accept requests, each with a request_id, in the caller's transaction, by the gateway's
    statement.
    """
    now = datetime.now(UTC)
    times = {
        "create_time": now.isoformat(),
        "expire_time": (now + timedelta(seconds=ttl_s)).isoformat(),
    }
    rows = [
        {
            "id": uuid7(),
            "request_id": str(uuid4()),
            "model": model,
            "version": version,
            "text": text,
            "traceparent": traceparent,
            **times,
        }
        for text, traceparent in zip_longest(texts, traceparents)
    ]
    refused = connection.execute(_GATEWAY["insert_accepted"], {"rows": json.dumps(rows)})
    assert refused.fetchall() == []
    return [row["id"] for row in rows]
