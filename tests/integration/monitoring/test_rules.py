"""The rules of parts, asked of promtool: each alert fires when it should, and not before."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.monitoring.rule_cases import fires, steady
from tests.parts.promtool import promtool
from tests.parts.rules import FILES, alerts

WELL: Mapping[str, str] = {
    "rpc_server_active_calls": "0",
    'up{job="predict-mesh", namespace="predict-mesh", app="gateway", pod="gateway-1"}': "1",
    'up{job="predict-mesh", namespace="predict-mesh", app="relay", pod="relay-1"}': "1",
    'up{job="predict-mesh", namespace="predict-mesh", app="rollout", pod="rollout-1"}': "1",
    'up{job="predict-mesh", namespace="predict-mesh", app="monitoring", pod="monitoring-1"}': "1",
    'pmesh_event_loop_silent_seconds{app="gateway", pod="gateway-1"}': "0.4",
    'pmesh_http_requests_total{code_class="2xx"}': "0+60x300",
    'pmesh_http_requests_total{code_class="5xx"}': "0",
    'pmesh_model_ready{model="genre", version="1", pod="gateway-1"}': "1",
    'pmesh_traffic_share{model="genre", version="1", pod="gateway-1"}': "1",
    "pmesh_store_available": "1",
    'pmesh_outage{dependency="topic"}': "0",
    'pmesh_capacity_used{resource="connections"}': "100",
    'pmesh_capacity_limit{resource="connections"}': "1000",
    'pmesh_capacity_used{resource="spool_bytes"}': "0",
    'pmesh_capacity_limit{resource="spool_bytes"}': "0",
    'pmesh_database_connections{login="gateway", pod="relay-1"}': "20",
    'pmesh_database_connections{login="gateway", pod="relay-2"}': "21",
    'pmesh_database_connections_limit{pod="relay-1"}': "100",
    'pmesh_spans_dropped_total{app="gateway", reason="queue_full"}': "0",
    'pmesh_spans_dropped_total{app="gateway", reason="kept_per_s"}': "0+60x300",
    'pmesh_envoy_span_batches_total{app="gateway", outcome="dropped"}': "0",
    'pmesh_envoy_span_batches_total{app="gateway", outcome="delivered"}': "0+60x300",
    "pmesh_monitoring_last_run_timestamp_seconds": "0+60x300",
    'pmesh_requests_oldest_age_seconds{model="genre"}': "2",
    'pmesh_requests_finished_total{model="genre", state="SUCCEEDED"}': "0+60x300",
    'pmesh_requests_finished_total{model="genre", state="FAILED"}': "0",
    'pmesh_requests_finished_total{model="genre", state="EXPIRED"}': "0",
    'pmesh_requests_unfinished{model="genre", state="ACCEPTED"}': "3",
    'pmesh_worker_redelivered_total{model="genre", pod="worker-1"}': "0",
    'pmesh_outbox_oldest_age_seconds{event="request"}': "1",
    'pmesh_outbox_rejected_total{event="request"}': "0",
    'pmesh_dead_letters{queue="predict-genre"}': "0",
}
"""What is told while nothing is wrong, minute by minute."""

OLDEST = 'pmesh_requests_oldest_age_seconds{model="genre"}'
FINISHED = 'pmesh_requests_finished_total{model="genre", state="SUCCEEDED"}'
FAILED = 'pmesh_requests_finished_total{model="genre", state="FAILED"}'
UP = 'up{job="predict-mesh", namespace="predict-mesh", app="gateway", pod="gateway-1"}'
RELAY, ROLLOUT, MONITORING = (
    f'up{{job="predict-mesh", namespace="predict-mesh", app="{app}", pod="{app}-1"}}'
    for app in ("relay", "rollout", "monitoring")
)
SILENT = 'pmesh_event_loop_silent_seconds{app="gateway", pod="gateway-1"}'
ERRORS = 'pmesh_http_requests_total{code_class="5xx"}'
OTHERS = 'pmesh_http_requests_total{code_class="2xx"}'
EXPIRED = 'pmesh_requests_finished_total{model="genre", state="EXPIRED"}'
ACCEPTED = 'pmesh_requests_unfinished{model="genre", state="ACCEPTED"}'
WORKER = 'pmesh_worker_redelivered_total{model="genre", pod="worker-1"}'
OTHER = UP.replace("gateway-1", "gateway-2")
READY = 'pmesh_model_ready{model="genre", version="1", pod="gateway-1"}'
SHARE = 'pmesh_traffic_share{model="genre", version="1", pod="gateway-1"}'
OTHER_READY = READY.replace("gateway-1", "gateway-2")
DROPPED = 'pmesh_spans_dropped_total{app="gateway", reason="queue_full"}'
ENVOYS = 'pmesh_envoy_span_batches_total{app="gateway", outcome="dropped"}'
USED = 'pmesh_capacity_used{resource="connections"}'
LOGIN = 'pmesh_database_connections{login="gateway", pod="relay-1"}'
LAST_RUN = "pmesh_monitoring_last_run_timestamp_seconds"
OUTBOX = 'pmesh_outbox_oldest_age_seconds{event="request"}'
REJECTED = 'pmesh_outbox_rejected_total{event="request"}'
DEAD = 'pmesh_dead_letters{queue="predict-genre"}'

LOCALLY = {
    "rpc_server_active_calls": "0",
    LAST_RUN: "0+60x300",
    **{
        f'up{{job="predict-mesh", part="{part}"}}': "1"
        for part in ("gateway-1", "relay-2", "rollout", "monitoring")
    },
}
"""On one machine, where programs have the label part in the place of namespace, app and pod."""

FIRING: list[tuple[dict[str, str], set[str]]] = [
    ({"rpc_server_active_calls": ""}, {"GatewayGone page"}),
    ({UP: "0"}, {"ProgramGone page", "PodGone ticket"}),
    ({UP: "0", OTHER: "1"}, {"PodGone ticket"}),
    ({RELAY: ""}, {"ProgramGone page"}),
    ({ROLLOUT: ""}, {"ProgramGone page"}),
    ({MONITORING: "1x200"}, {"ProgramGone page"}),
    ({SILENT: "0.4x235 15 75 135 195 255"}, {"EventLoopHangs page"}),
    ({ERRORS: "0+4x300"}, {"HttpErrors page"}),
    ({ERRORS: "0+60x300", OTHERS: "7"}, {"HttpErrors page"}),
    ({READY: "0"}, {"ModelAway page"}),
    ({"pmesh_store_available": "0"}, {"StoreUnavailable page"}),
    ({'pmesh_outage{dependency="topic"}': "1"}, {"DependencyAway ticket"}),
    ({USED: "801"}, {"Saturated ticket"}),
    ({LOGIN: "81"}, {"DatabaseConnectionsNearLimit ticket"}),
    ({DROPPED: "0+1x300"}, {"SpansDropped ticket"}),
    ({ENVOYS: "0+1x300"}, {"SpansDropped ticket"}),
    ({LAST_RUN: "0"}, {"MonitoringStale ticket"}),
    ({LAST_RUN: ""}, {"MonitoringNeverRan ticket"}),
    ({WORKER: ""}, {"WorkerGone page"}),
    ({WORKER.replace("genre", "sentiment"): "0", WORKER: ""}, {"WorkerGone page"}),
    ({OLDEST: "301"}, {"RequestsWait ticket"}),
    ({OLDEST: "301", FINISHED: "7"}, {"RequestsWait ticket", "RequestsStand page"}),
    ({OLDEST: "301", FINISHED: "", FAILED: ""}, {"RequestsWait ticket", "RequestsStand page"}),
    ({FAILED: "0+1x300"}, {"RequestsFail ticket"}),
    ({EXPIRED: "0+1x300"}, {"RequestsFail ticket"}),
    ({FAILED: "", EXPIRED: "0+60x300", FINISHED: "7"}, {"RequestsFail ticket"}),
    ({OUTBOX: "121"}, {"OutboxLags ticket"}),
    ({REJECTED: "0+1x300"}, {"EventsRejected ticket"}),
    ({DEAD: "1"}, {"DeadLetters ticket"}),
]
QUIET: list[dict[str, str]] = [
    {},
    {READY: "0", OTHER_READY: "1"},  # one gateway of two
    {READY: "0", SHARE: "0"},  # nothing is sent to it
    {USED: "800"},
    {LOGIN: "80"},  # of which the other relay tells as well
    {DROPPED: "0x100 5x199"},  # some, an hour and more ago
    {OLDEST: "299"},
    {FINISHED: "0", FAILED: "0"},  # nobody asks
    {FAILED: "0+0.5x300"},
    {OUTBOX: "119"},
    {REJECTED: "5"},
    {DEAD: "0x190 1x10 0x98"},  # which the relay has cleared away
    {UP: "1x195 0 1x104"},
    {RELAY: "1x236 _x2 1x60"},  # its pod moves to another node
    {WORKER: "", ACCEPTED: "0"},  # KEDA has left none
    {WORKER: "_x238 0x60", ACCEPTED: "0x236 5x60"},  # and starts one
    {SILENT: "0.4x237 15 0.4x60"},
    {ERRORS: "0+3x300"},
    {ERRORS: "0x235 50x60"},  # a burst
    {ERRORS: "7", OTHERS: "7"},  # nobody asks
    {LAST_RUN: "_x150 9000+60x150"},  # it was just installed
    {LAST_RUN: "0+60x200 _x10 12600+60x90"},  # it was started again
    {**dict.fromkeys(WELL, ""), **LOCALLY},
]
AT = 240
"""Minutes; all series are told for an hour longer."""


def test_promtool_takes_them() -> None:
    checked = promtool("check", "rules", *FILES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_is_tried() -> None:
    tried = {name.split()[0] for _, firing in FIRING for name in firing}
    assert tried | {"ErrorBudgetBurns"} == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize(("said", "firing"), FIRING, ids=lambda value: " ".join(value)[:60])
def test_what_is_broken_fires(said: dict[str, str], firing: set[str], tmp_path: Path) -> None:
    fires("parts.yaml", steady({**WELL, **said}), AT, firing, tmp_path)


@pytest.mark.parametrize("said", QUIET, ids=lambda value: " ".join(value)[:60])
def test_what_is_well_does_not(said: dict[str, str], tmp_path: Path) -> None:
    fires("parts.yaml", steady({**WELL, **said}), AT, set(), tmp_path)
