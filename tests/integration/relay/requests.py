"""The requests of a test: accepted as the gateway does it, claimed as a runtime does it."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import Connection

from gateway.ids import uuid7
from tests.integration.bus_probe import MODELS
from tests.integration.postgres import Database

LABELS = {"sentiment": ["negative", "neutral", "positive"], "genre": ["news", "review"]}


class Requests:
    """Rows of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register_models(self) -> None:
        with self._database.connect() as connection:
            for model in MODELS:
                connection.execute(
                    "INSERT INTO models (id, labels, address) VALUES (%s, %s, 'unused:1')",
                    (model, LABELS[model]),
                )

    def accept(self, count: int = 1, *, model: str = "sentiment", ttl: str = "1 hour") -> list[str]:
        """Accept requests in one transaction; answers with their ids."""
        with self._database.connect() as connection, connection.transaction():
            return [accept(connection, model=model, ttl=ttl) for _ in range(count)]

    def claim(
        self, ids: Sequence[str], *, model: str = "sentiment", lease: str = "1 min", limit: int = 5
    ) -> dict[str, int]:
        """Claim as a runtime does; answers with the attempts of those that were claimed."""
        rows = self.query(
            "SELECT id::text, outcome, attempt FROM claim_requests(%s, %s::uuid[], %s, %s)",
            (model, list(ids), lease, limit),
        )
        claimed = {row["id"]: row["attempt"] for row in rows if row["outcome"] == "claimed"}
        for row in rows:
            if row["outcome"] == "alone":
                claimed |= self.claim([row["id"]], model=model, lease=lease, limit=limit)
        return claimed

    def states(self) -> Counter[str]:
        rows = self.query("SELECT state::text, count(*) AS size FROM requests GROUP BY state")
        return Counter({row["state"]: row["size"] for row in rows})

    def get(self, prediction_id: str) -> dict[str, Any]:
        """The row of a request and of its prediction, in one."""
        (row,) = self.query(
            "SELECT r.*, r.state::text AS state, p.label, p.features_uri FROM requests r"
            " LEFT JOIN predictions p ON p.id = r.id WHERE r.id = %s",
            (prediction_id,),
        )
        return row

    def execute(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> None:
        with self._database.connect() as connection:
            connection.execute(sql, parameters)

    def query(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._database.connect() as connection:
            return connection.execute(sql, parameters).fetchall()


def accept(connection: Connection[Any], *, model: str = "sentiment", ttl: str = "1 hour") -> str:
    """Accept a request in the caller's transaction, as the gateway does."""
    prediction_id = uuid7()
    payload = json.dumps({"predictionId": prediction_id, "model": model, "version": "1"})
    connection.execute(
        "INSERT INTO requests (id, model, version, text, state, create_time, expire_time)"
        " VALUES (%s, %s, '1', 'a text', 'ACCEPTED', now(), now() + %s::interval)",
        (prediction_id, model, ttl),
    )
    connection.execute(
        "INSERT INTO outbox (id, event, model, version, payload)"
        " VALUES (%s, 'inference_request', %s, '1', %s)",
        (uuid7(), model, payload),
    )
    connection.execute("NOTIFY outbox")
    return prediction_id


def answer(prediction_id: str, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    """The Protobuf JSON of a good answer of the model "sentiment", with changes."""
    return {
        "eventId": uuid7(),
        "predictionId": prediction_id,
        "model": "sentiment",
        "version": "1",
        "attempt": attempt,
        "output": {
            "label": "positive",
            "confidence": 0.7,
            "scores": {"negative": 0.1, "neutral": 0.2, "positive": 0.7},
            "value": 0.6,
        },
        "featuresUri": "s3://predict-features/sentiment/1/batch.parquet#row=3",
        **changes,
    }


def error_answer(prediction_id: str, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    """The Protobuf JSON of an answer that says why there is no output."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "MODEL_FAILED",
        "domain": "predict.v1",
        "metadata": {"model": "sentiment"},
    }
    error = {"code": 13, "message": "the model could not process the text", "details": [info]}
    body = answer(prediction_id, attempt, error=error, **changes)
    del body["output"]
    return body
