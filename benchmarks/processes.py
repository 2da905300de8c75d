"""CPU time and memory of process trees, and what else the machine did meanwhile."""

import os
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

Parts = Mapping[str, int]
"""The part of a server that a process belongs to -> the process at the root of its tree."""

NOISY_SHARE = 0.1
"""Of the machine, taken by others: what was measured beside more is to be doubted."""
_AT_REST = 0.4
"""Processors; a whole stack that nobody asks takes half of that, for health checks and polls."""
_LOOK_S = 0.25


class PartDiedError(Exception):
    """What was measured is no more."""


@dataclass(kw_only=True)
class Usage:
    """What was used between two moments; complete when `measure` has ended."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    """By part."""
    foreign_share: float = 0.0
    """Of the machine's time: other programs, and other machines of the same host."""


@contextmanager
def measure(parts: Parts) -> Iterator[Usage]:
    """Measure the parts of a server under a load that child processes of this one make."""
    usage = Usage()
    before, began = _cpu_by_part(parts), time.monotonic()
    busy_s, stolen_s, own_s = _busy_s(), _stolen_s(), _own_s()
    yield usage
    usage.cpu_s = {part: cpu_s - before[part] for part, cpu_s in _cpu_by_part(parts).items()}
    used_s = sum(usage.cpu_s.values()) + _own_s() - own_s
    foreign_s = max(0.0, _busy_s() - busy_s - used_s) + _stolen_s() - stolen_s
    usage.foreign_share = foreign_s / ((time.monotonic() - began) * (os.cpu_count() or 1))


def resident_mib(parts: Parts) -> dict[str, float]:
    """Resident memory of each part; pages that its processes share count once for each."""
    return {
        part: sum(process.memory_info().rss for process in tree(root)) / 2**20
        for part, root in parts.items()
    }


def tree(root: int) -> list[psutil.Process]:
    """A process and all below it, parents first."""
    process = psutil.Process(root)
    return [process, *process.children(recursive=True)]


def wait_until_idle(parts: Parts, *, limit_s: float = 30) -> None:
    """Until what was put off is done, and only what they do at rest goes on.

    What they put off for longer than a look falls into the next measurement, as what the load
    before it has put off fell into this one.
    """
    until = time.monotonic() + limit_s
    busy = True
    while busy and time.monotonic() < until:
        began, before_s = time.monotonic(), _sum_s(parts)
        time.sleep(_LOOK_S)
        used_s = _sum_s(parts) - before_s
        busy = used_s > (time.monotonic() - began) * _AT_REST


def _sum_s(parts: Parts) -> float:
    return sum(_cpu_by_part(parts).values())


def _cpu_by_part(parts: Parts) -> dict[str, float]:
    found = {}
    for part, root in parts.items():
        try:
            found[part] = sum(map(_cpu_s, tree(root)))
        except psutil.NoSuchProcess:
            raise PartDiedError(f"{part} has died while it was measured") from None
    return found


def _cpu_s(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _own_s() -> float:
    """Of this process and of its children that have ended: the load generators."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime + sum(os.times()[:2])


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _stolen_s() -> float:
    return float(psutil.cpu_times().steal)
