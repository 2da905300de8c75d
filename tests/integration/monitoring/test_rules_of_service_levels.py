"""The rules of service levels, asked of promtool: three days of traffic, well and not so well."""

from pathlib import Path

import pytest

from monitoring.dashboards.promql import OUR_FAULTS
from tests.integration.monitoring.rule_cases import counter, fires
from tests.parts.rules import rules

RULES = "service-levels.yaml"
STEP = 2
"""Minutes between values."""
DAY, DAYS = 1440, 3 * 1440
AT = DAYS - 4
A_MINUTE = 600.0
"""Predictions."""

Stretches = list[tuple[int, float]]
"""Minutes, and the share that goes wrong in them."""

FAST: Stretches = [(DAYS - 60, 0), (60, 0.02)]
SLOW: Stretches = [(DAYS - 360, 0), (360, 0.007)]
DAYLONG: Stretches = [(DAYS - DAY, 0), (DAY, 0.0035)]
SMALL: Stretches = [(DAYS, 0.0015)]
CASES: list[tuple[Stretches, set[str]]] = [
    ([(DAYS, 0)], set()),
    ([(DAYS, 0.0009)], set()),
    (FAST, {"page 1h"}),
    (SLOW, {"page 6h"}),
    (DAYLONG, {"ticket 1d", "ticket 3d"}),
    (SMALL, {"ticket 3d"}),
    ([(DAYS - 30, 0), (2, 0.2), (28, 0)], set()),  # a blip
    ([(DAYS - 100, 0), (60, 0.02), (40, 0)], set()),  # over, and not yet forgotten
    ([(DAYS - 10, 0), (10, 1)], {"page 1h", "page 6h", "ticket 1d", "ticket 3d"}),
]


def expected(slo: str, firing: set[str]) -> set[str]:
    return {f"ErrorBudgetBurns {one.split()[0]} {slo} {one.split()[1]}" for one in firing}


def availability(stretches: Stretches, *, outcome: str) -> dict[str, str]:
    labels = 'model="genre", version="1", protocol="rest"'
    well = [(minutes, A_MINUTE * (1 - share)) for minutes, share in stretches]
    ill = [(minutes, A_MINUTE * share) for minutes, share in stretches]
    name = "pmesh_predictions_total"
    return {
        f'{name}{{{labels}, outcome="succeeded"}}': counter(*well, step=STEP),
        f'{name}{{{labels}, outcome="{outcome}"}}': counter(*ill, step=STEP),
    }


def durations(
    stretches: Stretches, histogram: str, bounds: tuple[str, str], labels: str
) -> dict[str, str]:
    """Of a budget that is ten times that of the availability."""
    everything = counter(*((minutes, A_MINUTE) for minutes, _ in stretches), step=STEP)
    good = [(minutes, A_MINUTE * (1 - min(10 * share, 1))) for minutes, share in stretches]
    return {
        f"{histogram}_count{{{labels}}}": everything,
        f'{histogram}_bucket{{{labels}, le="{bounds[0]}"}}': counter(*good, step=STEP),
        f'{histogram}_bucket{{{labels}, le="{bounds[1]}"}}': everything,
    }


@pytest.mark.parametrize(("stretches", "firing"), CASES)
def test_availability(stretches: Stretches, firing: set[str], tmp_path: Path) -> None:
    series = availability(stretches, outcome="MODEL_UNAVAILABLE")
    fires(RULES, series, AT, expected("availability", firing), tmp_path, step=STEP)


@pytest.mark.parametrize("outcome", ["TEXT_EMPTY", "RATE_LIMITED", "MODEL_NOT_RELEASED"])
def test_what_clients_do_wrong_does_not_count(outcome: str, tmp_path: Path) -> None:
    series = availability([(DAYS - 60, 0), (60, 0.9)], outcome=outcome)
    fires(RULES, series, AT, set(), tmp_path, step=STEP)


@pytest.mark.parametrize("stretches_and_firing", [CASES[2], CASES[4], CASES[6]])
def test_latency(stretches_and_firing: tuple[Stretches, set[str]], tmp_path: Path) -> None:
    stretches, firing = stretches_and_firing
    labels = (
        'rpc_method="predict.v1.PredictionService/Predict", rpc_response_status_code="OK",'
        ' rpc_system_name="grpc"'
    )
    series = durations(stretches, "rpc_server_call_duration_seconds", ("0.5", "+Inf"), labels)
    fires(RULES, series, AT, expected("latency", firing), tmp_path, step=STEP)


@pytest.mark.parametrize("stretches_and_firing", [CASES[2], CASES[4], CASES[6]])
def test_freshness(stretches_and_firing: tuple[Stretches, set[str]], tmp_path: Path) -> None:
    stretches, firing = stretches_and_firing
    series = durations(stretches, "pmesh_request_seconds", ("60.0", "+Inf"), 'model="genre"')
    fires(RULES, series, AT, expected("freshness", firing), tmp_path, step=STEP)


@pytest.mark.parametrize("stretches_and_firing", [CASES[1], CASES[2], CASES[4], CASES[6]])
def test_what_expires_was_never_fresh(
    stretches_and_firing: tuple[Stretches, set[str]], tmp_path: Path
) -> None:
    """However soon it did."""
    stretches, firing = stretches_and_firing
    well = [(minutes, 0.0) for minutes, _ in stretches]
    series = durations(well, "pmesh_request_seconds", ("60.0", "+Inf"), 'model="genre"')
    ill = [(minutes, A_MINUTE * min(10 * share, 1)) for minutes, share in stretches]
    expired = 'pmesh_requests_finished_total{model="genre", state="EXPIRED"}'
    series[expired] = counter(*ill, step=STEP)
    fires(RULES, series, AT, expected("freshness", firing), tmp_path, step=STEP)


def test_where_nobody_asks_nothing_fires(tmp_path: Path) -> None:
    """Neither when nobody ever did, nor when the last one failed."""
    fires(RULES, {}, AT, set(), tmp_path, step=STEP)
    series = availability([(2, 1), (DAYS - 2, 0)], outcome="INTERNAL")
    stays = {name: "7" + f" 7x{DAYS // STEP}" for name in series if "outcome" in name}
    fires(RULES, {**series, **stays}, AT, set(), tmp_path, step=STEP)


def test_our_faults_are_those_that_dashboards_show() -> None:
    counted = [rule["expr"] for rule in rules() if "outcome=~" in rule["expr"]]
    assert len(counted) == 1
    assert f'outcome=~"{OUR_FAULTS}"' in counted[0]
