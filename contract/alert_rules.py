"""The rules by which a model's figures become alerts: what models/<name>/alerts.yaml says of each,
and what the database keeps of it.

    name: words-drift
    metric: vocabulary_drift   # a figure of monitoring/README.md
    slice: tag:app=ios         # which predictions; all if not given
    above: 0.02                # or below:
    clear: 0.01                # back here it is over; the threshold if not given
    for: 2                     # hours in a row; 1 if not given
    by: interval               # or value; the interval if the figure has one
    min_rows: 30               # with fewer, an hour says nothing
    severity: warning          # or info, critical
    retrain: false             # whether it asks for a training as well
    message: Texts have words that the model has not learned.

By the interval, its end nearer to good has to be beyond the threshold: that is no chance.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_HOURS = 72
MOST_RULES = 50
"""Of a model."""
DEFAULT_ROWS = 30
"""With fewer, monitoring tells no drift from chance."""
SEVERITIES = ("info", "warning", "critical")
BY = ("interval", "value")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_NAME_RULE = "a-z, 0-9 and -, a letter first, at most 63 characters"
_SLICE = re.compile(
    r"|length:(0-49|50-199|200-999|1000-)"
    r"|script:(latin|greek|cyrillic|hebrew|arabic|devanagari|thai|kana|han|hangul|other|none)"
)
"""Of database/published/monitoring_v1.sql."""
_TAG = re.compile(r"tag:[a-z][a-z0-9_]{0,31}=(.+)", re.DOTALL)
_TAG_BYTES = 64
"""Of a tag's value, as in prediction_service.proto, which has the rule of its key too."""
_MESSAGE = 500
_KEYS = (
    *("name", "metric", "slice", "above", "below", "clear", "for", "by", "min_rows"),
    *("severity", "retrain", "message"),
)


