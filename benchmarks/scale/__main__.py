"""Measures what a prediction takes of each part: `python -m benchmarks.scale --home .pmesh`.

On the stack that runs there, with `pmesh up` or `pmesh up --replicas`. docs/scale.md says what
follows of the figures. They are sums, not speeds, but other work on the machine moves them as
well: batches are others then.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.scale.bus import Listener
from benchmarks.scale.measure import Cost, Scale
from benchmarks.tables import empty_table, show
from pmesh.stack.control import Stack
from pmesh.stack.environment import aws_environment
from pmesh.stack.postgres import OWNER, Postgres
from pmesh.stack.status import StackStatus

ACROSS = ("gateway", "balancer", "features", "triton", "postgres", "relay", "worker", "aws", "s3")
"""The parts that a prediction takes time of; several of one kind are added up."""


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".pmesh"))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--count", type=int, default=3000, help="of predictions for later")
    parser.add_argument("--in-flight", type=int, nargs="+", default=(16, 64, 256))
    arguments = parser.parse_args()
    if (status := Stack(arguments.home).status()) is None:
        raise SystemExit(f"no stack runs on {arguments.home}")
    _tell(arguments, status)


def _tell(arguments: argparse.Namespace, status: StackStatus) -> None:
    home = Stack(arguments.home).home
    conninfo = Postgres(
        home.path / "postgres",
        port=status.ports["postgres"],
        password=lambda role: home.secret(f"postgres-{role}"),
        models=[],
    ).conninfo(OWNER)
    gateway = f"127.0.0.1:{status.gateway_port}"
    parts = {p.name: p.pid for p in status.parts if p.pid and p.name.startswith(ACROSS)}
    scale = Scale(conninfo, parts, gateway)
    costs = {
        f"now, {in_flight} in flight": scale.now(in_flight=in_flight, seconds=arguments.seconds)
        for in_flight in arguments.in_flight
    }
    costs["later"] = scale.later(count=arguments.count, in_flight=64)
    aws = aws_environment(
        port=status.ports["aws"],
        s3_port=status.ports["s3"],
        key_id="predict-mesh",
        secret=home.secret("s3"),
    )
    with Listener(aws) as listener:
        count = arguments.count // 10
        scale.later(count=count, in_flight=16)
        messages, sizes = listener.heard()
    console = Console(highlight=False, width=180)
    show(console, _cost_table(costs), _rest_table(scale), _bus_table(messages, sizes, count))


def _cost_table(costs: Mapping[str, Cost]) -> Table:
    kinds = [kind for kind in ACROSS if any(_of(cost, kind) for cost in costs.values())]
    table = empty_table(
        "CPU seconds for 1,000 predictions",
        *("load", "", "a second", *kinds, "commits", "WAL bytes", "stored bytes", "others"),
    )
    for name, cost in costs.items():
        table.add_row(
            name,
            "",
            f"{cost.load.rate:,.0f}",
            *(f"{1000 * _of(cost, kind):.3f}" for kind in kinds),
            f"{cost.commits:.3f}",
            f"{cost.wal_bytes:,.0f}",
            f"{cost.stored_bytes:,.0f}",
            f"{cost.foreign_share:.0%}",
        )
    return table


def _rest_table(scale: Scale) -> Table:
    table = empty_table("At rest, thousandths of a CPU", *scale.rest)
    table.add_row(*(f"{1000 * used:.1f}" for used in scale.rest.values()))
    return table


def _of(cost: Cost, kind: str) -> float:
    return sum(used for part, used in cost.cpu_s.items() if part.startswith(kind))


def _bus_table(messages: Counter[str], sizes: Counter[str], count: int) -> Table:
    table = empty_table(
        "On the bus, for a prediction made later", "event", "", "messages", "bytes a message"
    )
    for event, number in sorted(messages.items()):
        table.add_row(event, "", f"{number / count:.2f}", f"{sizes[event] / number:,.0f}")
    return table


if __name__ == "__main__":
    main()
