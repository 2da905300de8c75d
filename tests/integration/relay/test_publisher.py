"""The outbox to the bus."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contract.ids import uuid7
from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.patches import SLOW_PUBLISHING
from tests.integration.relay.working import work_off
from tests.parts.bus_probe import Bus
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests, accept


def test_a_request_is_on_the_bus_once_it_is_accepted(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    start_relay()
    (prediction_id,) = requests.accept(model="genre")
    (message,) = bus.receive("predict-genre", wait_s=20)
    event = json.loads(message["Body"])
    assert event.pop("eventId")
    assert event == {"predictionId": prediction_id, "model": "genre", "version": "1"}
    assert message["MessageAttributes"]["version"]["StringValue"] == "1"
    wait_until(lambda: requests.get(prediction_id)["publish_time"] is not None)
    assert requests.query("SELECT * FROM outbox") == []


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_message_says_which_trace_it_belongs_to(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.accept(2, model="genre")
    completions = bus.watch("job_completed")
    requests.execute(
        "UPDATE outbox SET traceparent = %s WHERE id = (SELECT id FROM outbox LIMIT 1)", (TRACE,)
    )
    requests.execute(
        "INSERT INTO outbox (id, event, model, payload, traceparent)"
        " SELECT uuidv7(), 'job_completed', model, events_v1.job_completed(model, now(), '[{}]'), t"
        " FROM (VALUES ('genre', %s), ('sentiment', %s), ('sentiment', NULL)) AS v (model, t)",
        (TRACE, TRACE),
    )
    start_relay()
    asked, told = [], []
    wait_until(lambda: asked.extend(bus.receive("predict-genre")) or len(asked) == 2)
    wait_until(lambda: told.extend(bus.receive(completions)) or len(told) == 2)
    assert sorted(map(trace, asked)) == ["", TRACE]
    # Without a receiver of spans, what was merged is part of the first that is recorded.
    assert {model(message): trace(message) for message in told} == {
        "genre": TRACE,
        "sentiment": TRACE,
    }
    bus.unwatch(completions)


def trace(message: dict[str, Any]) -> str:
    return str(message["MessageAttributes"].get("traceparent", {}).get("StringValue", ""))


def model(message: dict[str, Any]) -> str:
    return str(message["MessageAttributes"]["action"]["StringValue"])


def test_every_committed_event_is_published_and_none_of_an_aborted_transaction(
    start_relay: StartRelay, requests: Requests, bus: Bus, database: Database
) -> None:
    start_relay(poll_s=0.05)
    start_relay(poll_s=0.05)

    def transact(seed: int) -> list[str]:
        chance = random.Random(seed)  # noqa: S311
        with database.connect() as connection, connection.transaction(force_rollback=seed % 3 == 0):
            ids = []
            for _ in range(chance.randint(1, 4)):
                ids += accept(connection, ["a text"])
                connection.execute("SELECT pg_sleep(%s)", (chance.choice([0, 0, 0.01, 0.3]),))
        return ids if seed % 3 else []

    with ThreadPoolExecutor(50) as pool:
        committed = {id for ids in pool.map(transact, range(200)) for id in ids}
    assert len(committed) > 200
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    published = [event["predictionId"] for event in bus.drain("predict-sentiment")]
    assert sorted(published) == sorted(committed)


def test_no_more_than_the_bound_is_in_flight_and_a_slow_model_holds_up_no_other(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.accept(40, model="genre")
    requests.accept(40, model="sentiment")
    start_relay(max_in_flight=15)
    start_relay(max_in_flight=15)
    work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 40)
    assert bus.depth("predict-genre") == 15
    waiting = requests.query("SELECT * FROM outbox WHERE event = 'inference_request'")
    assert len(waiting) == 25


def test_a_version_that_does_not_answer_keeps_no_other_of_its_model_waiting(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.accept_texts(*["a text"] * 40, version="2")
    start_relay(max_in_flight=15)
    wait_until(lambda: bus.depth("predict-sentiment") == 15)
    requests.accept_texts(*["a text"] * 40, version="3")
    wait_until(lambda: bus.depth("predict-sentiment") == 30)

    def waiting() -> dict[str, int]:
        rows = requests.query("SELECT version, count(*) AS size FROM outbox GROUP BY version")
        return {row["version"]: row["size"] for row in rows}

    wait_until(lambda: waiting() == {"2": 25, "3": 25})  # as soon as the relay has committed
    assert bus.depth("predict-sentiment") == 30


def test_the_bound_holds_while_another_relay_is_still_publishing(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.accept(40, model="sentiment")
    start_relay(max_in_flight=15, patch=SLOW_PUBLISHING)
    wait_until(lambda: bus.depth("predict-sentiment") == 15)
    start_relay(max_in_flight=15)
    requests.accept(1, model="genre")
    wait_until(lambda: bus.depth("predict-genre") == 1)  # by the second relay
    assert bus.depth("predict-sentiment") == 15


def test_two_relays_publish_each_request_once(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    relays = [start_relay(max_in_flight=20) for _ in range(2)]
    for model in ("sentiment", "genre"):
        requests.accept(100, model=model)
    first = work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 100)
    second = work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 200, model="genre")
    assert set((first + second).values()) == {1}
    assert [relay.exit_code for relay in relays] == [None, None]


def test_a_finished_request_is_not_published(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    cancelled, wanted = requests.accept(2)
    requests.execute("UPDATE requests SET state = 'CANCELLED' WHERE id = %s", (cancelled,))
    start_relay()
    (message,) = bus.receive("predict-sentiment", wait_s=20)
    assert json.loads(message["Body"])["predictionId"] == wanted
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    assert bus.depth("predict-sentiment") == 0


def test_a_request_that_the_bus_does_not_take_fails_and_holds_up_no_other(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    poison, good = requests.accept(2)
    requests.execute(
        "UPDATE outbox SET payload = payload || jsonb_build_object('pad', repeat('x', 300000))"
        " WHERE payload ->> 'predictionId' = %s",
        (poison,),
    )
    completed = bus.watch("job_completed")
    relay = start_relay(poll_s=0.05)
    wait_until(lambda: requests.get(poison)["state"] == "FAILED")
    assert requests.get(poison)["complete_time"] is not None
    assert requests.get(poison)["error"]["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "UNDELIVERABLE",
            "domain": "predict.v1",
        }
    ]
    assert [event["predictionId"] for event in bus.drain("predict-sentiment")] == [good]
    (message,) = bus.receive(completed, wait_s=20)
    assert json.loads(message["Body"])["predictions"] == [
        {"predictionId": poison, "version": "1", "state": "PREDICTION_STATE_FAILED"}
    ]
    assert "set event" in relay.log
    assert "xxx" not in relay.log


def test_a_completion_that_the_bus_does_not_take_is_dropped(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    completed = bus.watch("job_completed")
    poison, good = complete(requests, pad=300_000), complete(requests)
    relay = start_relay(poll_s=0.05)
    (message,) = bus.receive(completed, wait_s=20)
    assert json.loads(message["Body"])["eventId"] == good
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    assert f"set event {poison} aside" in relay.log


def test_many_small_completions_of_a_model_become_few(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    completed = bus.watch("job_completed")
    requests.execute(
        "INSERT INTO outbox (id, event, model, payload)"
        " SELECT uuidv7(), 'job_completed', model, events_v1.job_completed(model,"
        "     now() + n * interval '1 s',"
        "     (SELECT jsonb_agg(events_v1.completed_prediction(uuidv7(), '1', 'SUCCEEDED'))"
        "      FROM generate_series(1, 70)))"
        " FROM generate_series(1, 40) AS n, unnest(ARRAY['sentiment', 'genre']) AS model"
    )
    written = requests.query("SELECT payload FROM outbox")
    start_relay(poll_s=0.05)
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    messages = list(bus.drain(completed))
    assert 2 * 3 <= len(messages) < 10  # 2,800 predictions of a model, up to 1,500 in a message
    for model in ("sentiment", "genre"):
        sent = [message for message in messages if message["model"] == model]
        told = [p["predictionId"] for message in sent for p in message["predictions"]]
        meant = [row["payload"] for row in written if row["payload"]["model"] == model]
        assert sorted(told) == sorted(p["predictionId"] for m in meant for p in m["predictions"])
        assert max(m["completeTime"] for m in sent) == max(m["completeTime"] for m in meant)


def test_an_event_without_a_request_is_taken_out(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    for payload in ("{}", '{"predictionId": "no id"}', f'{{"predictionId": "{uuid7()}"}}'):
        requests.execute(
            "INSERT INTO outbox (id, event, model, payload)"
            " VALUES (%s, 'inference_request', 'sentiment', %s)",
            (uuid7(), payload),
        )
    (good,) = requests.accept()
    start_relay()
    (message,) = bus.receive("predict-sentiment", wait_s=20)
    assert json.loads(message["Body"])["predictionId"] == good
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])


def test_a_new_request_overtakes_a_flood_of_completions(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    requests.execute(
        "INSERT INTO outbox (id, event, model, sealed, payload)"
        " SELECT uuidv7(), 'job_completed', 'genre', true, events_v1.job_completed('genre', now(),"
        "     jsonb_build_array(events_v1.completed_prediction(uuidv7(), '1', 'SUCCEEDED')))"
        " FROM generate_series(1, 2000)"
    )
    start_relay()
    wait_until(lambda: count_completions(requests) < 2000)
    requests.accept()
    assert bus.receive("predict-sentiment", wait_s=20)
    assert count_completions(requests) > 0


def complete(requests: Requests, *, pad: int = 0) -> str:
    """Puts a sealed completion into the outbox; answers with the id of the event."""
    event_id = uuid7()
    requests.execute(
        "INSERT INTO outbox (id, event, model, sealed, payload)"
        " VALUES (%s, 'job_completed', 'sentiment', true,"
        " events_v1.job_completed('sentiment', now(),"
        "     jsonb_build_array(events_v1.completed_prediction(uuidv7(), '1', 'SUCCEEDED')))"
        " || jsonb_build_object('pad', repeat('x', %s)))",
        (event_id, pad),
    )
    return event_id


def count_completions(requests: Requests) -> int:
    return len(requests.query("SELECT FROM outbox WHERE event = 'job_completed'"))


def test_a_change_of_an_alert_is_on_the_bus_with_the_id_of_its_row(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    alerts = bus.watch("alert_changed")
    requests.execute(
        "INSERT INTO outbox (id, event, model, version, payload)"
        " VALUES (uuidv7(), 'alert_changed', 'genre', '2', '{\"alertId\": \"7\"}')"
    )
    ((event_id,),) = (row.values() for row in requests.query("SELECT id::text FROM outbox"))
    start_relay()
    (message,) = bus.receive(alerts, wait_s=20)
    assert json.loads(message["Body"]) == {"alertId": "7", "eventId": event_id}
    names = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert names == {"event": "alert_changed", "action": "genre", "version": "2"}
    wait_until(lambda: requests.query("SELECT * FROM outbox") == [])
    bus.unwatch(alerts)
