import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contract.access import PERMISSIONS
from contract.errors import ModelFailed
from contract.ids import uuid7
from contract.status import to_status
from gateway.prediction import ListFilter, Prediction, State
from gateway.rights import Rights
from gateway.store.predictions import PredictionStore
from inference.output import Output
from tests.parts.postgres import Database

READING = PERMISSIONS["/predict.v1.PredictionService/ListPredictions"]


def accepted(model: str = "sentiment", version: str = "1", text: str = "a text") -> Prediction:
    now = datetime.now(UTC)
    return Prediction(
        id=uuid7(),
        model=model,
        version=version,
        text=text,
        state=State.ACCEPTED,
        create_time=now,
        expire_time=now + timedelta(hours=1),
    )


def finished(model: str = "sentiment", version: str = "1", text: str = "a text") -> Prediction:
    now = datetime.now(UTC)
    return Prediction(
        id=uuid7(),
        model=model,
        version=version,
        text=text,
        state=State.SUCCEEDED,
        create_time=now,
        complete_time=now,
        output=Output(
            label="positive",
            confidence=0.75,
            scores={"negative": 0.25, "positive": 0.75},
            value=0.5,
        ),
        features_uri="s3://features/object.parquet#row=3",
    )


async def test_a_finished_prediction_is_read_as_it_was_written(store: PredictionStore) -> None:
    prediction = finished(text='naïve 😀 "quoted" {braces} \\ , NULL')
    assert await store.insert_finished(prediction, "")
    assert await store.get(prediction.id) == prediction


async def test_a_model_without_a_value_has_none_in_the_record(store: PredictionStore) -> None:
    prediction = finished()
    prediction.output = Output(label="tweet", confidence=1.0, scores={"tweet": 1.0})
    await store.insert_finished(prediction, "")
    assert await store.get(prediction.id) == prediction


async def test_an_accepted_prediction_comes_with_the_event_that_asks_for_it(
    store: PredictionStore, database: Database
) -> None:
    prediction = accepted()
    assert await store.insert_accepted(prediction, "")
    assert await store.get(prediction.id) == prediction
    with database.connect() as connection:
        (event,) = connection.execute(
            "SELECT event, model, version, payload FROM outbox"
        ).fetchall()
    assert event == {
        "event": "inference_request",
        "model": "sentiment",
        "version": "1",
        "payload": {"predictionId": prediction.id, "model": "sentiment", "version": "1"},
    }


async def test_predictions_of_one_commit_share_one_event_a_model(
    store: PredictionStore, database: Database
) -> None:
    predictions = [finished("sentiment"), finished("genre"), finished("sentiment")]
    await asyncio.gather(*(store.insert_finished(p, "") for p in predictions))
    with database.connect() as connection:
        events = connection.execute("SELECT model, payload FROM outbox ORDER BY model").fetchall()
    told = {
        str(event["model"]): {p["predictionId"] for p in event["payload"]["predictions"]}  # type: ignore[index,call-overload]
        for event in events
    }
    assert told == {
        "genre": {predictions[1].id},
        "sentiment": {predictions[0].id, predictions[2].id},
    }


async def test_failures_go_with_the_commits_of_the_others(
    store: PredictionStore, database: Database
) -> None:
    failed = finished()
    failed.state, failed.output, failed.features_uri = State.FAILED, None, ""
    failed.error = to_status(ModelFailed("sentiment"))
    both = [finished(), failed]
    await asyncio.gather(*(store.insert_finished(prediction, "") for prediction in both))
    with database.connect() as connection:
        rows = connection.execute("SELECT state, xmin::text AS by FROM requests").fetchall()
    assert {row["state"] for row in rows} == {"SUCCEEDED", "FAILED"}
    assert len({row["by"] for row in rows}) == 1


TRACES = [f"00-{n:032x}-{n:016x}-01" for n in (1, 2)]
UNSAMPLED = f"00-{3:032x}-{3:016x}-00"


async def test_an_event_has_the_first_trace_that_is_recorded_and_links_to_the_others(
    store: PredictionStore, database: Database
) -> None:
    await store.insert_finished(finished("sentiment"), "", traceparent=TRACES[0])
    await asyncio.gather(
        *(
            store.insert_finished(finished("genre"), "", traceparent=trace)
            for trace in (UNSAMPLED, *TRACES, *TRACES, "")
        )
    )
    await asyncio.gather(
        *(
            store.insert_finished(finished("topic"), "", traceparent=trace)
            for trace in ("", UNSAMPLED)
        )
    )
    await asyncio.gather(
        *(store.insert_accepted(accepted(), "", traceparent=trace) for trace in (*TRACES, ""))
    )
    with database.connect() as connection:
        events = connection.execute(
            "SELECT event, model, traceparent, links FROM outbox"
        ).fetchall()
    told = sorted(
        (str(e["event"]), str(e["model"]), e["traceparent"] or "", *(e["links"] or ()))
        for e in events
    )
    assert told == [
        ("inference_request", "sentiment", ""),
        ("inference_request", "sentiment", TRACES[0]),
        ("inference_request", "sentiment", TRACES[1]),
        ("job_completed", "genre", TRACES[0], TRACES[1]),
        ("job_completed", "sentiment", TRACES[0]),
        ("job_completed", "topic", UNSAMPLED),
    ]


