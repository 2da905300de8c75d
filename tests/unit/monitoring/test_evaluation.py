"""When a rule holds: hours in a row, hysteresis, and hours that say nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.alert_rules import AlertRule, read_rule
from monitoring.alerts.evaluation import HourFigure, Judgement, judged, standing

START = datetime(2026, 11, 1, tzinfo=UTC)


def rule(**said: Any) -> AlertRule:
    defaults = {} if "below" in said else {"above": 0.3}
    return read_rule({"name": "r", "metric": "label_drift", **defaults, **said}, [])


def figure(value: float, *, hour: int = 0, low: float | None = None, rows: int = 100) -> HourFigure:
    low = value if low is None else low
    return HourFigure(START + timedelta(hours=hour), value, low, value + 0.1, rows)


def hours(*values: float | None) -> list[HourFigure]:
    """None: an hour without the figure."""
    return [figure(v, hour=n) for n, v in enumerate(values) if v is not None]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (figure(0.31), Judgement.BAD),
        (figure(0.3), Judgement.NEITHER),
        (figure(0.2), Judgement.GOOD),
        (figure(0.9, low=0.25), Judgement.NEITHER),
        (figure(0.9, low=0.0), Judgement.GOOD),
        (figure(0.9, rows=29), Judgement.UNKNOWN),
        (figure(float("nan")), Judgement.UNKNOWN),
        (HourFigure(START, 0.9, None, None, 100), Judgement.UNKNOWN),
    ],
)
def test_the_end_of_the_interval_decides(found: HourFigure, said: Judgement) -> None:
    assert judged(rule(clear=0.2), found) is said


def test_by_the_value_the_interval_does_not_matter() -> None:
    assert judged(rule(by="value"), figure(0.9, low=0.0)) is Judgement.BAD


def test_below_asks_the_high_end() -> None:
    low = rule(metric="accuracy", below=0.5)
    assert judged(low, figure(0.39)) is Judgement.BAD
    assert judged(low, figure(0.45)) is Judgement.GOOD


@pytest.mark.parametrize(
    ("values", "fired"),
    [
        ([0.4], None),
        ([0.4, 0.4], 1),
        ([0.4, 0.4, 0.4], 1),
        ([0.4, None, 0.4], None),  # not in a row
        ([0.4, 0.25, 0.4], None),
        ([0.4, 0.4, None, None], 1),  # what says nothing resolves nothing
        ([0.4, 0.4, 0.25], 1),  # not yet clear
        ([0.4, 0.4, 0.1], None),
        ([0.4, 0.4, 0.1, 0.4], None),
        ([0.4, 0.4, 0.1, 0.4, 0.4], 4),
        ([], None),
    ],
)
def test_an_alert_fires_after_hours_in_a_row_and_ends_when_clear(
    values: list[float | None], fired: int | None
) -> None:
    stands = standing(rule(**{"for": 2, "clear": 0.2}), hours(*values))
    assert stands.holds == (fired is not None)
    expected = None if fired is None else START + timedelta(hours=fired)
    assert (stands.fired.hour if stands.fired else None) == expected


def test_what_held_before_holds_until_it_is_clear() -> None:
    assert standing(rule(), [], holds=True).holds
    assert standing(rule(), hours(0.4), holds=True).fired is None
    stands = standing(rule(), hours(0.4, 0.1), holds=True)
    assert (stands.holds, stands.cleared) == (False, START + timedelta(hours=1))
