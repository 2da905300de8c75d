"""The ordinary run: the product beside its floor, Triton alone, and what people write."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks import auth, features, report, telemetry
from benchmarks.against.ratios import RATE, compare
from benchmarks.against.report import comparison_table
from benchmarks.champion import load_model
from benchmarks.checkout import MANY
from benchmarks.choice.run import measure_choice
from benchmarks.contenders import GRPC, REST, check, contenders
from benchmarks.growth.measure import measure_growth
from benchmarks.growth.report import growth_table
from benchmarks.later import Later, measure_burst, measure_emulator, measure_latency
from benchmarks.now import Run, run_all, summarise
from benchmarks.otlp_receiver import receiver
from benchmarks.processes import resident_mib
from benchmarks.record import Record
from benchmarks.releases import measure_releases
from benchmarks.stack import RunningStack, running_stack
from benchmarks.tables import show
from benchmarks.target import ratio, target_table
from benchmarks.targets import later_targets, now_targets, release_targets
from benchmarks.texts import texts

NOW, LATER, RELEASES, FEATURES = "sync", "async", "releases", "features"
GROWTH, CHOICE, AUTH, TELEMETRY = "growth", "choice", "auth", "telemetry"
KINDS = (NOW, LATER, RELEASES)
"""Of a whole run; the others, which need models or records of their own, go alone."""
WITHOUT_LOAD = (GROWTH, CHOICE)
"""Need no generator of load."""
PICTURE = Path(__file__).with_name("results") / "choice.png"
CHECKED = 20
"""Answers of each contender that are compared with the model's own."""


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
    seeds: int
    """Pairs of learning curves."""


FULL = Plan(repetitions=7, seconds=2, one_by_one=100, burst=5000, emulator_seconds=5, seeds=10)
QUICK = Plan(repetitions=1, seconds=2, one_by_one=20, burst=1000, emulator_seconds=2, seeds=2)


def measure(
    plan: Plan,
    kinds: Collection[str],
    *,
    variant: str | None,
    most_rows: int,
    tables: Console,
    messages: Console,
) -> dict[str, Any]:
    """Measure, print the tables, and answer all of it.

    kinds: of KINDS, or one of the others alone. variant: another architecture of the model.
    most_rows: of a record, for GROWTH.
    Raises CheckoutFailedError, MeshFailedError, WrongAnswerError, LoadFailedError, InvalidDataset,
    OSError.
    """
    results: dict[str, Any] = {"plan": asdict(plan)}
    if CHOICE in kinds:
        return results | measure_choice(
            seeds=plan.seeds, picture=PICTURE, tables=tables, messages=messages
        )
    if FEATURES in kinds:
        return results | _measure_features(plan, tables, messages)
    if AUTH in kinds:
        return results | _measure_auth(plan, tables, messages)
    if TELEMETRY in kinds:
        return results | _measure_telemetry(plan, tables, messages)
    if GROWTH in kinds:
        turns = plan.repetitions * 3
        growth = measure_growth(most_rows=most_rows, turns=turns, messages=messages)
        show(tables, growth_table(growth))
        return results | {"growth": asdict(growth)}
    with running_stack(messages, models=MANY if NOW in kinds else ()) as stack:
        if variant:
            messages.print(f"training and releasing the variant {variant}")
            stack.release(stack.train("--variant", variant))
        if NOW in kinds:
            results |= _measure_now(stack, plan, tables, messages)
        if LATER in kinds:
            results |= _measure_later(stack, plan, results.get("grpc_rate"), tables, messages)
        if RELEASES in kinds:
            results |= _measure_releases(stack, tables, messages)
    return results


