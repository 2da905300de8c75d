"""What it costs to be seen: gateways with metrics, with traces and with an access log, beside one
that tells nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import httpx
from rich.table import Table

from benchmarks.against.ratios import CPU, Comparison, compare
from benchmarks.against.turns import NEW, OLD, Turn, time_turn
from benchmarks.gateways import Gateway, gateway
from benchmarks.load import Load
from benchmarks.ports import free_port
from benchmarks.processes import Parts
from benchmarks.questions import predict_message
from benchmarks.stack import RunningStack
from benchmarks.tables import empty_table
from benchmarks.target import Target, limit
from benchmarks.texts import write_bodies

NOTHING, METRICS, TRACES, ACCESS_LOG = "nothing", "metrics", "traces", "access log"
SIDES = (NOTHING, METRICS, TRACES, ACCESS_LOG)
LINES = ("gRPC at 64", "REST at 64")
SHARE = 0.01
"""Of the traces that are recorded."""
ALL, ALONE = "gateway, Triton, PostgreSQL", "gateway"
GOALS = {METRICS: 1.03, TRACES: 1.05}
"""CPU seconds for 1,000 calls, of those without."""
_BESIDE = {METRICS: NOTHING, TRACES: METRICS, ACCESS_LOG: METRICS}
"""What each is compared with: metrics with nothing, all else with metrics only."""


def trace_variables(endpoint: str) -> dict[str, str]:
    """By which a stack and a gateway record SHARE of the traces."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": str(SHARE),
    }


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One of the gateways."""

    gateway: Gateway
    metrics_port: int
    """0: it has no metrics."""

    def load(self, call: Callable[[int], Load], seconds: int) -> Load:
        """A load, and one look at the metrics, several times as often as Prometheus comes."""
        if self.metrics_port:
            httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").raise_for_status()
        return call(seconds)


@contextmanager
def gateways(stack: RunningStack, endpoint: str) -> Iterator[Mapping[str, Seen]]:
    """One of each of SIDES, as `take_turns` says."""
    kinds = {
        NOTHING: {},
        METRICS: {},
        TRACES: trace_variables(endpoint),
        ACCESS_LOG: {"PMESH_GATEWAY_ACCESS_LOG": str(stack.directory / "access.log")},
    }
    with ExitStack() as started:
        sides = {}
        for side, variables in kinds.items():
            port = 0 if side == NOTHING else free_port()
            own = {**variables, "PMESH_GATEWAY_METRICS_PORT": str(port)}
            one = started.enter_context(gateway(stack, own))
            sides[side] = Seen(gateway=one, metrics_port=port)
        yield sides


def take_turns(
    stack: RunningStack, endpoint: str, texts: Sequence[str], *, rounds: int, seconds: int
) -> Iterator[Turn]:
    """Each of SIDES by each protocol, again and again. endpoint: where spans go.

    Each round has processes of its own: two of one kind differ by some per cent for as long as they
    live, which no number of turns of the same two would show.
    """
    bodies, message = write_bodies(texts, stack.directory), predict_message(texts[0])
    others: Parts = stack.parts("triton", "postgres")
    for turn in range(rounds):
        with gateways(stack, endpoint) as sides:
            for position, line in enumerate(LINES):
                for side in order(turn, position):
                    seen = sides[side]
                    by_grpc, by_rest = partial(seen.gateway.grpc, message), seen.gateway.rest
                    call = by_grpc if line == LINES[0] else partial(by_rest, bodies)
                    parts = {**others, "gateway": seen.gateway.process.pid}
                    load = partial(seen.load, call)
                    yield time_turn(parts, line, load, side, pair=turn, seconds=seconds)


def order(turn: int, position: int) -> tuple[str, ...]:
    """Who comes when changes from turn to turn: each comes everywhere, and as often before each of
    the others as after it."""
    first = (turn // 2 + position) % len(SIDES)
    rotated = (*SIDES[first:], *SIDES[:first])
    return rotated if turn % 2 == 0 else rotated[::-1]


def comparisons(turns: Sequence[Turn]) -> dict[tuple[str, str, str], Comparison]:
    """CPU seconds for 1,000 calls, by what is added, line, and whose: ALL or ALONE."""
    found = {}
    for added, beside in _BESIDE.items():
        names = {beside: OLD, added: NEW}
        both = [replace(turn, side=names[turn.side]) for turn in turns if turn.side in names]
        alone = [replace(turn, cpu_s={"gateway": turn.cpu_s["gateway"]}) for turn in both]
        for whose, chosen in ((ALL, both), (ALONE, alone)):
            compared = compare(chosen)
            for line in LINES:
                found[added, line, whose] = compared[line, CPU]
    return found


def table(compared: Mapping[tuple[str, str, str], Comparison], spans: Mapping[str, int]) -> Table:
    """What is added, and what for. spans: how many have come, by service."""
    shown = empty_table("CPU seconds for 1,000 calls", "", "line", "of", "without", "with")
    for head in ("with / without", "95 %"):
        shown.add_column(head, justify="right")
    for (added, line, whose), one in compared.items():
        low, high = one.ratio.interval
        shown.add_row(
            *(added, line, whose, f"{one.old:.3f}", f"{one.new:.3f}"),
            *(f"{one.ratio.point:.3f}", f"{low:.3f} to {high:.3f}"),
        )
    shown.caption = (
        "metrics: read once in each turn, beside a gateway without. traces and access log: beside"
        f" one with metrics. traces: {SHARE:.0%} of them, to a receiver in another process, which"
        f" got {', '.join(f'{count:,} spans of {service}' for service, count in spans.items())};"
        " Triton is ready to record on both sides. The ratio is the median over the pairs of turns;"
        " 95 %: where it would be for other pairs."
    )
    return shown


def targets(compared: Mapping[tuple[str, str, str], Comparison]) -> Iterator[Target]:
    """Of metrics and of traces."""
    for added, bound in GOALS.items():
        for line in LINES:
            point = compared[added, line, ALL].ratio.point
            yield limit(f"{line} with {added}, CPU", point, bound)