async def test_what_is_cancelled_is_told_of_in_its_trace(
    store: PredictionStore, database: Database
) -> None:
    prediction = accepted()
    await store.insert_accepted(prediction, "", traceparent=TRACES[0])
    await store.cancel(prediction.id)
    with database.connect() as connection:
        events = connection.execute("SELECT event, traceparent FROM outbox").fetchall()
    assert sorted((e["event"], e["traceparent"]) for e in events) == [
        ("inference_request", TRACES[0]),
        ("job_completed", TRACES[0]),
    ]


async def test_a_completion_names_no_more_traces_than_a_span_may(database: Database) -> None:
    traces = [f"00-{n:032x}-{n:016x}-01" for n in range(1, 1001)]
    with database.connect() as connection:
        row = connection.execute("SELECT events_v1.traces(%s) AS traces", (traces,)).fetchone()
    assert row is not None
    assert row["traces"] == traces[:129]


@pytest.mark.parametrize("together", [True, False])
async def test_a_request_id_stands_for_one_prediction(
    store: PredictionStore, database: Database, together: bool
) -> None:
    request_id = str(uuid4())
    predictions = [finished() for _ in range(5)]
    if together:
        written = await asyncio.gather(*(store.insert_finished(p, request_id) for p in predictions))
    else:
        written = [await store.insert_finished(p, request_id) for p in predictions]
    assert written == [True, False, False, False, False]
    assert await store.find(request_id) == predictions[0]
    with database.connect() as connection:
        count = connection.execute("SELECT count(*) FROM requests").fetchone()
    assert count == {"count": 1}


async def test_a_request_id_is_one_over_both_kinds_of_request(store: PredictionStore) -> None:
    request_id = str(uuid4())
    first, second = accepted(), finished()
    assert await store.insert_accepted(first, request_id)
    assert not await store.insert_finished(second, request_id)
    assert await store.get(second.id) is None


async def test_an_unknown_id_is_not_found(store: PredictionStore) -> None:
    assert await store.get(uuid7()) is None
    assert await store.find(str(uuid4())) is None


async def test_a_search_finds_what_fits_all_conditions_newest_first(
    store: PredictionStore,
) -> None:
    async def insert(model: str = "sentiment", version: str = "1") -> Prediction:
        await asyncio.sleep(0.002)  # ids of one millisecond have no order
        prediction = finished(model, version)
        await store.insert_finished(prediction, "")
        return prediction

    older = await insert()
    other_model = await insert("genre")
    other_version = await insert(version="2")
    newer = await insert()
    await asyncio.sleep(0.002)
    waiting = accepted()
    await store.insert_accepted(waiting, "")

    async def ids(where: ListFilter, before_id: str | None = None, limit: int = 10) -> list[str]:
        return [
            p.id
            for p in await store.search(where, before_id=before_id, limit=limit, max_bytes=1000)
        ]

    everything = [waiting.id, newer.id, other_version.id, other_model.id, older.id]
    assert await ids(ListFilter()) == everything
    assert await ids(ListFilter(), limit=2) == everything[:2]
    assert await ids(ListFilter(), before_id=newer.id) == everything[2:]
    assert await ids(ListFilter(model="genre")) == [other_model.id]
    assert await ids(ListFilter(version="2")) == [other_version.id]
    assert await ids(ListFilter(state=State.ACCEPTED)) == [waiting.id]
    assert await ids(ListFilter(model="sentiment", version="1", state=State.SUCCEEDED)) == [
        newer.id,
        older.id,
    ]
    assert await ids(ListFilter(start_time=newer.create_time)) == [waiting.id, newer.id]
    assert await ids(ListFilter(end_time=other_model.create_time)) == [older.id]


