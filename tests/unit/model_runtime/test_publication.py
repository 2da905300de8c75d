"""What becomes of events that the bus takes late, or never."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from bus.errors import BusUnavailable
from bus.outages import Retry, Stopping
from bus.sns import Outcome
from model_runtime.claims import Claim
from model_runtime.publication import Publication
from tests.parts.claims import answer, invented_claim


class Topic:
    """A topic that takes what it is told to take."""

    name = "predict-events"

    def __init__(self, *answers: Callable[[Any], str]) -> None:
        """answers: to each call in turn, and then the last one: what becomes of an entry."""
        self._answers = answers
        self.calls: list[list[str]] = []
        self.taken: dict[str, dict[str, Any]] = {}

    async def publish(self, entries: Iterable[Any]) -> Outcome:
        become = self._answers[min(len(self.calls), len(self._answers) - 1)]
        outcome = Outcome()
        bodies = {entry["Id"]: json.loads(entry["Message"]) for entry in entries}
        if not bodies:
            return outcome
        self.calls.append([body["predictionId"] for body in bodies.values()])
        for event_id, body in bodies.items():
            match become(body):
                case "taken":
                    outcome.published.add(event_id)
                    self.taken[body["predictionId"]] = body
                case "refused":
                    outcome.rejected[event_id] = "InvalidParameter"
                case "away":
                    outcome.failure = BusUnavailable("ConnectionError")
        return outcome


def publication(topic: Topic, *, stop: asyncio.Event | None = None) -> Publication:
    retry = Retry("the topic", BusUnavailable, stop=stop or asyncio.Event())
    return Publication(topic=topic, retry=retry)  # type: ignore[arg-type]  # it does as a Topic


CLAIMS = [invented_claim() for _ in range(3)]
IDS = [claim.prediction_id for claim in CLAIMS]


def of(claim: Claim, *, then: str, otherwise: str = "taken") -> Callable[[Any], str]:
    return lambda body: then if body["predictionId"] == claim.prediction_id else otherwise


async def publish(topic: Topic) -> set[str]:
    return set(await publication(topic).publish([answer(claim) for claim in CLAIMS]))


async def test_nothing_to_say_is_no_call() -> None:
    topic = Topic(lambda _: "taken")
    assert await publication(topic).publish([]) == {}
    assert topic.calls == []


async def test_only_what_was_not_taken_is_tried_again() -> None:
    topic = Topic(of(CLAIMS[1], then="away"), lambda _: "taken")
    assert await publish(topic) == set(IDS)
    assert topic.calls == [IDS, [IDS[1]]]


async def test_an_answer_that_is_refused_becomes_an_error_and_the_others_are_published() -> None:
    def refuse(body: Any) -> str:
        mine = body["predictionId"] == IDS[1] and "output" in body
        return "refused" if mine else "taken"

    topic = Topic(refuse)
    assert await publish(topic) == set(IDS)
    assert topic.calls == [IDS, [IDS[1]]]
    assert [("error" in topic.taken[id], "output" in topic.taken[id]) for id in IDS] == [
        (False, True),
        (True, False),
        (False, True),
    ]
    assert topic.taken[IDS[1]]["claimToken"] == CLAIMS[1].token


async def test_an_error_that_is_refused_too_is_not_tried_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = Topic(of(CLAIMS[1], then="refused"))
    with caplog.at_level(logging.ERROR):
        assert await publish(topic) == {IDS[0], IDS[2]}
    assert topic.calls == [IDS, [IDS[1]]]
    assert len(caplog.messages) == 2


async def test_stopping_ends_the_waiting_for_the_topic() -> None:
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(Stopping):
        await publication(Topic(lambda _: "away"), stop=stop).publish([answer(CLAIMS[0])])
