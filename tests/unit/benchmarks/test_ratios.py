"""Ratios of paired turns, and how sure they are."""

import numpy as np
import pytest

from benchmarks.against.lines import GRPC_1, GRPC_64, MANY_64, REST_64
from benchmarks.against.ratios import CPU, P50, RATE, Comparison, compare, median_ratio, share
from benchmarks.against.targets import targets
from benchmarks.against.turns import NEW, OLD, Turn
from benchmarks.bootstrap import Figure
from benchmarks.load import Load


def turn(pair: int, side: str, rate: float, *, line: str = "a", cpu_s: float = 1.0) -> Turn:
    return Turn(
        pair=pair,
        line=line,
        side=side,
        load=Load(answers=round(rate * 2), failed=0, seconds=2.0, p50_ms=1e3 / rate, p99_ms=9.0),
        cpu_s={"gateway": cpu_s, "triton": 1.0},
        foreign_share=0.0,
    )


def test_the_ratio_is_the_median_of_the_pairs_ratios_not_that_of_the_medians() -> None:
    assert median_ratio([10, 40, 90], [10, 20, 30]).point == 2.0


def test_what_slows_both_turns_of_a_pair_does_not_change_the_ratio() -> None:
    speed = np.array([1.0, 0.5, 0.1, 2.0])

    figure = median_ratio((300 * speed).tolist(), (200 * speed).tolist())

    assert figure.point == pytest.approx(1.5)
    assert figure.interval == pytest.approx((1.5, 1.5))


def test_a_side_against_itself_has_an_interval_around_one() -> None:
    noise = np.random.default_rng(1).normal(1, 0.1, size=(2, 20))

    low, high = median_ratio(noise[0].tolist(), noise[1].tolist()).interval

    assert low < 1 < high


def test_more_pairs_make_the_interval_narrower() -> None:
    noise = np.random.default_rng(1).normal(1, 0.1, size=(2, 400))

    def width(pairs: int) -> float:
        low, high = median_ratio(noise[0, :pairs].tolist(), noise[1, :pairs].tolist()).interval
        return high - low

    assert width(400) < width(40) < width(8)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        ratios = generator.normal(1.2, 0.1, size=15)
        low, high = median_ratio(ratios.tolist(), [1.0] * 15).interval
        covered += low <= 1.2 <= high

    assert 0.9 <= covered / 200 <= 0.99


def test_turns_are_paired_by_their_number_whatever_their_order() -> None:
    turns = [turn(0, OLD, 100), turn(1, NEW, 400), turn(0, NEW, 200), turn(1, OLD, 200)]

    rate = compare(turns)["a", RATE]

    assert (rate.old, rate.new) == (150, 300)
    assert rate.ratio.interval == (2.0, 2.0)


def test_cpu_is_that_of_all_parts_for_1000_answers() -> None:
    turns = [turn(0, OLD, 500, cpu_s=3.0), turn(0, NEW, 500, cpu_s=1.0)]

    cpu = compare(turns)["a", CPU]

    assert (cpu.old, cpu.new, cpu.ratio.point) == (4.0, 2.0, 0.5)


def test_a_share_is_that_of_another_line_in_the_same_pair_on_one_side() -> None:
    turns = [
        *(turn(pair, NEW, rate) for pair, rate in enumerate((60, 80))),
        *(turn(pair, NEW, rate, line="b") for pair, rate in enumerate((100, 100))),
        turn(0, OLD, 1),
        turn(0, OLD, 1, line="b"),
    ]

    assert share(turns, "a", "b", NEW).point == pytest.approx(0.7)


def test_targets_are_reached_or_missed_by_the_ratio_itself() -> None:
    def comparison(ratio: float) -> Comparison:
        return Comparison(1.0, ratio, Figure(ratio, np.full(1000, ratio)))

    comparisons = {
        (GRPC_64, RATE): comparison(1.15),
        (REST_64, RATE): comparison(1.09),
        (MANY_64, RATE): comparison(1.5),
        (GRPC_1, P50): comparison(0.78),
        (GRPC_1, CPU): comparison(0.76),
        (GRPC_64, CPU): comparison(0.8),
    }

    reached = [t.reached for t in targets(comparisons, Figure(0.76, np.full(1000, 0.76)))]

    assert reached == [True, True, False, True, True, False, True]