def _measure_now(
    stack: RunningStack, plan: Plan, tables: Console, messages: Console
) -> dict[str, Any]:
    asked, record = texts(), Record(stack.conninfo)
    model = load_model(stack.model)
    with contenders(stack, asked) as all_contenders:
        for contender in all_contenders:
            check(contender, model, asked[:CHECKED])
        runs = run_all(all_contenders, record, repetitions=plan.repetitions, seconds=plan.seconds)
        total = sum(len(c.in_flight) for c in all_contenders) * plan.repetitions
        done: list[Run] = list(track(runs, "predicting now", total=total, console=messages))
        memory = resident_mib(stack.parts())
    summaries = summarise(done)
    show(
        tables,
        report.now_table(summaries),
        report.cpu_table(summaries, (REST, GRPC)),
        report.memory_table(memory),
        target_table(now_targets(summaries, memory["gateway"])),
    )
    return {
        "now": [asdict(run) for run in done],
        "memory_mib": memory,
        "grpc_rate": summaries[GRPC, 64].rate,
    }


def _measure_later(
    stack: RunningStack, plan: Plan, grpc_rate: float | None, tables: Console, messages: Console
) -> dict[str, Any]:
    asked, record = texts(), Record(stack.conninfo)
    with messages.status("predicting later, one by one"):
        latency = measure_latency(stack, asked[: plan.one_by_one])
    with messages.status(f"predicting later, a burst of {plan.burst:,}"):
        burst = measure_burst(stack, record, asked[0], count=plan.burst)
        record.settle()
    with messages.status("measuring the emulator alone"):
        emulator_rate = measure_emulator(stack, seconds=plan.emulator_seconds)
    later = Later(latency=latency, burst=burst, emulator_rate=emulator_rate)
    show(
        tables,
        report.later_table(later),
        target_table(later_targets(later, grpc_rate)),
    )
    return {"later": asdict(later)}


def _measure_features(plan: Plan, tables: Console, messages: Console) -> dict[str, Any]:
    with running_stack(messages, models=features.MODELS, prepare=features.set_widths) as stack:
        pairs = plan.repetitions * 2
        turns = features.take_turns(stack.mesh, texts()[0], pairs=pairs, seconds=plan.seconds)
        total = pairs * len(features.MODELS)
        done = list(track(turns, "with features and without", total=total, console=messages))
    show(tables, comparison_table(done, compare(done), ["without features", "with features"]))
    return {"features": [asdict(turn) for turn in done]}


def _measure_auth(plan: Plan, tables: Console, messages: Console) -> dict[str, Any]:
    pairs = plan.repetitions * 3
    with running_stack(messages) as stack, auth.gateways(stack) as sides:
        turns = auth.take_turns(stack, sides, texts(), pairs=pairs, seconds=plan.seconds)
        done = list(track(turns, "with tokens and without", total=pairs * 2, console=messages))
    compared = compare(done)
    rate = compared[auth.LINE, RATE].ratio.point
    show(
        tables,
        comparison_table(done, compared, ["without tokens", "with tokens"]),
        target_table([ratio(f"{auth.LINE} with tokens, of without", rate, 0.9)]),
    )
    return {"auth": [asdict(turn) for turn in done]}


def _measure_telemetry(plan: Plan, tables: Console, messages: Console) -> dict[str, Any]:
    rounds = plan.repetitions * 3
    with (
        receiver() as receiving,
        running_stack(messages, variables=telemetry.trace_variables(receiving.endpoint)) as stack,
    ):
        turns = telemetry.take_turns(
            stack, receiving.endpoint, texts(), rounds=rounds, seconds=plan.seconds
        )
        total = rounds * len(telemetry.LINES) * len(telemetry.SIDES)
        done = list(track(turns, "seen and unseen", total=total, console=messages))
        spans = receiving.stop()
    compared = telemetry.comparisons(done)
    show(
        tables,
        telemetry.table(compared, spans),
        target_table(telemetry.targets(compared)),
    )
    return {"telemetry": [asdict(turn) for turn in done], "spans": spans}


def _measure_releases(stack: RunningStack, tables: Console, messages: Console) -> dict[str, Any]:
    with messages.status("training a second version, and releasing it twice"):
        releases = measure_releases(stack, texts()[0])
    show(
        tables,
        report.releases_table(releases),
        target_table(release_targets(releases)),
    )
    return {"releases": asdict(releases)}
