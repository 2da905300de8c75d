"""Labels in the real database: what is taken, what counts, and what is found."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contract.errors import InvalidArgument, PredictionNotFound, RequestIdReused
from contract.ids import uuid7
from contract.label_errors import ExternalIdReused, LabelCorrected, LabelNotOfModel
from gateway.label import Label, LabelFilter, Source, Statement
from gateway.prediction import ListFilter, Prediction, State
from gateway.store.connections import Connections
from gateway.store.labels import LabelStore
from gateway.store.predictions import PredictionStore
from inference.output import Output
from tests.parts.catalog import register
from tests.parts.postgres import Database

LABELS = ("negative", "neutral", "positive")


@pytest.fixture
async def labels(connections: Connections, database: Database) -> LabelStore:
    register(database, {"sentiment": ["1"]})
    return LabelStore(connections, max_waiting=10_000)


async def predicted(store: PredictionStore, **changes: Any) -> str:
    """The id of a finished prediction."""
    output = Output("positive", changes.pop("confidence", 0.75), {"positive": 1.0})
    now = datetime.now(UTC)
    fields = {
        "id": uuid7(),
        "model": "sentiment",
        "version": "1",
        "text": "a text",
        "state": State.SUCCEEDED,
        "create_time": now,
        "complete_time": now,
        "output": output,
    }
    prediction = Prediction(**{**fields, **changes})
    assert await store.insert_finished(prediction, "")
    return prediction.id


def said(prediction_id: str, label: str = "positive", **changes: Any) -> Statement:
    fields = {"source": Source.PERSON, "annotator": "anna", **changes}
    return Statement(prediction_id=prediction_id, label=label, **fields)


async def history(labels: LabelStore, prediction_id: str) -> list[Label]:
    where = LabelFilter(prediction_id=prediction_id, with_history=True)
    return await labels.search(where, before_id=None, limit=10_000)


async def counting(labels: LabelStore, prediction_id: str) -> set[tuple[str, str | None]]:
    """By whom, and what."""
    where = LabelFilter(prediction_id=prediction_id)
    found = await labels.search(where, before_id=None, limit=10_000)
    return {(label.annotator, label.label) for label in found}


async def test_a_correction_counts_and_what_was_said_before_stays(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    first = await labels.attach(said(id_, "positive"))
    second = await labels.attach(said(id_, "negative"))
    assert await history(labels, id_) == [second, first]
    assert await counting(labels, id_) == {("anna", "negative")}


async def test_saying_the_same_again_adds_nothing(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    first = await labels.attach(said(id_))
    assert await labels.attach(said(id_)) == first
    at = datetime(2026, 1, 2, tzinfo=UTC)
    early = await labels.attach(said(id_, "neutral", label_time=at))
    assert await labels.attach(said(id_, "neutral", label_time=at)) == early
    assert len(await history(labels, id_)) == 2


async def test_of_labels_that_come_out_of_order_the_newest_counts(
    store: PredictionStore, labels: LabelStore
) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    id_ = await predicted(store)
    await labels.attach(said(id_, "negative", label_time=at + timedelta(seconds=1)))
    await labels.attach(said(id_, "positive", label_time=at))
    assert await counting(labels, id_) == {("anna", "negative")}


async def test_a_correction_counts_though_the_clock_was_put_back(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    soon = datetime.now(UTC) + timedelta(seconds=50)
    await labels.attach(said(id_, "negative", label_time=soon))
    corrected = await labels.attach(said(id_, "positive"))
    assert corrected.label_time > soon
    assert await counting(labels, id_) == {("anna", "positive")}


async def test_a_time_to_come_is_refused(store: PredictionStore, labels: LabelStore) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(InvalidArgument):
        await labels.attach(said(await predicted(store), label_time=tomorrow))


async def test_what_is_withdrawn_counts_no_more_until_it_is_said_again(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    first = await labels.attach(said(id_))
    withdrawn = await labels.withdraw(first.id, caller="otto")
    assert withdrawn is not None
    assert (withdrawn.label, withdrawn.annotator) == (None, "anna")
    assert await labels.withdraw(first.id, caller="") == withdrawn
    assert await counting(labels, id_) == set()
    found = await store.get(id_, with_label=True)
    assert found is not None
    assert found.label is None
    await labels.attach(said(id_))
    assert await counting(labels, id_) == {("anna", "positive")}
    with pytest.raises(LabelCorrected):
        await labels.withdraw(first.id, caller="")
    assert await labels.withdraw(str(uuid4()), caller="") is None


async def test_a_request_id_and_an_external_id_give_one_label(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_, key = await predicted(store), str(uuid4())
    first = await labels.attach(said(id_, request_key=key))
    await labels.attach(said(id_, "negative"))
    assert await labels.attach(said(id_, request_key=key)) == first
    with pytest.raises(RequestIdReused):
        await labels.attach(said(id_, "neutral", request_key=key))
    named = await labels.attach(said(id_, "neutral", external_id="7"))
    await labels.attach(said(id_, "negative"))
    assert await labels.attach(said(id_, "neutral", external_id="7")) == named
    with pytest.raises(ExternalIdReused):
        await labels.attach(said(id_, "negative", external_id="7"))
    other = said(id_, "negative", external_id="7", source=Source.LABEL_STUDIO)
    assert (await labels.attach(other)).external_id == "7"


async def test_each_of_a_commit_is_taken_or_refused_alone(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_, nobody = await predicted(store), uuid7()
    outcomes = await asyncio.gather(
        labels.attach(said(id_)),
        labels.attach(said(nobody)),
        labels.attach(said(str(uuid4()))),
        labels.attach(said(id_, "sarcastic")),
        labels.attach(said(id_, "negative")),
        labels.attach(said(id_, "negative", annotator="otto")),
        return_exceptions=True,
    )
    kinds = [type(outcome) for outcome in outcomes]
    refused = [PredictionNotFound, PredictionNotFound, LabelNotOfModel]
    assert kinds == [Label, *refused, Label, Label]
    assert await counting(labels, id_) == {("anna", "negative"), ("otto", "negative")}


async def test_those_who_come_together_lose_nothing(
    store: PredictionStore, connections: Connections, labels: LabelStore
) -> None:
    """Two gateways: their statements run side by side, about the same predictions."""
    other = LabelStore(connections, max_waiting=10_000)
    ids = [await predicted(store) for _ in range(3)]
    keys = [str(uuid4()) for _ in range(20)]
    await asyncio.gather(
        *(
            gateway.attach(
                said(ids[n % 3], LABELS[n % 2], annotator=f"{n % 7}", request_key=keys[n % 20])
            )
            for gateway in (labels, other)
            for n in range(20)
        )
    )
    rows = [row for id_ in ids for row in await history(labels, id_)]
    assert len(rows) == len(keys)
    for id_ in ids:
        last = await labels.attach(said(id_, "neutral", annotator="0"))
        assert ("0", "neutral") in await counting(labels, id_)
        assert last in await history(labels, id_)


async def test_what_counts_is_what_the_rule_says(
    store: PredictionStore, labels: LabelStore, database: Database
) -> None:
    """At random, against the rule in Python."""
    choose = random.Random(13)  # noqa: S311
    ids = [await predicted(store) for _ in range(40)]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    taken: list[Label] = []
    for _ in range(400):
        if taken and choose.random() < 0.15:
            try:
                await labels.withdraw(choose.choice(taken).id, caller="")
            except LabelCorrected:
                continue
        else:
            statement = said(
                choose.choice(ids),
                choose.choice(LABELS),
                annotator=choose.choice("abcde"),
                source=choose.choice(list(Source)[:2]),
                adjudicated=choose.random() < 0.1,
                label_time=choose.choice([None, start + timedelta(days=choose.randrange(5))]),
                weight=choose.choice([None, 1.0, 4.0]),
                choice=choose.choice(["", "control"]),
            )
            taken.append(await labels.attach(statement))
    with database.connect() as connection:
        decided = connection.execute("SELECT * FROM labels_v1.decided").fetchall()
        rows = connection.execute("SELECT * FROM labels").fetchall()
    assert len(rows) > 300
    found = {str(row.pop("prediction_id")): row for row in decided}
    expected = {id_: by_rule([r for r in rows if str(r["prediction_id"]) == id_]) for id_ in ids}
    assert found == {id_: row for id_, row in expected.items() if row}
    assert {id_ for id_, row in expected.items() if row} != set()
    for id_ in ids:
        prediction = await store.get(id_, with_label=True)
        assert prediction is not None
        shown = prediction.label and prediction.label.label
        assert shown == (expected[id_] or {"label": None})["label"]


def by_rule(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The label that counts, of all rows of a prediction."""
    age = lambda row: (row["label_time"], row["id"])  # noqa: E731
    newest: dict[Any, Any] = {}
    for row in sorted(rows, key=age):
        newest[row["source"], row["annotator"]] = row
    update_time = max((row["create_time"] for row in newest.values()), default=None)
    valid = [row for row in newest.values() if row["label"] is not None]
    if not valid:
        return None
    votes = Counter(row["label"] for row in valid)
    ranked = [row for row in valid if row["adjudicated"]] or [
        row for row in valid if votes[row["label"]] == max(votes.values())
    ]
    chosen = max(ranked, key=age)
    weighted = [row for row in valid if row["weight"] is not None]
    known = max(weighted, key=age) if weighted else chosen
    return {
        "model": "sentiment",
        "label": chosen["label"],
        "source": chosen["source"],
        "annotators": len(valid),
        "update_time": update_time,
        "choice": known["choice"],
        "weight": known["weight"],
    }


