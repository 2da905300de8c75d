"""Requests as the gateway and the relay hand them to a worker, and what it answers."""

import json
from collections.abc import Sequence
from typing import Any

from bus.events import REQUEST, Envelope
from tests.parts.bus_probe import Bus
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests

QUEUE = "predict-sentiment"
RESPONSES = "predict-gateway"


class Exchange(Requests):
    """Rows of one database, messages of one bus."""

    def __init__(self, database: Database, bus: Bus) -> None:
        super().__init__(database)
        self._bus = bus
        self.answers: dict[str, dict[str, Any]] = {}
        """Every answer that was seen, by prediction id."""
        self.answer_count = 0

    def publish(self, *ids: str) -> None:
        """Tell the worker of accepted requests, with what the gateway left in the outbox."""
        rows = self.query(
            "SELECT id::text, version, traceparent,"
            " payload || jsonb_build_object('eventId', id) AS body"
            " FROM outbox WHERE payload ->> 'predictionId' = ANY (%s) ORDER BY id",
            (list(ids),),
        )
        assert len(rows) == len(ids)
        for row in rows:
            body = json.dumps(row["body"])
            self._bus.publish_envelope(
                Envelope(row["id"], REQUEST, "sentiment", row["version"], body, row["traceparent"])
            )

    def send(self, *texts: str, version: str = "1") -> list[str]:
        """Accept and publish."""
        ids = self.accept_texts(*texts, version=version)
        self.publish(*ids)
        return ids

    def wait_for_answers(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The answers to these, in their order."""
        wait_until(lambda: self.collect() >= set(ids))
        return [self.answers[prediction_id] for prediction_id in ids]

    def wait_until_deleted(self) -> None:
        """Until every message was dealt with."""
        wait_until(self.is_idle)
        self.collect()

    def is_idle(self) -> bool:
        """Whether the queue is empty."""
        return self._bus.depth(QUEUE) == 0

    def wait_until_running(self, prediction_id: str) -> None:
        wait_until(lambda: self.get(prediction_id)["state"] == "RUNNING")

    def collect(self) -> set[str]:
        """Take new answers; answers with the ids of all."""
        for body in self._bus.drain(RESPONSES):
            self.answers[body["predictionId"]] = body
            self.answer_count += 1
        return set(self.answers)
