"""Panels and rules, asked of the real Prometheus that reads what the running stack tells."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from predict.v1.feedback_service_pb2 import AttachLabelRequest
from predict.v1.prediction_service_pb2 import (
    BatchPredictRequest,
    CreatePredictionRequest,
    PredictRequest,
)

from pmesh.stack.postgres import DATABASE, OWNER
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.e2e.mesh import MODELS, Mesh
from tests.e2e.shelf import NAME, Shelf
from tests.e2e.texts import new_text, new_texts
from tests.e2e.workload import asks, insist_on
from tests.parts.documented_metrics import documented_metrics, family
from tests.parts.observed import Observed, observe
from tests.parts.panels import queries
from tests.parts.polling import PATIENCE_S, wait_until
from tests.parts.prometheus import Prometheus, prometheus, series_named
from tests.parts.rules import FILES, rules

ROOT = Path(__file__).parents[2]
NOT_HERE = {
    # The program annotation runs where Label Studio does: tests/annotation.
    "pmesh_annotation_tasks": "annotation",
    "pmesh_annotation_labels_total": "annotation",
    "pmesh_annotation_webhooks_total": "annotation",
    "pmesh_annotation_last_look_timestamp_seconds": "annotation",
    # The database's owner may not see what others do; in production he may.
    "pmesh_database_oldest_transaction_seconds": "relay",
}
"""Series that this stack does not tell, each with the folder of the program that would."""
TAGS = {"of_dashboards": "yes"}
RANGE = "1h"
"""In the place of Grafana's $__rate_interval: all that was ever asked here."""