async def test_lists_are_by_each_condition_and_in_pages(
    store: PredictionStore, labels: LabelStore
) -> None:
    ids = [await predicted(store) for _ in range(3)]
    made = [
        await labels.attach(said(id_, annotator=name, source=source))
        for id_ in ids
        for name, source in (("anna", Source.PERSON), ("otto", Source.IMPORT))
    ]

    async def found(limit: int = 100, before: str | None = None, **where: Any) -> list[Label]:
        return await labels.search(LabelFilter(**where), before_id=before, limit=limit)

    assert await found() == made[::-1]
    assert await found(model="sentiment") == made[::-1]
    assert await found(model="genre") == []
    assert {label.annotator for label in await found(annotator="anna")} == {"anna"}
    assert [label.source for label in await found(source=Source.IMPORT)] == ["IMPORT"] * 3
    assert await found(prediction_id=ids[0]) == made[1::-1]
    assert await found(start_time=made[2].create_time, end_time=made[4].create_time) == made[3:1:-1]
    first = await found(limit=4)
    assert first + await found(before=first[-1].id) == made[::-1]


async def test_what_wants_a_label_is_what_none_counts_for(
    store: PredictionStore, labels: LabelStore
) -> None:
    confidences = (0.9, 0.4, 0.6, 0.5, 0.7)
    ids = sorted(uuid7() for _ in confidences)  # those of one millisecond have no order
    for id_, sure in zip(ids, confidences, strict=True):
        await predicted(store, id=id_, confidence=sure)
    await predicted(store, version="2")
    label = await labels.attach(said(ids[3]))
    where = ListFilter(model="sentiment", state=State.SUCCEEDED, version="1", unlabeled=True)

    async def wanted(**options: Any) -> list[int]:
        options = {"before_id": None, "limit": 10, "max_bytes": 1000, **options}
        return [ids.index(found.id) for found in await store.search(where, **options)]

    assert await wanted() == [4, 2, 1, 0]
    assert await wanted(least_confident_of=100) == [1, 2, 4, 0]
    assert await wanted(least_confident_of=3, limit=2) == [1, 2]
    assert await wanted(least_confident_of=100, max_bytes=7) == [1, 2]
    await labels.withdraw(label.id, caller="")
    assert await wanted() == [4, 3, 2, 1, 0]
    assert await wanted(before_id=ids[2]) == [1, 0]
