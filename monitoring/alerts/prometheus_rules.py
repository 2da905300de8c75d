"""The same rules for Prometheus, over the series that monitoring/prometheus.py tells.

A file of JSON, which is YAML as well. Prometheus knows no hysteresis and no state of its own that
an alert may hang on but the series ALERTS: an alert that fires goes on firing until its figure is
known to be good.
"""

import json
from collections.abc import Mapping, Sequence

from contract.alert_rules import AlertRule

FRESH_S = 8_100
"""From an hour's beginning until its figures must have been followed by the next ones: two hours,
and a quarter for the job. After that, what stands there says nothing of the hour that is over."""
_MARGIN_MINUTES = 15
"""Added to `for`, so that the last hour's figures are there: of those before, nothing follows."""


def rules_file(rules: Mapping[str, Sequence[AlertRule]]) -> str:
    """A file of rules, by model; what `promtool check rules` takes."""
    groups = [
        {"name": f"predict-mesh-{model}", "rules": [_rule(model, rule) for rule in said]}
        for model, said in sorted(rules.items())
        if said
    ]
    return json.dumps({"groups": groups}, indent=2, ensure_ascii=False) + "\n"


def _rule(model: str, rule: AlertRule) -> dict[str, object]:
    found: dict[str, object] = {"alert": rule.name, "expr": _expression(model, rule)}
    if rule.hours > 1:
        found["for"] = f"{(rule.hours - 1) * 60 + _MARGIN_MINUTES}m"
    labels = {"slice": rule.slice} if rule.slice else {}
    # The model here too: rules of two models may else be the same to Prometheus.
    labels |= {"model": model, "metric": rule.metric, "severity": rule.severity}
    found["labels"] = labels
    if rule.message:
        found["annotations"] = {"summary": _literal(rule.message)}
    return found


def _expression(model: str, rule: AlertRule) -> str:
    labels = _selector(model=model, slice=rule.slice, metric=rule.metric)
    suffix = ("_low" if rule.is_above else "_high") if rule.by_interval else ""
    figure = f"max by (model, version) (pmesh_quality{suffix}{labels})"
    rows = f"max by (model, version) (pmesh_quality_rows{labels}) >= {rule.min_rows}"
    hour = f"max by (model) (pmesh_quality_hour_timestamp_seconds{_selector(model=model)})"
    known = f"and ({rows}) and on (model) (time() - {hour} < {FRESH_S})"
    beyond, back = (">", "<=") if rule.is_above else ("<", ">=")
    bad = f"{figure} {beyond} {rule.threshold!r} {known}"
    good = f"{figure} {back} {rule.clear!r} {known}"
    firing = _selector(alertname=rule.name, alertstate="firing", model=model)
    return f"({bad}) or (max by (model, version) (ALERTS{firing}) unless ({good}))"


def _selector(**labels: str) -> str:
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _literal(text: str) -> str:
    """As it is, though annotations are templates."""
    return text.replace("{{", '{{"{{"}}')
