"""What the relay tells Prometheus."""

import json
from collections.abc import Callable

from tests.integration.relay.conftest import StartRelay
from tests.integration.relay.patches import FAIL_ONCE_BEFORE_COMMITTING
from tests.parts.aws_front import AwsFront, Call, Reply, refused_by_sqs
from tests.parts.bus_probe import Bus
from tests.parts.claims import answer, invented_claim, to_body
from tests.parts.exposed import exposed
from tests.parts.polling import wait_until
from tests.parts.postgres import Database, Postgres
from tests.parts.requests import Requests

PUBLISHED = "pmesh_outbox_published_total"
PATCH = "from relay import figures\nfigures.PAUSE_S = 0.1\n"
"""Looks at what waits without much of a pause."""
NAMES = {
    "pmesh_outbox_events",
    "pmesh_outbox_oldest_age_seconds",
    "pmesh_outbox_published_total",
    "pmesh_queue_messages",
    "pmesh_dead_letters",
    "pmesh_requests_unfinished",
    "pmesh_requests_oldest_age_seconds",
    "pmesh_requests_finished_total",
    "pmesh_request_seconds_bucket",
    "pmesh_request_attempts_bucket",
    "pmesh_requests_rearmed_total",
    "pmesh_erasures_waiting",
    "pmesh_database_connections",
    "pmesh_database_connections_limit",
    "pmesh_database_size_bytes",
    "pmesh_database_transactions_total",
    "pmesh_database_deadlocks_total",
    "pmesh_database_blocks_total",
    "pmesh_database_oldest_transaction_seconds",
    "messaging_client_operation_duration_seconds_bucket",
    "messaging_client_sent_messages_total",
    "messaging_client_consumed_messages_total",
    "messaging_process_duration_seconds_bucket",
    "pmesh_outage",
    "pmesh_capacity_used",
    "pmesh_capacity_limit",
    "pmesh_event_loop_lag_seconds_bucket",
    "pmesh_spans_dropped_total",
    "process_cpu_seconds_total",
}


def finish(bus: Bus, requests: Requests, count: int = 1) -> None:
    """Have requests accepted, worked on and answered."""
    ids = requests.accept(count)
    received = 0
    while received < count:
        received += len(bus.receive("predict-sentiment", wait_s=20))
    bus.answer(*(answer(claim) for claim in requests.claim(ids).values()))
    wait_until(lambda: all(requests.get(id)["state"] == "SUCCEEDED" for id in ids))