@pytest.fixture(scope="module")
def server(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has seen everything that the stack can do."""
    targets = f"http://127.0.0.1:{mesh.ports['metrics']}/targets"
    shelf = Shelf(mesh)
    with prometheus(tmp_path_factory.mktemp("prometheus"), targets, FILES) as server:
        wait_until(lambda: bool(server.ask("rpc_server_active_calls")))
        predict(mesh)
        fail(mesh)
        label(mesh)
        shelf.pmesh("release", f"{NAME}@{shelf.register_copy('1')}")
        shelf.pmesh("monitor", "run")
        mesh.restart("monitoring", {})
        predict(mesh)
        try:
            yield server
        finally:
            shelf.pmesh("release", f"{NAME}@1")
            mesh.query(
                "UPDATE versions SET state = 'DRAINING' WHERE model = 'genre' AND version <> '1'"
                " AND state = 'SERVING' RETURNING 1"
            )
            shelf.close()


def predict(mesh: Mesh) -> None:
    """By each protocol, now and later, and some of it recorded."""
    for model in MODELS:
        for door in (mesh.grpc, mesh.rest):
            door.call("Predict", PredictRequest(model=model, text=new_text(), tags=TAGS))
            entries = [{"text": text} for text in new_texts(20)]
            door.call("BatchPredict", BatchPredictRequest(model=model, entries=entries))
        by_grpc_web(mesh, PredictRequest(model=model, text=new_text()))
    for rpc, request in (
        (mesh.predictions.Predict, PredictRequest(model=NAME, text=new_text())),
        (mesh.predictions.CreatePrediction, CreatePredictionRequest(model=NAME, text=new_text())),
    ):
        trace = TraceContext(new_trace_id(), new_span_id(), True)
        rpc(request, metadata=[("traceparent", trace.traceparent)], timeout=30)
    later = asks(20, now=False)
    insist_on(mesh, later)
    ids = [ask.prediction_id for ask in later]
    finished = "SELECT count(*) FROM requests WHERE id = ANY (%s::uuid[]) AND state = 'SUCCEEDED'"
    wait_until(lambda: mesh.query(finished, (ids,)) == [(len(ids),)])


def by_grpc_web(mesh: Mesh, request: PredictRequest) -> None:
    """Its frame is gRPC's."""
    message = request.SerializeToString()
    answer = httpx.post(
        f"{mesh.url}/predict.v1.PredictionService/Predict",
        content=b"\0" + len(message).to_bytes(4, "big") + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        trust_env=False,
    )
    assert answer.status_code == 200
    assert b"grpc-status:0" in answer.content.replace(b" ", b"")


def fail(mesh: Mesh) -> None:
    """By the client's fault, and by ours."""
    for request in (
        PredictRequest(model=NAME, text=""),
        PredictRequest(model="nosuch", text=new_text()),
        PredictRequest(model=NAME, text=new_text(), version="999"),
        CreatePredictionRequest(model=NAME, text="x" * 70_000),
    ):
        rpc = "Predict" if isinstance(request, PredictRequest) else "CreatePrediction"
        for door in (mesh.grpc, mesh.rest):
            assert door.call(rpc, request).status.code
    with mesh.stopped("triton"):
        request = PredictRequest(model=NAME, text=new_text())
        assert mesh.grpc.call("Predict", request, timeout_s=0.5).status.code


def label(mesh: Mesh) -> None:
    """What is asked now, and what was an hour ago: of that figures are told."""
    made = mesh.grpc.call("Predict", PredictRequest(model=NAME, text=new_text())).message
    attach = AttachLabelRequest(
        prediction_id=made.prediction.id, label=made.prediction.output.label
    )
    mesh.rest.call("AttachLabel", attach)
    earlier = datetime.now(UTC) - timedelta(hours=1)
    labels = ("news", "fiction")
    rows = [
        Observed(
            time=earlier,
            model=NAME,
            text=new_text(),
            label=labels[n % 2],
            scores={labels[n % 2]: 0.9, labels[1 - n % 2]: 0.1},
            confidence=0.9,
            truth=labels[n % 3 == 0],
            tags=TAGS,
        )
        for n in range(200)
    ]
    with psycopg.connect(
        host="127.0.0.1",
        port=mesh.ports["postgres"],
        dbname=DATABASE,
        user=OWNER,
        password=mesh.stack.home.secret(f"postgres-{OWNER}"),
        autocommit=True,
    ) as connection:
        observe(connection, rows, seed="of_dashboards")


def settle(missing: Callable[[], list[str]]) -> None:
    """Wait until nothing is missing; fail with what is."""
    until = time.monotonic() + PATIENCE_S
    while (found := missing()) and time.monotonic() < until:
        time.sleep(1)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.timeout(900)
def test_panels_and_rules_name_series_that_the_stack_tells(server: Prometheus) -> None:
    named = {(asked.panel, name) for asked in queries() for name in series_named(asked.expression)}
    named |= {
        (rule.get("alert", rule.get("record")), name)
        for rule in rules()
        for name in series_named(rule["expr"])
    }

    def missing() -> list[str]:
        told = server.names() | NOT_HERE.keys()
        return sorted(f"{name}: {place}" for place, name in named if name not in told)

    settle(missing)
    assert not server.names() & NOT_HERE.keys()


@pytest.mark.timeout(900)
def test_the_table_of_metrics_has_what_the_stack_tells(server: Prometheus) -> None:
    ours = ("pmesh_", "predict_", "rpc_", "messaging_")

    def difference() -> list[str]:
        told = {family(name) for name in server.names() if name.startswith(ours)}
        return sorted((told | NOT_HERE.keys()) ^ documented_metrics())

    settle(difference)


@pytest.mark.timeout(900)
def test_each_query_of_each_panel_answers(server: Prometheus) -> None:
    asked = [one for one in queries() if not series_named(one.expression) & NOT_HERE.keys()]

    def silent() -> list[str]:
        return [
            f"{one.panel}: {expression}"
            for one in asked
            if not answers(server, expression := grounded(one.expression), one.legend)
        ]

    settle(silent)


@pytest.mark.timeout(900)
def test_each_graph_that_leads_to_traces_has_some(server: Prometheus) -> None:
    def without() -> list[str]:
        return [
            f"{one.panel}: {one.expression}"
            for one in queries()
            if one.exemplars and not server.exemplars(grounded(one.expression))
        ]

    settle(without)


def answers(server: Prometheus, expression: str, legend: str) -> bool:
    """Whether there are series, which have what they are called by."""
    found = server.ask(expression)
    labels = re.findall(r"{{(\w+)}}", legend)
    if labels == ["app", "part"]:  # of production, and of one machine
        labels = ["part"]
    return bool(found) and all(
        any(series["metric"].get(label) for series in found) for label in labels
    )


def grounded(expression: str) -> str:
    """As Grafana asks it, of one model."""
    return expression.replace("$__rate_interval", RANGE).replace("$model", NAME)


@pytest.mark.timeout(900)
def test_each_rule_is_evaluated(server: Prometheus) -> None:
    levels = {"availability", "latency", "freshness"}
    windows = [rule["record"] for rule in rules() if rule.get("record", "").startswith("slo:burn")]

    def without() -> list[str]:
        return [
            f"{window}: {sorted(found)}"
            for window in windows
            if (found := {series["metric"]["slo"] for series in server.ask(window)}) != levels
        ]

    settle(without)
    assert {(rule["name"], rule["health"], rule.get("lastError")) for rule in server.rules()} == {
        (rule.get("alert", rule.get("record")), "ok", None) for rule in rules()
    }


def test_what_is_not_told_here_is_told_by_its_program() -> None:
    for name, folder in NOT_HERE.items():
        sources = (path.read_text() for path in sorted((ROOT / folder).rglob("*.py")))
        assert f'"{name.removesuffix("_total")}"' in "".join(sources), name
