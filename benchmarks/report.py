"""The tables on the terminal."""

from collections.abc import Iterable, Iterator, Mapping

from rich.table import Table

from benchmarks.contenders import BARE, IN_FLIGHT, PLAIN, RECORDING, TRITON
from benchmarks.later import BURST_IN_FLIGHT, Later
from benchmarks.now import Summary
from benchmarks.releases import Releases
from benchmarks.tables import empty_table

REFERENCES = (TRITON, PLAIN, RECORDING)


def now_table(summaries: Mapping[tuple[str, int], Summary]) -> Table:
    """Every contender at every number of calls in flight."""
    table = empty_table("Predictions made now", "at", "", "answers/s", "/ bare")
    for name in REFERENCES:
        table.add_column(f"/ {name.removeprefix(PLAIN + '+')}", justify="right")
    for head in ("p50 ms", "p99 ms", "CPU s/1k", "failed", "noise"):
        table.add_column(head, justify="right")
    table.caption = (
        "at: calls in flight. REST and gRPC: Predict Mesh, each answer durable. bare: the same"
        " hops, tables and event, little done on the way. Triton: the same server, asked directly."
        " FastAPI: the model in its process; x2: in two. / X: the rate over that of X, the median"
        " over the turns. failed: also answers without a row. noise: what others took of the"
        " machine, the idle parts of the stack among them."
    )
    for in_flight in IN_FLIGHT:
        for name, level in summaries:
            if level == in_flight:
                table.add_row(str(level), name, *_figures(name, level, summaries))
        table.add_section()
    return table


def cpu_table(summaries: Mapping[tuple[str, int], Summary], names: Iterable[str]) -> Table:
    """CPU seconds of each part."""
    table = empty_table("CPU seconds for 1,000 answers, by part", "at", "")
    rows = [(key, summaries[key]) for key in summaries if key[0] in names]
    parts = list(rows[0][1].cpu_s_per_1000)
    for part in parts:
        table.add_column(_kind(part), justify="right")
    for (name, in_flight), summary in rows:
        used = (f"{summary.cpu_s_per_1000[part]:.3f}" for part in parts)
        table.add_row(str(in_flight), name, *used)
    return table


def memory_table(resident_mib: Mapping[str, float]) -> Table:
    """Resident memory after the load."""
    table = empty_table("Resident memory", "part", "MiB")
    sizes: dict[str, float] = {}
    for part, size in resident_mib.items():
        sizes[_kind(part)] = sizes.get(_kind(part), 0) + size
    for kind, size in sizes.items():
        table.add_row(kind, f"{size:,.0f}")
    table.add_section()
    table.add_row("all", f"{sum(resident_mib.values()):,.0f}")
    return table


def later_table(later: Later) -> Table:
    """Work for later."""
    latency, burst, bound = later.latency, later.burst, later.emulator_rate
    accepted = burst.accepted
    table = empty_table("Predictions made later", "what", "figure")
    burst_of = f"burst of {accepted.answers:,}, {BURST_IN_FLIGHT} at once"
    rows = {
        f"accepted to finished, {latency.count} one by one, p50": f"{latency.p50_ms:.0f} ms",
        "the same, p99": f"{latency.p99_ms:.0f} ms",
        f"{burst_of}: accepted": f"{accepted.rate:,.0f} /s",
        "burst: refused": f"{accepted.failed}",
        "burst: all finished after": f"{burst.finished_s:.1f} s",
        "burst: finished": f"{burst.finished_rate:,.0f} /s",
        "bound: what the emulator lets through, alone": f"{bound:,.0f} /s",
        "burst: given up, or unfinished": f"{burst.failed + burst.unfinished}",
    }
    for row in rows.items():
        table.add_row(*row)
    return table


def releases_table(releases: Releases) -> Table:
    """A version that comes and goes."""
    table = empty_table("Releases", "what", "figure")
    quiet, swap = releases.quiet, releases.swap
    rows = {
        "release, its checks included: first answer of the new version": (
            f"{releases.first_answer_s:.1f} s"
        ),
        "rollback: first answer of the old version": f"{releases.rollback_s:.2f} s",
        "p99 without a release": f"{quiet.p99_ms:.1f} ms at {quiet.rate:,.0f} /s",
        "p99 during a release": f"{swap.p99_ms:.1f} ms at {swap.rate:,.0f} /s",
        "failed during a release": f"{swap.failed}",
    }
    for row in rows.items():
        table.add_row(*row)
    return table


def _kind(part: str) -> str:
    """Of the workers, which are many, the word that they share."""
    return part.partition("-")[0]


def _figures(
    name: str, in_flight: int, summaries: Mapping[tuple[str, int], Summary]
) -> Iterator[str]:
    summary = summaries[name, in_flight]
    yield f"{summary.rate:,.0f}"
    for reference in (name + BARE, *REFERENCES):
        other = summaries.get((reference, in_flight))
        yield f"{summary.over(other):.2f}" if other else ""
    yield f"{summary.p50_ms:.2f}"
    yield f"{summary.p99_ms:.1f}"
    yield f"{sum(summary.cpu_s_per_1000.values()):.2f}"
    yield str(summary.failed + summary.lost)
    yield f"{summary.foreign_share:.0%}"