async def test_cancelling_ends_unfinished_work_once(
    store: PredictionStore, database: Database
) -> None:
    waiting, overdue, done = accepted(), accepted(), finished()
    overdue.expire_time = overdue.create_time
    for prediction in (waiting, overdue):
        await store.insert_accepted(prediction, "")
    await store.insert_finished(done, "")
    for prediction in (waiting, overdue, done, waiting):
        await store.cancel(prediction.id)

    async def state(prediction: Prediction) -> State:
        found = await store.get(prediction.id)
        assert found is not None
        assert found.complete_time is not None
        return found.state

    states = [await state(prediction) for prediction in (waiting, overdue, done)]
    assert states == [State.CANCELLED, State.EXPIRED, State.SUCCEEDED]
    with database.connect() as connection:
        told = connection.execute(
            "SELECT payload->'predictions'->0->>'state' AS state FROM outbox"
            " WHERE event = 'job_completed' ORDER BY id"
        ).fetchall()
    assert [str(event["state"]).removeprefix("PREDICTION_STATE_") for event in told] == [
        "SUCCEEDED",
        "CANCELLED",
        "EXPIRED",
    ]


@pytest.mark.parametrize("year", [1, 1969, 1970, 2020])
async def test_a_search_from_long_ago_finds_everything(store: PredictionStore, year: int) -> None:
    prediction = finished()
    await store.insert_finished(prediction, "")
    where = ListFilter(
        start_time=datetime(year, 1, 1, tzinfo=UTC), end_time=datetime(9999, 12, 31, tzinfo=UTC)
    )
    found = await store.search(where, before_id=None, limit=10, max_bytes=1000)
    assert [p.id for p in found] == [prediction.id]


async def test_rows_lie_in_the_partition_of_their_day(
    store: PredictionStore, database: Database
) -> None:
    prediction = finished()
    await store.insert_finished(prediction, "")
    with database.connect() as connection:
        row = connection.execute("SELECT tableoid::regclass::text AS partition FROM requests")
        assert row.fetchone() == {"partition": f"requests_{prediction.create_time:%Y%m%d}"}


async def test_a_search_ends_with_the_first_text_beyond_the_bytes(store: PredictionStore) -> None:
    for _ in range(4):
        await store.insert_finished(finished(text="x" * 1000), "")
        await asyncio.sleep(0.002)

    async def found(max_bytes: int) -> int:
        rows = await store.search(ListFilter(), before_id=None, limit=10, max_bytes=max_bytes)
        return len(rows)

    assert [await found(n) for n in (0, 999, 1000, 2500, 9999)] == [1, 1, 2, 3, 4]


async def test_a_search_without_texts_is_not_ended_by_them(store: PredictionStore) -> None:
    for _ in range(4):
        await store.insert_finished(finished(text="x" * 1000), "")
    rows = await store.search(
        ListFilter(), before_id=None, limit=10, max_bytes=999, with_text=False
    )
    assert [(row.text, row.version) for row in rows] == [("", "1")] * 4


async def test_reads_of_one_query_have_their_texts_or_not(store: PredictionStore) -> None:
    predictions = [finished(text=f"text {n}") for n in range(3)]
    for prediction in predictions:
        await store.insert_finished(prediction, "")
    asked = [(p.id, with_text) for p in predictions for with_text in (True, False, True)]
    found = await asyncio.gather(*(store.get(id_, with_text=texted) for id_, texted in asked))
    assert [p.text for p in found if p] == [
        text for n in range(3) for text in (f"text {n}", "", f"text {n}")
    ]


async def test_a_day_that_the_default_partition_took_over_holds_up_no_other(
    database: Database,
) -> None:
    with database.connect() as connection:
        (day,) = connection.execute(
            "SELECT (date_trunc('day', now(), 'UTC') + interval '8 days')::timestamptz AS day"
        ).fetchall()
        connection.execute(
            "INSERT INTO requests (id, model, version, text, state, create_time)"
            " VALUES (uuid_at(%(day)s), 'm', '1', 't', 'ACCEPTED', %(day)s)",
            day,
        )
        connection.execute("SELECT create_partitions(9)")
        tables = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'requests'::regclass"
        ).fetchone()
    assert tables == {"count": 10}  # the default, days 0 to 7, and day 9


async def test_of_two_portions_a_page_is_what_one_list_of_both_would_have(
    store: PredictionStore,
) -> None:
    """The newest of both, up to the first text that goes beyond the bytes; each of them once."""
    made = []
    for caller, model in [("ann", "a"), ("bob", "a"), ("ann", "b"), ("bob", "b")] * 3:
        prediction = finished(model=model, text="four")
        prediction.caller = caller
        await store.insert_finished(prediction, "")
        if (caller, model) != ("bob", "b"):
            made.append(prediction.id)
    made.sort(reverse=True)
    reading = Rights(caller="ann", permissions=READING, everybodys=frozenset("a"), own=None)

    async def found(limit: int, max_bytes: int) -> list[str]:
        page = await store.search(
            ListFilter(), rights=reading, before_id=None, limit=limit, max_bytes=max_bytes
        )
        return [prediction.id for prediction in page]

    assert await found(99, 999) == made
    assert await found(4, 999) == made[:4]
    assert await found(99, 15) == made[:4]