class InvalidRule(ValueError):
    """What is said of a rule cannot be. The message says why."""

    def __init__(self, problem: str, key: str = "") -> None:
        """key: of what is wrong; "" if it is the rule as a whole."""
        super().__init__(problem)
        self.key = key


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that a rule may watch: one that is there in each hour that can say it."""

    has_interval: bool = True
    is_sliced: bool = True
    """Whether slices have it too."""
    least_rows: int = DEFAULT_ROWS


_COUNT = Metric(has_interval=False, least_rows=1)
_SECONDS = Metric(has_interval=False)
_OF_ALL = Metric(is_sliced=False)
METRICS: Mapping[str, Metric] = {
    "volume": _COUNT,
    "failure_share": Metric(),
    "latency_s:p50": _SECONDS,
    "latency_s:p95": _SECONDS,
    "latency_s:p99": _SECONDS,
    "accuracy": Metric(),
    "f1_macro": Metric(),
    "calibration_error": Metric(),
    "brier": Metric(),
    "label_drift": Metric(),
    "confidence_drift": Metric(),
    "length_drift": Metric(),
    "unknown_words": _OF_ALL,
    "vocabulary_drift": _OF_ALL,
    "features_missing_share": _OF_ALL,
    "features_drift": _OF_ALL,
}
"""Beside these, f1:LABEL of each label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule; read_rule says what holds of it."""

    name: str
    metric: str
    slice: str
    is_above: bool
    """Whether more is bad; else less is."""
    threshold: float
    clear: float
    hours: int
    by_interval: bool
    min_rows: int
    severity: str
    retrain: bool
    message: str

    def as_said(self) -> dict[str, Any]:
        """What read_rule reads, with nothing left out."""
        return {
            "name": self.name,
            "metric": self.metric,
            "slice": self.slice,
            "above" if self.is_above else "below": self.threshold,
            "clear": self.clear,
            "for": self.hours,
            "by": "interval" if self.by_interval else "value",
            "min_rows": self.min_rows,
            "severity": self.severity,
            "retrain": self.retrain,
            "message": self.message,
        }


def read_rules(said: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[AlertRule]:
    """All rules of a model with these labels. Raises InvalidRule."""
    rules = [read_rule(rule, labels) for rule in said]
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidRule(f"there are two rules {twice[0]!r}")
    if len(rules) > MOST_RULES:
        raise InvalidRule(f"there are {len(rules)} rules, and at most {MOST_RULES} can be")
    return rules


def read_rule(said: Mapping[str, Any], labels: Sequence[str]) -> AlertRule:
    """One rule of a model with these labels. Raises InvalidRule."""
    if not isinstance(said, Mapping):
        raise InvalidRule("a rule is a mapping: name:, metric:, above: or below:, ...")
    for key in said:
        if key not in _KEYS:
            raise InvalidRule(f"{key!r} is none of {', '.join(_KEYS)}", str(key))
    name = _text(said, "name", matching=_NAME, rule=_NAME_RULE)
    metric_name = _text(said, "metric")
    metric = _metric(metric_name, labels)
    slice_ = _text(said, "slice", "")
    if not _is_slice(slice_):
        raise InvalidRule(f"slice is a slice of monitoring/README.md, not {slice_!r}", "slice")
    if slice_ and not metric.is_sliced:
        raise InvalidRule(f"{metric_name} is made of all predictions, and of no slice", "slice")
    if ("above" in said) == ("below" in said):
        raise InvalidRule("a rule has above: or below:, and not both")
    is_above = "above" in said
    threshold = _number(said, "above" if is_above else "below")
    clear = _number(said, "clear", threshold)
    if clear != threshold and (clear > threshold) == is_above:
        raise InvalidRule("clear is on the good side of the threshold, or the threshold", "clear")
    by = _text(said, "by", "interval" if metric.has_interval else "value", among=BY)
    if by == "interval" and not metric.has_interval:
        raise InvalidRule(f"{metric_name} has no interval: by: value", "by")
    retrain = said.get("retrain", False)
    if not isinstance(retrain, bool):
        raise InvalidRule(f"retrain is true or false, not {retrain!r}", "retrain")
    message = _text(said, "message", "")
    if len(message) > _MESSAGE:
        raise InvalidRule(f"message has at most {_MESSAGE} characters", "message")
    return AlertRule(
        name=name,
        metric=metric_name,
        slice=slice_,
        is_above=is_above,
        threshold=threshold,
        clear=clear,
        hours=_whole(said, "for", 1, most=MOST_HOURS),
        by_interval=by == "interval",
        min_rows=_whole(said, "min_rows", metric.least_rows, most=10**9),
        severity=_text(said, "severity", "warning", among=SEVERITIES),
        retrain=retrain,
        message=message,
    )


def _is_slice(text: str) -> bool:
    if tag := _TAG.fullmatch(text):
        return len(tag[1].encode(errors="replace")) <= _TAG_BYTES
    return bool(_SLICE.fullmatch(text))


def _metric(name: str, labels: Sequence[str]) -> Metric:
    kind, _, label = name.partition(":")
    if kind == "f1" and label in labels:
        return Metric()
    if name in METRICS:
        return METRICS[name]
    if kind == "f1":
        raise InvalidRule(f"{label!r} is none of the model's labels: {', '.join(labels)}", "metric")
    raise InvalidRule(
        f"no rule can watch {name!r}; one of: {', '.join(METRICS)}, f1:LABEL", "metric"
    )


def _text(
    said: Mapping[str, Any],
    key: str,
    default: str | None = None,
    *,
    matching: "re.Pattern[str] | None" = None,
    rule: str = "",
    among: Sequence[str] = (),
) -> str:
    value = said.get(key, default)
    if value is None:
        raise InvalidRule(f"a rule has {key}:", key)
    if not isinstance(value, str) or "\0" in value:
        raise InvalidRule(f"{key} is a text, not {value!r}", key)
    if among and value not in among:
        raise InvalidRule(f"{key} is {' or '.join(among)}, not {value!r}", key)
    if matching and not matching.fullmatch(value):
        raise InvalidRule(f"{key} is {rule}, not {value!r}", key)
    return value


def _number(said: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = said.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidRule(f"{key} is a number, not {value!r}", key)
    return float(value)


def _whole(said: Mapping[str, Any], key: str, default: int, *, most: int) -> int:
    value = said.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidRule(f"{key} is a whole number, 1 to {most}, not {value!r}", key)
    return value