def test_what_was_done_and_what_waits_is_told(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    page = exposed()
    start_relay(
        patch=PATCH, metrics_port=page.port, rearm_after_s=0.5, sweep_s=0.1, dead_letters_s=3600
    )
    finish(bus, requests, 3)
    page.wait_for(3, "pmesh_requests_finished_total", model="sentiment", state="SUCCEEDED")
    assert page.value("pmesh_request_seconds_count", model="sentiment") == 3
    assert page.value("pmesh_request_attempts_bucket", model="sentiment", le="0.0") == 0
    assert page.value("pmesh_request_attempts_bucket", model="sentiment", le="1.0") == 3
    (left,) = requests.accept(model="genre")
    page.wait_for(1, "pmesh_requests_unfinished", model="genre", state="ACCEPTED")
    page.wait_for(1, "pmesh_queue_messages", queue="predict-genre", state="visible")
    assert (page.value("pmesh_requests_oldest_age_seconds", model="genre") or 0) > 0
    assert page.value("pmesh_requests_oldest_age_seconds", model="sentiment") == 0
    bus.receive("predict-genre", delete=False)
    page.wait_for(1, "pmesh_queue_messages", queue="predict-genre", state="in_flight")
    # What was received stays hidden; what dies is what is published again.
    wait_until(lambda: (page.value("pmesh_requests_rearmed_total", model="genre") or 0) > 0)
    page.wait_for(1, "pmesh_queue_messages", queue="predict-genre", state="visible")
    bus.let_die("predict-genre")
    wait_until(lambda: (page.value("pmesh_dead_letters", queue="predict-genre") or 0) > 0)
    requests.execute("UPDATE requests SET expire_time = now() WHERE id = %s", (left,))
    page.wait_for(1, "pmesh_requests_finished_total", model="genre", state="EXPIRED")
    assert page.names() >= NAMES
    assert page.value("pmesh_capacity_limit", resource="database_connections") == 6


def test_what_is_rolled_back_is_not_counted_and_is_told_of_once(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    (running,) = requests.accept()
    requests.execute("DELETE FROM outbox")
    bus.answer(answer(requests.claim_one(running)))
    bus.forge({"predictionId": "no id"})
    requests.accept()
    page = exposed()
    relay = start_relay(patch=FAIL_ONCE_BEFORE_COMMITTING, metrics_port=page.port)
    wait_until(lambda: requests.get(running)["state"] == "SUCCEEDED")
    wait_until(lambda: bus.depth("predict-gateway") == 0)
    page.wait_for(1, "pmesh_requests_finished_total", model="sentiment", state="SUCCEEDED")
    page.wait_for(1, PUBLISHED, event="inference_request")
    page.wait_for(2, "messaging_process_duration_seconds_count", **of("predict-gateway"))
    assert bus.depth("predict-sentiment") == 2  # both tries
    assert relay.log.count("dropped message") == 1


def test_a_dead_letter_whose_answer_cannot_be_committed_has_an_end(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    (running,) = requests.accept()
    requests.execute("DELETE FROM outbox")
    bus.answer(answer(requests.claim_one(running)))
    bus.let_die("predict-gateway")
    bus.set_visibility_timeout("predict-gateway-dead", 1)
    page = exposed()
    start_relay(patch=FAIL_ONCE_BEFORE_COMMITTING, metrics_port=page.port, dead_letters_s=0.1)
    wait_until(lambda: requests.get(running)["state"] == "SUCCEEDED")
    page.wait_for(2, "messaging_process_duration_seconds_count", **of("predict-gateway-dead"))


def of(queue: str) -> dict[str, str]:
    return {"messaging_destination_name": queue}


def test_an_event_that_the_bus_never_takes_is_counted(
    start_relay: StartRelay, requests: Requests
) -> None:
    requests.accept()
    requests.execute(
        "UPDATE outbox SET payload = payload || jsonb_build_object('pad', repeat('x', 300000))"
    )
    page = exposed()
    start_relay(metrics_port=page.port, poll_s=0.05)
    page.wait_for(1, "pmesh_outbox_rejected_total", event="inference_request")
    page.wait_for(1, "pmesh_requests_finished_total", model="sentiment", state="FAILED")


def test_no_message_adds_a_series(start_relay: StartRelay, requests: Requests, bus: Bus) -> None:
    page = exposed()
    start_relay(patch=PATCH, metrics_port=page.port)
    finish(bus, requests)
    bus.forge({"predictionId": "CANARY"})

    def settled() -> set[object]:
        finish(bus, requests)
        wait_until(lambda: bus.depth("predict-gateway") == 0)
        wait_until(lambda: page.value(PUBLISHED, event="job_completed") is not None)
        ours = {series for series in page.series() if not series[0].startswith("process_")}
        return {series for series in ours if series[0] != "pmesh_database_connections"}

    before = settled()
    for n in range(50):
        foreign = answer(invented_claim())
        bus.forge(to_body(foreign, model=f"CANARY{n}", version=f"CANARY{n}"))
        bus.publish(f"CANARY{n}", "{}", model=f"CANARY{n}")
    assert settled() == before
    assert "CANARY" not in json.dumps([str(series) for series in before])


def test_while_the_database_is_away_nothing_old_is_told_of_it(
    start_relay: StartRelay, requests: Requests, bus: Bus, postgres: Postgres
) -> None:
    page = exposed()
    start_relay(patch=PATCH, metrics_port=page.port)
    finish(bus, requests)
    page.wait_for(0, "pmesh_outage", dependency="PostgreSQL")
    page.wait_for(0, "pmesh_outbox_events", event="inference_request")
    postgres.stop_immediately()
    try:
        page.wait_for(1, "pmesh_outage", dependency="PostgreSQL")
        wait_until(lambda: "pmesh_outbox_events" not in page.names())
        assert page.value("pmesh_requests_finished_total", model="sentiment", state="SUCCEEDED")
    finally:
        postgres.start()
    page.wait_for(0, "pmesh_outage", dependency="PostgreSQL")
    wait_until(lambda: "pmesh_outbox_events" in page.names())


def test_figures_that_take_too_long_are_left_out_and_are_no_outage(
    start_relay: StartRelay, requests: Requests, database: Database
) -> None:
    page = exposed()
    relay = start_relay(patch=f"{PATCH}figures.REST_S = 0.1\n", metrics_port=page.port)
    wait_until(lambda: page.names() >= {"pmesh_database_size_bytes", "pmesh_outbox_events"})
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE erasures IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: "database_figures takes too long" in relay.log)
        wait_until(lambda: "pmesh_database_size_bytes" not in page.names())
        requests.accept()
        page.wait_for(1, "pmesh_requests_unfinished", model="sentiment", state="ACCEPTED")
        page.wait_for(1, "pmesh_queue_messages", queue="predict-sentiment", state="visible")
        assert page.value("pmesh_outage", dependency="PostgreSQL") == 0
    wait_until(lambda: "pmesh_database_size_bytes" in page.names())
    assert relay.log.count("takes too long") == 1
    assert "figures: waiting" not in relay.log


def test_a_queue_that_may_not_be_read_hides_no_other(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    page = exposed()
    with AwsFront(bus) as front:
        front.rule = _refuse_the_dead_of("gateway")
        relay = start_relay(patch=PATCH, aws=front.environment, metrics_port=page.port)
        wait_until(lambda: front.refused["GetQueueAttributes"] > 1)
        page.wait_for(0, "pmesh_queue_messages", queue="predict-gateway", state="visible")
        page.wait_for(0, "pmesh_queue_messages", queue="predict-sentiment", state="visible")
        assert page.value("pmesh_dead_letters", queue="predict-gateway") is None
        assert relay.log.count("predict-gateway-dead cannot be read: AccessDenied") == 1
        front.rule = lambda _: None
        page.wait_for(0, "pmesh_dead_letters", queue="predict-gateway")


def _refuse_the_dead_of(queue: str) -> Callable[[Call], Reply | None]:
    def rule(call: Call) -> Reply | None:
        is_dead = call.fields.get("QueueUrl", "").endswith(f"{queue}-dead")
        is_read = call.action == "GetQueueAttributes"
        return refused_by_sqs("AccessDeniedException") if is_dead and is_read else None

    return rule


def test_without_a_port_nothing_listens(
    start_relay: StartRelay, requests: Requests, bus: Bus
) -> None:
    relay = start_relay(metrics_port=0)
    finish(bus, requests)
    assert relay.stop() == 0
