"""The program as it is started: its commands, its endpoint, and what it says when it cannot."""

import json
import os
from pathlib import Path
from urllib.request import urlopen

import pytest

from monitoring.prometheus import SERIES
from tests.integration.monitoring.conftest import HOUR, Monitoring
from tests.parts.observed import Observed
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens

CANARY = "xylophon-quartett"


def read(port: int) -> list[str]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode()).splitlines()


def test_run_makes_what_is_due_and_ends(monitoring: Monitoring) -> None:
    monitoring.observe([Observed(time=monitoring.now - HOUR, text="Xylophonquartett")] * 3)
    process = monitoring.process()
    said, _ = process.communicate()
    assert process.returncode == 0
    assert "sentiment: 19 figures of 2 hours" in said
    assert "Xylophonquartett" not in said
    assert monitoring.figures()["-1", "1", "", "volume"]["value"] == 3


def test_reference_chooses_and_shows(monitoring: Monitoring) -> None:
    monitoring.observe([Observed(time=monitoring.now - 5 * HOUR)] * 3)
    start, end = (f"{monitoring.now + hour * HOUR:%Y-%m-%dT%H:%M}" for hour in (-5, -4))
    chosen = monitoring.process("", "reference", "sentiment", "--from", start, "--to", end)
    said, _ = chosen.communicate()
    assert said == f"all\tanswers, {monitoring.window(-5, -4)}\t3 rows\n"
    forgotten = monitoring.process("", "reference", "sentiment", "--default")
    assert forgotten.communicate()[0] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reference", "nobody"], "there is no model 'nobody'; one of: genre, sentiment"),
        (["alerts", "nobody", "--all"], "there is no model 'nobody'; one of: genre, sentiment"),
        (["reference", "sentiment", "--from", "2026-01-01"], "a window has both --from and --to"),
        (
            ["reference", "sentiment", "--default", "--to", "2026-01-01"],
            "--default has no window: leave out --from and --to",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    monitoring: Monitoring, arguments: list[str], said: str
) -> None:
    process = monitoring.process("", *arguments)
    assert (process.communicate()[0], process.returncode) == (f"monitoring: {said}\n", 1)


def test_watch_tells_prometheus_and_ends_on_a_signal(monitoring: Monitoring) -> None:
    time = monitoring.now - HOUR
    monitoring.observe(
        [Observed(time=time, truth="positive", tags={"app": 'a "b"\n\\', "x": CANARY})] * 4
        + [Observed(time=time, truth="negative", tags={CANARY.replace("-", "_"): "ios"})]
    )
    watched = 'tag:app=a "b"\n\\'
    rule = {"name": "slow", "metric": "latency_s:p95", "slice": watched, "above": 1}
    accuracy = {"name": "bad", "metric": "accuracy", "below": 0.99, "min_rows": 1, "by": "value"}
    monitoring.rules(rule, accuracy | {"severity": "critical"})
    port = free_port()
    monitoring.variables["PMESH_MONITORING_METRICS_PORT"] = str(port)
    process = monitoring.process("import monitoring.__main__ as p; p.LOOK_S = 0.1", "watch")
    wait_until(lambda: listens(port))
    wait_until(lambda: any(line.startswith("pmesh_quality{") for line in read(port)))
    lines = read(port)
    labels = 'metric="accuracy",model="sentiment",slice="",version="1"'
    assert f"pmesh_quality{{{labels}}} 0.8" in lines
    assert f"pmesh_quality_rows{{{labels}}} 5.0" in lines
    assert any(line.startswith(f"pmesh_quality_low{{{labels}}} 0.3") for line in lines)
    begun = monitoring.now.timestamp() - 3600
    (told,) = (line for line in lines if line.startswith("pmesh_quality_hour_timestamp_seconds{"))
    assert float(told.split()[1]) == begun
    # Of the slices by tag, those that a rule watches, and of its percentiles as well.
    (slice_,) = {line.split("slice=")[1].split(",version")[0] for line in lines if "tag:" in line}
    assert slice_ == '"tag:app=a \\"b\\"\\n\\\\"'
    assert not any(CANARY in line for line in lines)
    assert any('slice="length:' in line for line in lines)
    sliced = {line.split(",")[0] for line in lines if slice_ in line}
    assert 'pmesh_quality{metric="latency_s:p95"' in sliced
    assert 'pmesh_quality{metric="latency_s:p50"' not in sliced
    wait_until(lambda: 'pmesh_alerts_open{model="sentiment",severity="critical"} 1.0' in read(port))
    lines = read(port)
    assert 'pmesh_alerts_open{model="genre",severity="critical"} 0.0' in lines
    assert "pmesh_alert_deliveries_waiting 1.0" in lines
    assert 'pmesh_monitoring_hours_made_total{model="sentiment"} 2.0' in lines
    assert 'pmesh_monitoring_hours_made_total{model="genre"} 0.0' in lines
    assert "pmesh_monitoring_run_seconds_count 1.0" in lines
    (alert,) = monitoring.alerts()
    resolved = monitoring.process("", "resolve", alert["id"])
    resolved.communicate(timeout=100)
    wait_until(lambda: 'pmesh_alerts_open{model="sentiment",severity="critical"} 0.0' in read(port))
    process.terminate()
    process.communicate(timeout=100)
    assert process.returncode == 0


