"""Requests as the gateway and the relay hand them to a runtime, and what it answers."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import uuid4

from gateway.ids import uuid7
from tests.integration.bus_probe import Bus
from tests.integration.polling import wait_until
from tests.integration.postgres import Database

QUEUE = "predict-sentiment"
ANSWERS = "predict-gateway"


class Requests:
    """Rows of one database, messages of one bus."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self.answers: dict[str, dict[str, Any]] = {}
        """Every answer that was seen, by prediction id."""
        self.answer_count = 0

    def accept(self, text: str, *, version: str = "1", ttl: str = "1 hour") -> str:
        """A request that is only in the database."""
        prediction_id = uuid7()
        self.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time, expire_time)"
            " VALUES (%s, 'sentiment', %s, %s, 'ACCEPTED', now(), now() + %s::interval)",
            (prediction_id, version, text, ttl),
        )
        return prediction_id

    def publish(self, prediction_id: str) -> None:
        """Tell the runtime of it."""
        body = {
            "eventId": str(uuid4()),
            "predictionId": prediction_id,
            "model": "sentiment",
            "version": "1",
        }
        self._bus.publish("inference_request", body)

    def send(self, *texts: str, version: str = "1") -> list[str]:
        """Accept and publish."""
        ids = [self.accept(text, version=version) for text in texts]
        for prediction_id in ids:
            self.publish(prediction_id)
        return ids

    def wait_for_answers(
        self, ids: Sequence[str], *, timeout_s: float = 20
    ) -> list[dict[str, Any]]:
        """The answers to these, in their order."""
        wait_until(lambda: self.collect() >= set(ids), timeout_s=timeout_s)
        return [self.answers[prediction_id] for prediction_id in ids]

    def wait_until_deleted(self) -> None:
        """Until every message was dealt with."""
        wait_until(self.is_idle, timeout_s=20)
        self.collect()

    def is_idle(self) -> bool:
        """Whether the queue is empty."""
        return self._bus.depth(QUEUE) == 0

    def state(self, prediction_id: str) -> dict[str, Any]:
        (row,) = self.query(
            "SELECT state::text, attempt, lease_until > now() AS leased"
            " FROM requests WHERE id = %s",
            (prediction_id,),
        )
        return row

    def execute(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> None:
        with self._database.connect() as connection:
            connection.execute(sql, parameters)

    def query(self, sql: LiteralString, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._database.connect() as connection:
            return connection.execute(sql, parameters).fetchall()

    def collect(self) -> set[str]:
        """Take new answers; answers with the ids of all."""
        for body in self._bus.drain(ANSWERS):
            self.answers[body["predictionId"]] = body
            self.answer_count += 1
        return set(self.answers)
