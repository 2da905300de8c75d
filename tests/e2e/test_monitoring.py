"""From a prediction to its figures: on the running stack, the same wherever they are read."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import psycopg
from google.protobuf import json_format
from predict.v1.feedback_service_pb2 import AttachLabelRequest
from predict.v1.monitoring_service_pb2 import ListQualityMetricsRequest
from predict.v1.prediction_service_pb2 import PredictRequest
from predict.v1.quality_metric_pb2 import QualityMetric

from pmesh.stack.postgres import DATABASE, OWNER
from tests.e2e.mesh import Mesh
from tests.e2e.texts import new_text
from tests.parts.doors import Door
from tests.parts.observed import Observed, observe
from tests.parts.polling import wait_until

SLICE = "tag:of_monitoring=yes"
TAGS = {"of_monitoring": "yes"}
SHORT = "length:0-49"
"""Prometheus is told of no slice by a tag that no rule watches."""
SERIES = re.compile(
    r'pmesh_quality(|_low|_high|_rows)\{metric="([^"]+)",model="genre",'
    rf'slice="{SHORT}",version="(\d+)"\}} (.+)'
)
HOUR = re.compile(r'pmesh_quality_hour_timestamp_seconds\{model="genre"\} (.+)')


def pmesh(mesh: Mesh, *arguments: str) -> str:
    command = (sys.executable, "-m", "pmesh.cli", *arguments, "--home", str(mesh.stack.home.path))
    environment = {**os.environ, "COLUMNS": "240"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(door: Door, model: str = "genre", **fields: Any) -> list[QualityMetric]:
    """All, the newest hour first."""
    request = ListQualityMetricsRequest(model=model, page_size=1000, **fields)
    message = door.call("ListQualityMetrics", request).message
    assert not message.next_page_token
    return list(message.quality_metrics)


def told(mesh: Mesh) -> str:
    """What Prometheus reads."""
    url = f"http://127.0.0.1:{mesh.ports['monitoring-metrics']}/metrics"
    with urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def observe_an_hour_ago(mesh: Mesh) -> None:
    """Of an hour that is over, as Prometheus is told of no other."""
    earlier = datetime.now(UTC) - timedelta(hours=1)
    with psycopg.connect(
        host="127.0.0.1",
        port=mesh.ports["postgres"],
        dbname=DATABASE,
        user=OWNER,
        password=mesh.stack.home.secret(f"postgres-{OWNER}"),
        autocommit=True,
    ) as connection:
        rows = [
            Observed(
                time=earlier,
                model="genre",
                label="news",
                confidence=n / 7,
                truth="news" if n else "fiction",
                tags=TAGS,
            )
            for n in range(7)
        ]
        observe(connection, rows)


def test_what_is_asked_and_labelled_is_the_same_figure_everywhere(mesh: Mesh) -> None:
    """By gRPC, REST, SQL and Prometheus: to the last digit."""
    observe_an_hour_ago(mesh)
    right = []
    for n in range(6):
        request = PredictRequest(model="genre", text=new_text(), tags=TAGS)
        made = mesh.grpc.call("Predict", request).message.prediction
        answer, *others = sorted(made.output.scores, key=lambda name: name != made.output.label)
        said = answer if n else others[0]
        attach = AttachLabelRequest(prediction_id=made.id, label=said)
        assert mesh.rest.call("AttachLabel", attach).message.label.label == said
        right.append(said == answer)
    assert "genre@" in pmesh(mesh, "monitor", "run")

    by_grpc, by_rest = (figures(door, slice=SLICE) for door in (mesh.grpc, mesh.rest))
    assert list(map(json_format.MessageToDict, by_rest)) == list(
        map(json_format.MessageToDict, by_grpc)
    )
    stored = mesh.query(
        "SELECT version, hour, metric, value, low, high, rows FROM quality_metrics"
        " WHERE model = 'genre' AND slice = %s ORDER BY hour DESC, version, metric",
        (SLICE,),
    )
    assert stored == [
        (
            *(metric.version, metric.hour.ToDatetime(UTC), metric.metric, metric.value),
            metric.low if metric.HasField("low") else None,
            metric.high if metric.HasField("high") else None,
            metric.rows,
        )
        for metric in by_grpc
    ]
    labelled = [metric for metric in by_grpc if metric.metric == "accuracy"]
    assert sum(metric.rows for metric in labelled) == 13
    assert sum(metric.value * metric.rows for metric in labelled) == sum(right) + 6

    mesh.restart("monitoring", {})  # which looks at what is due when it starts
    wait_until(lambda: SERIES.search(told(mesh)))
    lines = told(mesh)
    found = HOUR.search(lines)
    assert found is not None
    hour = datetime.fromtimestamp(float(found[1]), UTC)
    expected = {
        (suffix, metric.metric, metric.version): value
        for metric in figures(mesh.grpc, slice=SHORT)
        if metric.hour.ToDatetime(UTC) == hour and ":" not in metric.metric
        for suffix, value in (
            ("", metric.value),
            ("_rows", metric.rows),
            *((("_low", metric.low), ("_high", metric.high)) if metric.HasField("low") else ()),
        )
    }
    series = {(s, metric, v): float(value) for s, metric, v, value in SERIES.findall(lines)}
    assert series == expected
    assert "accuracy" in {metric for _, metric, _ in series}
    assert "tag:" not in lines


def test_the_features_of_answers_are_read(mesh: Mesh) -> None:
    for _ in range(5):
        mesh.grpc.call("Predict", PredictRequest(model="sentiment", text=new_text()))

    def is_read() -> bool:
        """They are shipped within seconds."""
        pmesh(mesh, "monitor", "run")
        found = figures(mesh.grpc, "sentiment", metric_prefix="features_missing_share")
        return any(metric.value < 1 for metric in found)

    wait_until(is_read)


def test_status_shows_monitoring_and_where_it_tells(mesh: Mesh) -> None:
    shown = pmesh(mesh, "status")
    (part,) = (line.split() for line in shown.splitlines() if line.startswith("monitoring "))
    assert part[1] == "ready"
    base = f"http://127.0.0.1:{mesh.ports['monitoring-metrics']}"
    lines = [line.split() for line in shown.splitlines()]
    assert ["metrics", f"http://127.0.0.1:{mesh.ports['metrics']}/metrics"] in lines
    assert ["reports", f"{base}/reports/"] in lines
    with urlopen(f"{base}/reports/", timeout=30) as answer:  # noqa: S310
        assert answer.status == 200