def test_a_run_is_told_as_spans_and_lines(monitoring: Monitoring) -> None:
    rule = {"name": "bad", "metric": "volume", "above": 2, "min_rows": 1}
    monitoring.rules(rule)
    monitoring.observe([Observed(time=monitoring.now - HOUR, text="Xylophonquartett")] * 3)
    with receiving_spans() as receiver:
        monitoring.variables |= receiver.environment
        process = monitoring.process()
        said, _ = process.communicate()
        receiver.wait_for("run", "make hours", "evaluate alerts")
    (run,) = receiver.named("run")
    below = [span for span in receiver.spans if span != run]
    assert {(span.trace_id, span.parent_id) for span in below} == {(run.trace_id, run.span_id)}
    assert {span.attributes["pmesh.model"] for span in below} == {"genre", "sentiment"}
    assert all(b"Xylophon" not in body for body in receiver.bodies)
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["program"] for line in lines} == {"monitoring"}
    (fired,) = (line for line in lines if "fired" in line["message"])
    assert (fired["model"], fired["version"], fired["trace_id"]) == ("sentiment", "1", run.trace_id)


def test_series_are_bounded_whatever_rules_watch(monitoring: Monitoring) -> None:
    time = monitoring.now - HOUR
    tags = [{"u": f"{number}"} for number in range(60)]
    watched = [("sentiment", f"tag:u={number}") for number in range(60)]
    versions = [str(number) for number in range(1, 41)]
    monitoring.observe(
        [Observed(time=time, version=version, tags=tag) for version in versions for tag in tags]
    )
    monitoring.run()
    with monitoring.store() as store:
        told = store.latest(SERIES, watched)
        of_nothing = store.latest(SERIES, [])
        of_another = store.latest(SERIES, [("genre", slice_) for _, slice_ in watched])
        in_a_terminal = store.latest(SERIES)
    assert len(told) == SERIES
    assert len(monitoring.figures()) > SERIES
    assert {figure.version for figure in told if not figure.slice} == set(versions)
    assert {figure.version for figure in of_nothing} == set(versions)
    assert not any(figure.slice.startswith("tag:") for figure in of_nothing)
    assert of_another == of_nothing
    assert any(figure.slice.startswith("tag:") for figure in in_a_terminal)


def test_watch_waits_for_a_database_that_is_away(monitoring: Monitoring, tmp_path: Path) -> None:
    port = free_port()
    monitoring.variables |= {"PMESH_MONITORING_METRICS_PORT": str(port), "PGHOST": str(tmp_path)}
    process = monitoring.process("", "watch")
    wait_until(lambda: listens(port))
    assert not any(line.startswith(("pmesh_quality", "pmesh_alerts")) for line in read(port))
    assert process.stdout is not None
    assert any("PostgreSQL does not answer" in line for line in process.stdout)
    process.terminate()
    process.communicate()
    assert process.returncode == 0


def test_watch_tells_that_it_goes_on_while_postgresql_is_away(
    monitoring: Monitoring, tmp_path: Path
) -> None:
    file = tmp_path / "heartbeat"
    monitoring.variables |= {
        "PGPORT": str(free_port()),
        "PMESH_HEARTBEAT": str(file),
        "PMESH_MONITORING_METRICS_PORT": str(free_port()),
    }
    soon = "import monitoring.__main__ as program\nprogram.RETRY_S = 0.1"
    process = monitoring.process(soon, "watch")
    wait_until(file.exists)
    os.utime(file, (0, 0))
    wait_until(lambda: file.stat().st_mtime > 0)
    process.terminate()
    said, _ = process.communicate()
    assert (process.returncode, "PostgreSQL does not answer" in said) == (0, True)
