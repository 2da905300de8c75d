"""What a worker tells Prometheus."""

from tests.integration.model_runtime.conftest import StartWorker
from tests.integration.model_runtime.requests import QUEUE, Exchange
from tests.parts.bus_probe import Bus
from tests.parts.exposed import exposed
from tests.parts.polling import wait_until

NAMES = {
    "pmesh_worker_requests_total",
    "pmesh_worker_batch_size_bucket",
    "pmesh_worker_stage_seconds_bucket",
    "pmesh_worker_claims_lost_total",
    "pmesh_worker_redelivered_total",
    "pmesh_capacity_used",
    "pmesh_capacity_limit",
    "pmesh_outage",
    "messaging_client_operation_duration_seconds_bucket",
    "messaging_client_sent_messages_total",
    "messaging_client_consumed_messages_total",
    "messaging_process_duration_seconds_bucket",
    "pmesh_event_loop_lag_seconds_bucket",
    "pmesh_spans_exported_total",
    "process_cpu_seconds_total",
}


def test_what_was_done_is_told(start_worker: StartWorker, requests: Exchange) -> None:
    page = exposed()
    start_worker(PMESH_WORKER_METRICS_PORT=str(page.port), PMESH_LEASE_S="2")
    requests.wait_for_answers(requests.send("one", "two", "poison"))
    requests.wait_until_deleted()
    gone = requests.send("a text", version="77")
    requests.wait_for_answers(gone)
    done = {"model": "sentiment", "version": "1"}
    page.wait_for(2, "pmesh_worker_requests_total", **done, outcome="succeeded")
    page.wait_for(1, "pmesh_worker_requests_total", **done, outcome="MODEL_FAILED")
    page.wait_for(
        1,
        "pmesh_worker_requests_total",
        model="sentiment",
        version="",
        outcome="VERSION_NOT_FOUND",
    )
    assert (page.value("pmesh_worker_batch_size_sum", **done) or 0) >= 3
    for stage in ("claim", "infer", "features", "publish"):
        assert page.value("pmesh_worker_stage_seconds_count", model="sentiment", stage=stage)
    assert page.value("pmesh_capacity_limit", resource="batches") == 4
    page.wait_for(0, "pmesh_capacity_used", resource="batches")
    assert page.value("pmesh_capacity_limit", resource="database_connections") == 4
    wait_until(lambda: page.names() >= NAMES)


def test_a_worker_is_known_before_its_first_message(start_worker: StartWorker) -> None:
    page = exposed()
    start_worker(PMESH_WORKER_METRICS_PORT=str(page.port))
    page.wait_for(0, "pmesh_worker_redelivered_total", model="sentiment")
    page.wait_for(0, "pmesh_worker_claims_lost_total", model="sentiment")


def test_messages_that_come_again_are_counted_and_add_no_series(
    start_worker: StartWorker, requests: Exchange, bus: Bus
) -> None:
    page = exposed()
    worker = start_worker(PMESH_WORKER_METRICS_PORT=str(page.port), PMESH_LEASE_S="1")
    requests.wait_for_answers(requests.send("a text"))
    before = set(page.series())
    for n in range(20):
        bus.publish("inference_request", {"predictionId": f"CANARY{n}", "model": f"CANARY{n}"})
    wait_until(lambda: bus.depth(f"{QUEUE}-dead") == 20)
    assert (page.value("pmesh_worker_redelivered_total", model="sentiment") or 0) >= 20
    assert set(page.series()) == before
    assert "CANARY" not in worker.log
