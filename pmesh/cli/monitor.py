"""`pmesh monitor`: how well each model does, hour by hour."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pmesh.cli.options import HOME, HomeOption, console, fail, for_home, messages
from pmesh.cli.running import running_stack
from pmesh.stack.local import FEATURES_BUCKET

if TYPE_CHECKING:
    from monitoring.store import Latest, QualityStore

COLUMNS = {
    "volume": "asked",
    "failure_share": "failed",
    "latency_s:p95": "p95",
    "label_drift": "label drift",
    "length_drift": "length drift",
    "vocabulary_drift": "word drift",
    "accuracy": "accuracy",
    "f1_macro": "F1",
}
"""Metric -> what stands above it."""

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL")]
FromOption = Annotated[
    datetime | None, typer.Option("--from", metavar="TIME", help="UTC, as 2026-11-01T00:00:00.")
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", metavar="TIME", help="Its end, which is not in it.")
]


def run(home: HomeOption = HOME) -> None:
    """Make the figures of all hours that are due, and show the newest.

    The stack does so by itself after each hour; a run in between takes late labels up at once.

    [bold]pmesh monitor run[/]
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from monitoring.defaults import Defaults
    from monitoring.features import open_features
    from monitoring.job import Step
    from monitoring.job import run as make

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with _store(home) as store, Progress(*columns, console=messages, transient=True) as progress:
        bars = {model: progress.add_task(model, total=None) for model in store.models()}

        def tell(step: Step) -> None:
            progress.update(bars[step.model], completed=step.done, total=step.of)

        stack = running_stack(home)
        with open_features(stack.features_client(), FEATURES_BUCKET) as features:
            done = make(store, Defaults(stack.mlflow), features=features, tell=tell)
        latest = store.latest(100_000)
    for made in done:
        messages.print(f"{made.model}: {made.hours} hours made", markup=False)
    console.print(_table(latest))


def reference(
    model: ModelArgument,
    start: FromOption = None,
    end: ToOption = None,
    default: Annotated[
        bool, typer.Option("--default", help="Forget what was chosen, for each version's default.")
    ] = False,
    home: HomeOption = HOME,
) -> None:
    """Show or choose what the hours of a model are compared with.

    By default each version is compared with the held-out data of its training, or with its first
    answers. What is chosen holds for all versions; hours that were made are made anew by the next
    run.

    [bold]pmesh monitor reference sentiment[/]
    [bold]pmesh monitor reference sentiment --from 2026-11-01T00:00:00 --to 2026-11-08T00:00:00[/]
    """
    from monitoring.choice import CannotChoose, check_model, choose, read_window

    start, end = (time and time.replace(tzinfo=UTC) for time in (start, end))
    with _store(home) as store:
        try:
            check_model(store, model)
            window = read_window(start, end, default=default)
            if default:
                store.forget_reference(model)
            elif window:
                choose(store, model, window)
        except CannotChoose as error:
            fail(str(error))
        found = store.references(model)
    if not found:
        messages.print(f"{model} is compared with nothing yet: its versions have few answers")
    for version, one in sorted(found.items()):
        whose = f"version {version}" if version else "all versions"
        console.print(f"{whose:<14} {one.name}, {one.rows} answers", markup=False)


def report(
    model: ModelArgument,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="In UTC; default: today.")
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Write Evidently's reports of a day: drift and quality, of each version that was asked.

    They are HTML, and open in a browser. The first time installs Evidently, some 700 MB, into an
    environment of its own; from then on the stack itself writes those of each day after each hour.
    [bold]pmesh status[/] says where they are listed.

    [bold]pmesh monitor report sentiment --day 2026-11-26[/]
    """
    from monitoring.choice import CannotChoose, check_model
    from monitoring.hours import day_window
    from monitoring.report import ReportFailed, write_reports
    from pmesh.stack.own_environment import InstallFailed

    date = (day or datetime.now(UTC)).date()
    with _store(home) as store:
        try:
            check_model(store, model)
            sizes = store.sizes(model, day_window(date))
            if not sizes:
                fail(f"{model} was not asked on {date}")
            python = _evidently(home)
            for size in sizes:
                with messages.status(f"{model}@{size.version}"):
                    folder = home.resolve() / "reports"
                    reports = write_reports(
                        store, model, size.version, date, python=python, folder=folder
                    )
                for written in reports:
                    console.print(written.file.as_uri(), markup=False)
        except (CannotChoose, ReportFailed, InstallFailed) as error:
            fail(str(error))


def _evidently(home: Path) -> Path:
    """The python of Evidently's environment, installed if need be."""
    from importlib.resources import as_file, files

    from rich.progress import Progress

    from pmesh.stack.own_environment import python_of

    with (
        as_file(files("monitoring") / "evidently.txt") as lock,
        Progress(console=messages, transient=True) as progress,
    ):
        bar = progress.add_task("Evidently", total=None)
        return python_of(
            home.resolve(),
            "evidently",
            lock,
            lambda done, of: progress.update(bar, completed=done, total=of),
        )


@contextmanager
def _store(home: Path) -> "Iterator[QualityStore]":
    import psycopg

    from monitoring.store import QualityStore, connect

    try:
        with connect(running_stack(home).monitoring_conninfo()) as connection:
            yield QualityStore(connection)
    except psycopg.Error as error:
        fail(f"PostgreSQL: {error}", for_home("pmesh status", home))


def _table(latest: "list[Latest]") -> Table:
    """A row for each version and slice of each model's newest hour that is over."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("hour", "version", "slice", *COLUMNS.values()):
        rows.add_column(column)
    groups: dict[tuple[str, str, str], dict[str, Latest]] = {}
    for figure in latest:
        key = (f"{figure.hour:%m-%d %H:00}", f"{figure.model}@{figure.version}", figure.slice)
        groups.setdefault(key, {})[figure.metric] = figure
    for (hour, version, slice_), figures in groups.items():
        cells = [_cell(figures.get(metric)) for metric in COLUMNS]
        rows.add_row(hour, version, escape(slice_) or "all", *cells)
    return rows


def _cell(figure: "Latest | None") -> str:
    """The value with its interval; red where it says that the hour has drifted."""
    from monitoring.drift import is_drift

    if figure is None:
        return "-"
    if figure.metric == "volume":
        return f"{figure.value:.0f}"
    if figure.low is None:
        return f"{figure.value:.3g}"
    text = f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"
    return f"[red]{text}[/]" if is_drift(figure.metric, figure.low) else text
