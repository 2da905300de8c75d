"""What it costs to be seen: who comes when, and what is compared with what."""

from collections import Counter
from itertools import product

import pytest

from benchmarks.against.turns import Turn
from benchmarks.load import Load
from benchmarks.telemetry import (
    ACCESS_LOG,
    ALL,
    ALONE,
    LINES,
    METRICS,
    NOTHING,
    SIDES,
    TRACES,
    comparisons,
    order,
    table,
    targets,
)

CPU_S = {NOTHING: 1.0, METRICS: 1.02, TRACES: 1.224, ACCESS_LOG: 1.02}
"""Of the gateway for 1,000 calls."""
OTHERS_S = 1.0


def turns() -> list[Turn]:
    load = Load(answers=1000, failed=0, seconds=2.0, p50_ms=1.0, p99_ms=2.0)
    return [
        Turn(
            pair=pair,
            line=line,
            side=side,
            load=load,
            cpu_s={"gateway": CPU_S[side], "triton": OTHERS_S},
            foreign_share=0.0,
        )
        for pair, line, side in product(range(8), LINES, SIDES)
    ]


def test_each_comes_everywhere_and_as_often_before_another_as_after_it() -> None:
    orders = [order(turn, 0) for turn in range(2 * len(SIDES))]
    assert Counter(one.index(METRICS) for one in orders) == dict.fromkeys(range(len(SIDES)), 2)
    before = sum(one.index(METRICS) < one.index(TRACES) for one in orders)
    assert before == len(orders) / 2


@pytest.mark.parametrize(
    ("added", "whose", "ratio"),
    [
        (METRICS, ALONE, 1.02),
        (METRICS, ALL, 2.02 / 2.0),
        (TRACES, ALONE, 1.2),
        (TRACES, ALL, 2.224 / 2.02),
        (ACCESS_LOG, ALL, 1.0),
    ],
)
def test_each_is_compared_with_what_it_is_added_to(added: str, whose: str, ratio: float) -> None:
    compared = comparisons(turns())
    for line in LINES:
        assert compared[added, line, whose].ratio.point == pytest.approx(ratio)


def test_a_goal_that_is_missed_is_shown() -> None:
    compared = comparisons(turns())
    assert table(compared, {"gateway": 7}).row_count == len(compared) == 12
    assert [target.reached for target in targets(compared)] == [True, True, False, False]
