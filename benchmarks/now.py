"""Predictions made now: every contender at every number of calls in flight, turn by turn."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.contenders import IN_FLIGHT, Contender
from benchmarks.load import Load
from benchmarks.processes import NOISY_SHARE, measure
from benchmarks.record import Record

WARM_UP_S = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """One load on one contender."""

    contender: str
    in_flight: int
    load: Load
    cpu_s: dict[str, float]
    """By part, until the last event of the load was published."""
    foreign_share: float
    lost: int
    """Answers that have no row in PostgreSQL."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Medians of the repetitions; without those of a noisy machine, if any was quiet."""

    rates: tuple[float, ...]
    """Of all repetitions, in turn."""
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_1000: dict[str, float]
    """Seconds of CPU for 1,000 answers, by part."""
    failed: int
    lost: int
    foreign_share: float

    def over(self, other: "Summary") -> float:
        """The median ratio of the rates, turn by turn: what slows the machine slows both."""
        return statistics.median(a / b for a, b in zip(self.rates, other.rates, strict=True))


def run_all(
    contenders: list[Contender], record: Record, *, repetitions: int, seconds: int
) -> Iterator[Run]:
    """Interleaved, so that what changes on the machine meets all of them."""
    for repetition in range(repetitions):
        first = repetition % len(contenders)
        for in_flight in IN_FLIGHT:
            for contender in contenders[first:] + contenders[:first]:
                if in_flight in contender.in_flight:
                    yield _run(contender, record, in_flight, seconds)


def summarise(runs: Iterable[Run]) -> dict[tuple[str, int], Summary]:
    """By contender and number of calls in flight."""
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.contender, run.in_flight), []).append(run)
    return {key: _summary(group) for key, group in groups.items()}


def _quiet(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.foreign_share <= NOISY_SHARE]


def _run(contender: Contender, record: Record, in_flight: int, seconds: int) -> Run:
    contender.load(in_flight, WARM_UP_S)
    record.settle()
    rows = record.predictions()
    with measure(contender.parts) as usage:
        load = contender.load(in_flight, seconds)
        record.settle()
    rows = record.predictions() - rows
    return Run(
        contender=contender.name,
        in_flight=in_flight,
        load=load,
        cpu_s=usage.cpu_s,
        foreign_share=usage.foreign_share,
        lost=max(0, load.answers - rows) if contender.recorded else 0,
    )


def _summary(group: list[Run]) -> Summary:
    runs = _quiet(group) or group
    return Summary(
        rates=tuple(run.load.rate for run in group),
        rate=statistics.median(run.load.rate for run in runs),
        p50_ms=statistics.median(run.load.p50_ms for run in runs),
        p99_ms=statistics.median(run.load.p99_ms for run in runs),
        cpu_s_per_1000={
            part: statistics.median(run.cpu_s[part] / run.load.answers * 1000 for run in runs)
            for part in runs[0].cpu_s
        },
        failed=sum(run.load.failed for run in runs),
        lost=sum(run.lost for run in runs),
        foreign_share=max(run.foreign_share for run in runs),
    )
