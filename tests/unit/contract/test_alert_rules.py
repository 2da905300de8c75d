"""What may be said of a rule, and what is said of one that may not be."""

import re
from pathlib import Path
from typing import Any

import protovalidate
import pytest
from predict.v1.prediction_service_pb2 import PredictRequest

from contract.alert_rules import MOST_RULES, InvalidRule, read_rule, read_rules

LABELS = ["positive", "negative"]
LEAST: dict[str, Any] = {"name": "drift", "metric": "label_drift", "above": 0.1}


def test_what_is_not_said_has_a_default() -> None:
    rule = read_rule(LEAST, LABELS)
    assert (rule.slice, rule.threshold, rule.clear, rule.hours) == ("", 0.1, 0.1, 1)
    assert (rule.by_interval, rule.min_rows, rule.severity) == (True, 30, "warning")
    assert not rule.retrain


def test_a_count_has_no_interval_and_needs_no_rows() -> None:
    rule = read_rule({"name": "quiet", "metric": "volume", "below": 10}, LABELS)
    assert (rule.is_above, rule.by_interval, rule.min_rows) == (False, False, 1)


def test_what_is_said_of_a_rule_is_read_again_as_the_same() -> None:
    said = {**LEAST, "slice": "tag:app=ios", "clear": 0.05, "for": 3, "retrain": True}
    rule = read_rule(said, LABELS)
    assert read_rule(rule.as_said(), LABELS) == rule


@pytest.mark.parametrize(
    ("said", "key", "problem"),
    [
        ({"name": "Drift"}, "name", "name is a-z, 0-9 and -"),
        ({"name": None}, "name", "a rule has name:"),
        ({"metric": "acuracy"}, "metric", "no rule can watch 'acuracy'; one of: volume"),
        ({"metric": "f1:neutral"}, "metric", "none of the model's labels: positive, negative"),
        ({"metric": "confusion:positive:negative"}, "metric", "no rule can watch"),
        ({"slice": "ios"}, "slice", "slice is a slice of"),
        ({"metric": "unknown_words", "slice": "tag:a=b"}, "slice", "made of all predictions"),
        ({"metric": "features_drift", "slice": "tag:a=b"}, "slice", "made of all predictions"),
        ({"below": 0.1}, "", "above: or below:, and not both"),
        ({"above": "0.1"}, "above", "above is a number, not '0.1'"),
        ({"above": float("nan")}, "above", "above is a number"),
        ({"above": True}, "above", "above is a number"),
        ({"clear": 0.2}, "clear", "clear is on the good side"),
        ({"for": 0}, "for", "1 to 72"),
        ({"for": 1.5}, "for", "a whole number"),
        ({"min_rows": -1}, "min_rows", "a whole number"),
        ({"by": "guess"}, "by", "by is interval or value"),
        ({"metric": "volume", "by": "interval"}, "by", "volume has no interval"),
        ({"severity": "bad"}, "severity", "info or warning or critical"),
        ({"retrain": "yes"}, "retrain", "true or false"),
        ({"message": "a" * 501}, "message", "at most 500"),
        ({"treshold": 1}, "treshold", "'treshold' is none of name, metric"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(
    said: dict[str, Any], key: str, problem: str
) -> None:
    with pytest.raises(InvalidRule, match=problem) as refused:
        read_rule({**LEAST, **said}, LABELS)
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("a", "b"), ("app_2", "ios"), ("k" * 32, "v" * 64), ("app", "a=b"), ("app", "a\nb")),
        *(("app", "é" * 32), ("app", "é" * 33), ("app", "v" * 65), ("app", ""), ("app", "a\0b")),
        *(("", "b"), ("App", "b"), ("2", "b"), ("_a", "b"), ("a-b", "b"), ("é", "b")),
        ("k" * 33, "b"),
    ],
)
def test_a_rule_may_watch_the_tags_that_a_request_may_have(key: str, value: str) -> None:
    said = {**LEAST, "slice": f"tag:{key}={value}"}
    request = PredictRequest(model="a", text="b", tags={key: value})
    if protovalidate.Validator().collect_violations(request):
        with pytest.raises(InvalidRule, match="slice is"):
            read_rule(said, LABELS)
    else:
        assert read_rule(said, LABELS).slice == said["slice"]


def test_a_rule_may_watch_the_scripts_that_texts_have() -> None:
    sql = (Path(__file__).parents[3] / "database/published/monitoring_v1.sql").read_text()
    scripts = re.findall(r"\('([a-z]+)', '\[", sql)
    assert "cyrillic" in scripts
    for script in (*scripts, "other", "none"):
        read_rule({**LEAST, "slice": f"script:{script}"}, LABELS)
    with pytest.raises(InvalidRule, match="slice is"):
        read_rule({**LEAST, "slice": "script:cyrilic"}, LABELS)


def test_no_two_rules_of_a_model_have_one_name() -> None:
    with pytest.raises(InvalidRule, match="two rules 'drift'"):
        read_rules([LEAST, LEAST], LABELS)


def test_a_model_has_so_many_rules_at_most() -> None:
    many = [{**LEAST, "name": f"drift-{number}"} for number in range(MOST_RULES + 1)]
    with pytest.raises(InvalidRule, match="at most 50"):
        read_rules(many, LABELS)
