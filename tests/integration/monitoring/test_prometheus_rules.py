"""The rules for Prometheus fire and are over as our own do, hour by hour: asked of promtool."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from contract.alert_rules import AlertRule, read_rule
from modelkit.values import read_models
from monitoring.alerts.evaluation import HourFigure, standing
from monitoring.alerts.prometheus_rules import rules_file
from tests.parts.promtool import promtool

MODEL = "sentiment"
STEP = 5
"""Minutes between Prometheus' looks."""
AFTER_HOUR = 2
"""Minutes from an hour's end until its figures are told."""


class Told(NamedTuple):
    """What an hour's figure is, as the job tells it."""

    value: float
    low: float
    high: float
    rows: int = 100


def bad(value: float = 0.4) -> Told:
    return Told(value, value - 0.05, value + 0.05)


GOOD, BETWEEN, WIDE, FEW = bad(0.1), bad(0.29), Told(0.5, 0.0, 0.9), Told(0.9, 0.8, 1.0, rows=5)
NAN = Told(float("nan"), float("nan"), float("nan"))
EMPTY = None
"""Nobody asked: the hour before stays told."""
RULE: dict[str, Any] = {"name": "r", "metric": "label_drift", "above": 0.3, "clear": 0.2}
BELOW: dict[str, Any] = {"name": "r", "metric": "accuracy", "below": 0.3}
CASES: list[tuple[dict[str, Any], list[Told | None]]] = [
    (RULE, [GOOD, bad(), GOOD, bad()]),
    (RULE, [bad(), BETWEEN, GOOD, BETWEEN]),
    (RULE, [WIDE, FEW, NAN, EMPTY]),
    (RULE, [bad(), WIDE]),
    (RULE, [bad(), FEW, NAN, EMPTY, EMPTY, GOOD]),
    ({**RULE, "by": "value"}, [WIDE, GOOD, NAN, FEW]),
    ({**RULE, "for": 2}, [bad(), GOOD, bad(), bad(), bad(), GOOD]),
    ({**RULE, "for": 2}, [bad(), EMPTY, bad(), FEW, bad(), NAN, bad(), bad(), EMPTY, EMPTY]),
    ({**RULE, "for": 3}, [bad(), bad(), BETWEEN, bad(), bad(), bad(), BETWEEN, GOOD]),
    ({**RULE, "slice": 'tag:app=a"b\\c', "message": "{{ $value }}"}, [bad(), GOOD]),
    (BELOW, [GOOD, bad(0.29), bad(0.5), FEW, bad(0.1), EMPTY]),
    ({"name": "r", "metric": "latency_s:p95", "above": 0.3}, [GOOD, bad(), EMPTY, GOOD]),
    ({"name": "r", "metric": "volume", "below": 0.3}, [GOOD, bad(), EMPTY, GOOD]),
]


def test_the_rules_of_all_models_are_rules_of_prometheus(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    rules = {model.id: model.alerts for model in read_models()}
    file.write_text(rules_file(rules))
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{sum(map(len, rules.values()))} rules found" in checked.stdout


@pytest.mark.parametrize(("said", "hours"), CASES)
def test_they_fire_when_ours_do(
    tmp_path: Path, said: dict[str, Any], hours: list[Told | None]
) -> None:
    rule = read_rule(said, [])
    (tmp_path / "rules.yml").write_text(rules_file({MODEL: [rule]}))
    fires = [ours(rule, hours[: n + 1]) for n in range(len(hours))]
    test = {
        "interval": f"{STEP}m",
        "input_series": list(series(rule, hours)),
        "alert_rule_test": [
            {
                "eval_time": f"{(hour + 1) * 60 + 45}m",
                "alertname": rule.name,
                "exp_alerts": [expected(rule)] if firing else [],
            }
            for hour, firing in enumerate(fires)
        ],
    }
    file = tmp_path / "test.yml"
    given = {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP}m", "tests": [test]}
    file.write_text(json.dumps(given))
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def ours(rule: AlertRule, hours: list[Told | None]) -> bool:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    figures = [
        HourFigure(start + timedelta(hours=n), hour.value, *interval(rule, hour), hour.rows)
        for n, hour in enumerate(hours)
        if hour is not None
    ]
    return standing(rule, figures).holds


def interval(rule: AlertRule, hour: Told) -> tuple[float | None, float | None]:
    return (hour.low, hour.high) if rule.by_interval else (None, None)


def series(rule: AlertRule, hours: list[Told | None]) -> Iterator[dict[str, str]]:
    """What Prometheus has read at each of its looks, from time 0 on."""
    labels = {"model": MODEL, "version": "1", "slice": rule.slice, "metric": rule.metric}
    labels |= {"instance": "monitoring:9465", "job": "predict-mesh"}
    columns: dict[str, list[str]] = {"": [], "_low": [], "_high": [], "_rows": []}
    begun = []
    for minute in range(0, (len(hours) + 1) * 60, STEP):
        newest = (minute - AFTER_HOUR) // 60 - 1
        known = [(n, hour) for n, hour in enumerate(hours) if n <= newest and hour is not None]
        n, hour = known[-1] if known else (0, None)
        begun.append(str(n * 3600) if hour else "_")
        for name, value in zip(columns, hour or (), strict=False):
            columns[name].append(text(value))
        if hour is None:
            for values in columns.values():
                values.append("_")
    for suffix, values in columns.items():
        if rule.by_interval or suffix in ("", "_rows"):
            yield {"series": f"pmesh_quality{suffix}{selector(labels)}", "values": " ".join(values)}
    hour_labels = selector({"model": MODEL, "instance": "monitoring:9465"})
    name = f"pmesh_quality_hour_timestamp_seconds{hour_labels}"
    yield {"series": name, "values": " ".join(begun)}


def text(value: float) -> str:
    return "NaN" if value != value else f"{value:g}"


def selector(labels: dict[str, str]) -> str:
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


def expected(rule: AlertRule) -> dict[str, Any]:
    labels = {"model": MODEL, "version": "1", "metric": rule.metric, "severity": rule.severity}
    found: dict[str, Any] = {"exp_labels": labels | ({"slice": rule.slice} if rule.slice else {})}
    if rule.message:
        found["exp_annotations"] = {"summary": rule.message}
    return found
