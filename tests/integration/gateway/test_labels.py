"""Labels in the real database: what is taken, what counts, and what is found."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contract.errors import InvalidArgument, PredictionNotFound, RequestIdReused
from contract.ids import uuid7
from contract.label_errors import ExternalIdReused, LabelCorrected, LabelNotOfModel, TooManyLabels
from gateway import request_context
from gateway.label import Attached, Label, LabelFilter, Source, Statement
from gateway.prediction import ListFilter, Prediction, State
from gateway.store.connections import Connections
from gateway.store.labels import LabelStore
from gateway.store.predictions import PredictionStore
from inference.output import Output
from tests.parts.catalog import register, set_version
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


async def attach(labels: LabelStore, statement: Statement) -> Label:
    return (await labels.attach(statement)).label


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
    first = await attach(labels, said(id_, "positive"))
    second = await attach(labels, said(id_, "negative"))
    assert await history(labels, id_) == [second, first]
    assert await counting(labels, id_) == {("anna", "negative")}


async def test_saying_the_same_again_adds_nothing(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    first = await attach(labels, said(id_))
    assert await attach(labels, said(id_)) == first
    at = datetime(2026, 1, 2, tzinfo=UTC)
    early = await attach(labels, said(id_, "neutral", label_time=at))
    assert await attach(labels, said(id_, "neutral", label_time=at)) == early
    assert len(await history(labels, id_)) == 2


async def test_of_labels_that_come_out_of_order_the_newest_counts(
    store: PredictionStore, labels: LabelStore
) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    id_ = await predicted(store)
    await attach(labels, said(id_, "negative", label_time=at + timedelta(seconds=1)))
    await attach(labels, said(id_, "positive", label_time=at))
    assert await counting(labels, id_) == {("anna", "negative")}


async def test_a_correction_counts_though_the_clock_was_put_back(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    soon = datetime.now(UTC) + timedelta(seconds=50)
    await attach(labels, said(id_, "negative", label_time=soon))
    corrected = await attach(labels, said(id_, "positive"))
    assert corrected.label_time > soon
    assert await counting(labels, id_) == {("anna", "positive")}


async def test_a_time_to_come_is_refused(store: PredictionStore, labels: LabelStore) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(InvalidArgument):
        await attach(labels, said(await predicted(store), label_time=tomorrow))


async def test_what_is_withdrawn_counts_no_more_until_it_is_said_again(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    first = await attach(labels, said(id_))
    withdrawn = await labels.withdraw(first.id, caller="otto")
    assert withdrawn is not None
    assert (withdrawn.label, withdrawn.annotator) == (None, "anna")
    assert await labels.withdraw(first.id, caller="") == withdrawn
    assert await counting(labels, id_) == set()
    found = await store.get(id_, with_label=True)
    assert found is not None
    assert found.label is None
    await attach(labels, said(id_))
    assert await counting(labels, id_) == {("anna", "positive")}
    with pytest.raises(LabelCorrected):
        await labels.withdraw(first.id, caller="")
    assert await labels.withdraw(str(uuid4()), caller="") is None


async def test_a_request_id_and_an_external_id_give_one_label(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_, key = await predicted(store), str(uuid4())
    first = await attach(labels, said(id_, request_key=key))
    await attach(labels, said(id_, "negative"))
    assert await attach(labels, said(id_, request_key=key)) == first
    with pytest.raises(RequestIdReused):
        await attach(labels, said(id_, "neutral", request_key=key))
    named = await attach(labels, said(id_, "neutral", external_id="7"))
    await attach(labels, said(id_, "negative"))
    assert await attach(labels, said(id_, "neutral", external_id="7")) == named
    other = said(id_, "negative", external_id="7", source=Source.LABEL_STUDIO)
    assert (await attach(labels, other)).external_id == "7"


async def test_what_changes_under_an_external_id_is_a_correction(
    store: PredictionStore, labels: LabelStore
) -> None:
    """There and back again, and the same file twice each time."""
    id_ = await predicted(store)
    changes: list[dict[str, Any]] = [
        {"label": "positive"},
        {"label": "negative"},
        {"label": "positive"},
        {"label": "positive", "adjudicated": True},
        {"label": "positive", "adjudicated": True, "weight": 4.0},
    ]
    for change in changes:
        statement = said(id_, external_id="7", **change)
        first = await labels.attach(statement)
        assert first.added
        again = await labels.attach(statement)
        assert (again.label, again.added) == (first.label, False)
        assert (await history(labels, id_))[0] == first.label
    assert len(await history(labels, id_)) == len(changes)
    for stranger in (said(await predicted(store)), said(id_, annotator="otto")):
        with pytest.raises(ExternalIdReused):
            await labels.attach(replace(stranger, external_id="7"))


async def test_revisions_under_an_external_id_may_come_in_any_order_and_again(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_ = await predicted(store)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    revisions = [
        said(id_, label, external_id="7", label_time=at + timedelta(seconds=n))
        for n, label in enumerate(("positive", "negative", "positive", "neutral", "positive"))
    ]
    shuffled = revisions * 3
    random.Random(13).shuffle(shuffled)  # noqa: S311
    for revision in shuffled:
        await labels.attach(revision)
    assert len(await history(labels, id_)) == len(revisions)
    assert await counting(labels, id_) == {("anna", "positive")}


async def test_each_of_a_commit_is_taken_or_refused_alone(
    store: PredictionStore, labels: LabelStore
) -> None:
    id_, nobody = await predicted(store), uuid7()
    outcomes = await asyncio.gather(
        attach(labels, said(id_)),
        attach(labels, said(nobody)),
        attach(labels, said(str(uuid4()))),
        attach(labels, said(id_, "sarcastic")),
        attach(labels, said(id_, "negative")),
        attach(labels, said(id_, "negative", annotator="otto")),
        return_exceptions=True,
    )
    kinds = [type(outcome) for outcome in outcomes]
    refused = [PredictionNotFound, PredictionNotFound, LabelNotOfModel]
    assert kinds == [Label, *refused, Label, Label]
    assert await counting(labels, id_) == {("anna", "negative"), ("otto", "negative")}


async def test_a_text_has_a_label_however_its_prediction_ended(
    store: PredictionStore, labels: LabelStore, database: Database
) -> None:
    for state in ("FAILED", "CANCELLED", "EXPIRED"):
        id_ = await predicted(store)
        with database.connect() as connection:
            connection.execute("DELETE FROM predictions WHERE id = %s", (id_,))
            connection.execute("UPDATE requests SET state = %s WHERE id = %s", (state, id_))
        label = await attach(labels, said(id_))
        found = await store.get(id_, with_label=True)
        assert found is not None
        assert found.label is not None
        assert (found.state, found.label.label) == (state, label.label)


async def test_labels_are_those_of_the_version_that_answered(
    store: PredictionStore, labels: LabelStore, database: Database
) -> None:
    """Another version has others since."""
    id_ = await predicted(store)
    newer = await predicted(store, version="2")
    set_version(database, "1", labels=["positive", "mixed"])
    set_version(database, "2", labels=["good", "bad"])
    assert await attach(labels, said(id_, "mixed"))
    assert await attach(labels, said(newer, "bad"))
    for prediction, label in ((id_, "bad"), (newer, "mixed"), (id_, "negative")):
        with pytest.raises(LabelNotOfModel):
            await labels.attach(said(prediction, label))


async def test_the_bound_of_a_prediction_holds_for_those_that_come_together(
    store: PredictionStore, labels: LabelStore
) -> None:
    """What was said before is none of the more."""
    id_ = await predicted(store)

    async def all_of(*names: int) -> list[Any]:
        waiting = (labels.attach(said(id_, annotator=str(n))) for n in names)
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(one, Attached) for one in await all_of(*range(600)))
    outcomes = await all_of(*range(1100))
    assert [type(one) for one in outcomes] == [Attached] * 1000 + [TooManyLabels] * 100
    assert len(await history(labels, id_)) == 1000


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
        last = await attach(labels, said(id_, "neutral", annotator="0"))
        assert ("0", "neutral") in await counting(labels, id_)
        assert last in await history(labels, id_)


async def test_what_one_caller_says_again_and_again_keeps_no_other_waiting(
    store: PredictionStore, labels: LabelStore
) -> None:
    """Each of Eve's labels has to wait for the one before; Bob's goes with one of the first."""
    ids = [await predicted(store) for _ in range(2)]
    order: list[str] = []

    async def say(caller: str, id_: str, label: str) -> None:
        request_context.enter(request_context.OUTSIDE._replace(caller=caller))
        await labels.attach(said(id_, label, annotator=caller))
        order.append(caller)

    of_eve = [say("eve", ids[0], LABELS[n % 3]) for n in range(600)]
    of_bob = [say("bob", ids[1], "neutral")]
    await asyncio.gather(*(asyncio.create_task(one) for one in of_eve + of_bob))
    assert order.index("bob") < 10
    assert [label.label for label in await history(labels, ids[0])][:3] == [*reversed(LABELS)]


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
            taken.append(await attach(labels, statement))
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
        await attach(labels, said(id_, annotator=name, source=source))
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
    label = await attach(labels, said(ids[3]))
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
