"""Measures the local stack on this machine: `python -m benchmarks`, which `make bench` calls."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks import machine, report
from benchmarks.champion import load_model
from benchmarks.contenders import GRPC, REST, WrongAnswerError, check, contenders
from benchmarks.later import Later, measure_burst, measure_emulator, measure_latency
from benchmarks.load import LoadFailedError, missing_tools
from benchmarks.now import IN_FLIGHT, Run, run_all, summarise
from benchmarks.processes import resident_mib
from benchmarks.record import Record
from benchmarks.releases import measure_releases
from benchmarks.stack import RunningStack, running_stack
from benchmarks.targets import later_targets, now_targets, release_targets
from benchmarks.texts import texts
from pmesh.stack.control import StackFailedError

RESULTS = Path(__file__).with_name("results") / "latest.json"
CHECKED = 20
"""Answers of each contender that are compared with the model's own."""
WIDTH = 120
"""Of the tables, where there is no terminal."""

tables = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
messages = Console(stderr=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    repetitions: int
    seconds: int
    """Of each load."""
    one_by_one: int
    """Predictions made later, each after the one before."""
    burst: int
    emulator_seconds: int
    """Of the load on the emulator alone."""


FULL = Plan(repetitions=7, seconds=2, one_by_one=100, burst=5000, emulator_seconds=5)
QUICK = Plan(repetitions=1, seconds=2, one_by_one=20, burst=1000, emulator_seconds=2)


def main() -> None:
    """Measure, print the tables, and keep everything in results/latest.json."""
    arguments = _parser().parse_args()
    if missing := missing_tools():
        sys.exit("\n".join(missing))
    plan = QUICK if arguments.quick else FULL
    results: dict[str, Any] = {"machine": machine.describe(), "plan": asdict(plan)}
    messages.print("starting a stack, which first trains the models: about a minute")
    try:
        with running_stack() as stack:
            if arguments.variant:
                messages.print(f"training and releasing the variant {arguments.variant}")
                stack.release(stack.train("--variant", arguments.variant))
            if arguments.only in (None, "sync"):
                results |= _measure_now(stack, plan)
            if arguments.only in (None, "async"):
                results |= _measure_later(stack, plan, results.get("grpc_rate"))
            if arguments.only in (None, "releases"):
                results |= _measure_releases(stack)
    except (StackFailedError, WrongAnswerError, LoadFailedError) as error:
        sys.exit(str(error))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    messages.print(f"kept in {RESULTS}")


def _measure_now(stack: RunningStack, plan: Plan) -> dict[str, Any]:
    asked, record = texts(), Record(stack.conninfo)
    model = load_model(stack.model)
    with contenders(stack, asked) as all_contenders:
        for contender in all_contenders:
            check(contender, model, asked[:CHECKED])
        runs = run_all(all_contenders, record, repetitions=plan.repetitions, seconds=plan.seconds)
        total = len(all_contenders) * len(IN_FLIGHT) * plan.repetitions
        done: list[Run] = list(track(runs, "predicting now", total=total, console=messages))
        memory = resident_mib(stack.parts())
    summaries = summarise(done)
    report.show(
        tables,
        report.now_table(summaries),
        report.cpu_table(summaries, (REST, GRPC)),
        report.memory_table(memory),
        report.target_table(now_targets(summaries, memory["gateway"])),
    )
    return {
        "now": [asdict(run) for run in done],
        "memory_mib": memory,
        "grpc_rate": summaries[GRPC, 64].rate,
    }


def _measure_later(stack: RunningStack, plan: Plan, grpc_rate: float | None) -> dict[str, Any]:
    asked, record = texts(), Record(stack.conninfo)
    with messages.status("predicting later, one by one"):
        latency = measure_latency(stack, asked[: plan.one_by_one])
    with messages.status(f"predicting later, a burst of {plan.burst:,}"):
        burst = measure_burst(stack, record, asked[0], count=plan.burst)
        record.settle()
    with messages.status("measuring the emulator alone"):
        emulator_rate = measure_emulator(stack, seconds=plan.emulator_seconds)
    later = Later(latency=latency, burst=burst, emulator_rate=emulator_rate)
    report.show(
        tables,
        report.later_table(later),
        report.target_table(later_targets(later, grpc_rate)),
    )
    return {"later": asdict(later)}


def _measure_releases(stack: RunningStack) -> dict[str, Any]:
    with messages.status("training a second version, and releasing it twice"):
        releases = measure_releases(stack, texts()[0])
    report.show(
        tables,
        report.releases_table(releases),
        report.target_table(release_targets(releases)),
    )
    return {"releases": asdict(releases)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repetition, to see it work")
    parser.add_argument(
        "--only",
        choices=("sync", "async", "releases"),
        help="predictions made now, or later, or releases",
    )
    parser.add_argument("--variant", help="another architecture of the model, such as encoder")
    return parser


if __name__ == "__main__":
    main()
