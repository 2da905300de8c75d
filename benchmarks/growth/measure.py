"""Turns: each kind of work on every record, one right after the other, again and again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.progress import Progress

from benchmarks.growth.records import Size, make_days, make_record, sizes
from benchmarks.growth.work import Work
from benchmarks.postgres import running_postgres

KINDS: dict[str, Callable[[Work], Awaitable[None]]] = {
    "read": Work.read,
    "newest page": Work.newest,
    "rare version": Work.rare,
    "later": Work.later,
    "sweep": Work.sweep,
    "commit": Work.commit,
}
REPEATS = 5
"""Of a piece of work, in a turn."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """All that was measured."""

    sizes: list[Size]
    """The smallest first."""
    ms: dict[str, list[list[float]]]
    """Kind of work -> turn -> size."""
    backend_bytes: list[int]
    """By size."""


def measure_growth(*, most_rows: int, turns: int, messages: Console) -> Growth:
    """On a server of its own."""
    return asyncio.run(_measure(sizes(most_rows), turns, messages))


async def _measure(records: list[Size], turns: int, messages: Console) -> Growth:
    async with running_postgres() as (postgres, _), AsyncExitStack() as stack:
        for days in sorted({size.days for size in records}):
            with messages.status(f"{days} days"):
                await asyncio.to_thread(make_days, postgres, days)
        at_work: list[Work] = []
        for size in records:
            with messages.status(f"{size.rows:,} predictions over {size.days} days"):
                conninfo = await asyncio.to_thread(make_record, postgres, size)
            at_work.append(await stack.enter_async_context(Work(conninfo)))
        ms: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
        with Progress(console=messages) as progress:
            for turn in progress.track(range(turns + 1), description="in turn"):
                for kind, work in KINDS.items():
                    taken = await _take_turn(work, at_work, turn)
                    if turn:  # in the first one, the connections are opened
                        ms[kind].append(taken)
        sizes_of_backends = [await one.backend_bytes() for one in at_work]
    return Growth(sizes=records, ms=ms, backend_bytes=sizes_of_backends)


async def _take_turn(
    work: Callable[[Work], Awaitable[None]], records: list[Work], turn: int
) -> list[float]:
    """Milliseconds on each record; who comes first changes with each turn."""
    taken = [0.0] * len(records)
    for place in _rotated(len(records), turn):
        taken[place] = await _time(partial(work, records[place]))
        await records[place].tidy()
    return taken


def _rotated(count: int, by: int) -> Iterator[int]:
    return ((place + by) % count for place in range(count))


async def _time(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    for _ in range(REPEATS):
        await work()
    return (time.perf_counter() - began) / REPEATS * 1e3
