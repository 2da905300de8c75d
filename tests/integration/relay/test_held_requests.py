"""A worker that does not end its transaction holds up its own requests and no others."""

from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.working import work_off
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer
from tests.parts.polling import wait_until
from tests.parts.requests import Requests

SOON = {
    "sweep_s": 0.1,
    "dead_letters_s": 0.1,
    "rearm_after_s": 0.5,
    "poll_s": 0.1,
    "receive_wait_s": 1,
}


def told(bus: Bus, queue: str) -> list[str]:
    """The predictions that completions in a queue name."""
    return [p["predictionId"] for event in bus.drain(queue) for p in event["predictions"]]


def test_other_models_are_published_and_answered_meanwhile(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    running, waiting = requests.claim(requests.accept(5)), requests.accept(5)
    with requests.hold([*running, *waiting]):
        bus.answer(*map(answer, running.values()))
        start_relay(**SOON)
        first = requests.accept(20, model="genre")
        work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 20, model="genre")
        second = requests.accept(20, model="genre")
        work_off(bus, requests, lambda: requests.states()["SUCCEEDED"] == 40, model="genre")
        events = "SELECT FROM outbox WHERE event = 'inference_request'"
        wait_until(lambda: requests.query(events) == [])
        assert bus.depth("predict-sentiment") == 10  # these are published like any
    assert {*first, *second}.isdisjoint({*running, *waiting})
    wait_until(lambda: requests.states() == {"SUCCEEDED": 45, "RUNNING": 5})


def test_what_is_held_while_it_is_published_still_counts_as_published(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    ids = requests.accept(3)
    with requests.hold(ids):
        start_relay(**SOON, max_in_flight=3)
        wait_until(lambda: requests.query("SELECT FROM outbox") == [])
    assert all(requests.get(id)["publish_time"] for id in ids)
    requests.accept(2)
    requests.accept(1, model="genre")
    assert bus.receive("predict-genre", wait_s=20)  # by a relay that had the two before it
    assert bus.depth("predict-sentiment") == 3
    requests.execute("UPDATE requests SET lease_until = now() WHERE lease_until IS NOT NULL")
    list(bus.drain("predict-sentiment"))
    wait_until(lambda: bus.depth("predict-sentiment") >= 3)  # its worker is gone: once more


def test_a_held_answer_is_applied_once_when_the_transaction_ends(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    completed = bus.watch("job_completed")
    claims = requests.claim(requests.accept(12))
    relay = start_relay(**SOON)
    with requests.hold(claims):
        bus.answer(*map(answer, claims.values()))
        wait_until(lambda: "are held" in relay.log)
        (other,) = requests.accept(model="genre")
        genre = requests.claim([other], model="genre")[other]
        bus.answer(answer(genre, model="genre"))
        wait_until(lambda: requests.get(other)["state"] == "SUCCEEDED")
        assert bus.depth("predict-gateway") == len(claims)
        assert requests.states() == {"RUNNING": 12, "SUCCEEDED": 1}
    wait_until(lambda: requests.states() == {"SUCCEEDED": 13})
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    wait_until(lambda: requests.query("SELECT FROM outbox") == [])
    assert sorted(told(bus, completed)) == sorted([*claims, other])
    assert len(requests.query("SELECT FROM predictions")) == 13
    assert "dropped" not in relay.log
    assert bus.depth("predict-gateway-dead") == 0


def test_a_forged_answer_for_a_held_request_is_dropped_at_once(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    (claim,) = requests.claim(requests.accept(1)).values()
    (foreign,) = requests.claim(requests.accept(1)).values()
    with requests.hold([claim.prediction_id]):
        relay = start_relay(**SOON)
        bus.answer(answer(claim._replace(token=foreign.token)))
        wait_until(lambda: "dropped late" in relay.log)
        wait_until(lambda: bus.depth("predict-gateway") == 0)
    assert requests.states() == {"RUNNING": 2}


def test_a_held_answer_among_the_dead_letters_stays_until_it_can_be_applied(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    claims = requests.claim(requests.accept(3))
    bus.answer(*map(answer, claims.values()))
    bus.let_die("predict-gateway")
    bus.set_visibility_timeout("predict-gateway-dead", 1)
    with requests.hold(claims):
        relay = start_relay(**SOON)
        wait_until(lambda: relay.log.count("are held") > 1)
        assert bus.depth("predict-gateway-dead") == 3
        requests.accept(1, model="genre")
        assert bus.receive("predict-genre", wait_s=20)
    wait_until(lambda: requests.states()["SUCCEEDED"] == 3)
    wait_until(lambda: bus.depth("predict-gateway-dead") == 0)


def test_a_held_request_that_the_bus_does_not_take_holds_up_no_other(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    (poison,) = requests.accept()
    requests.execute(
        "UPDATE outbox SET payload = payload || jsonb_build_object('pad', repeat('x', 300000))"
    )
    with requests.hold([poison]):
        relay = start_relay(poll_s=0.05)
        wait_until(lambda: "set event" in relay.log)
        requests.accept(1, model="genre")
        assert bus.receive("predict-genre", wait_s=20)
