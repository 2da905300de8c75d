"""`pmesh annotate`: people label what the models answered, in Label Studio."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, console, fail, for_home, messages
from pmesh.cli.running import running_stack

if TYPE_CHECKING:
    from annotation.label_studio import LabelStudio
    from annotation.store import AnnotationStore
    from pmesh.stack.local import LocalStack

PARTS = ("label-studio", "annotation")
_POLL_S = 0.2

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL")]


def up(home: HomeOption = HOME) -> None:
    """Start Label Studio, with a project for each model; it then belongs to the stack.

    The first time installs it, some 800 MB, into an environment of its own, and takes minutes.

    [bold]pmesh annotate up[/]
    """
    from pmesh.stack.control import Stack
    from pmesh.stack.label_studio import USER

    stack = running_stack(home)
    stack.label_studio.turn_on(_label_studio_python(home))
    Stack(home).change_parts()
    with messages.status("Label Studio starts; the first time it takes a minute or two"):
        _wait_until_ready(home)
        with _opened(home) as (store, label_studio):
            _keep_projects(store, label_studio, home)
    console.print(f"Label Studio   {stack.label_studio.url}", markup=False)
    console.print(f"log in as      {USER}", markup=False)
    file = home.resolve() / "secrets.json"
    console.print(f"password       label-studio in {file}", markup=False)


def down(home: HomeOption = HOME) -> None:
    """Stop Label Studio, also for later starts of the stack. What is in it stays.

    [bold]pmesh annotate down[/]
    """
    from pmesh.stack.control import Stack

    stack = running_stack(home)
    stack.label_studio.turn_off()
    Stack(home).change_parts()
    with messages.status("Label Studio stops"):
        while (status := Stack(home).status()) and any(part.name in PARTS for part in status.parts):
            time.sleep(_POLL_S)


def push(
    model: ModelArgument,
    count: Annotated[int, typer.Option("--count", min=1, max=5000, help="How many to send.")],
    control: Annotated[
        float, typer.Option("--control", max=1, help="The share of them that chance chooses.")
    ] = 0.2,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the choice; default: by chance.")
    ] = None,
    home: HomeOption = HOME,
) -> None:
    """Send what is worth a person's time: uncertain answers, those of drifted slices, a control.

    The candidates are the newest 5000 answers since the last push that nobody has labelled.

    [bold]pmesh annotate push sentiment --count 50[/]
    """
    from rich.progress import Progress

    from annotation.label_studio import LabelStudioAway, LabelStudioRefused
    from annotation.sending import NothingToSend, choose, send

    if not 0 < control <= 1:
        fail("--control is a share above 0, up to 1: without a control, no figure is unbiased")
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    with _opened(home) as (store, label_studio):
        try:
            choice = choose(
                store, label_studio, model, count=count, control_share=control, seed=seed
            )
        except (NothingToSend, LabelStudioAway, LabelStudioRefused) as error:
            fail(str(error))
        total = sum(choice.chosen.values())
        how = ", ".join(f"{rows} {name}" for name, rows in sorted(choice.chosen.items()))
        console.print(f"{total} of {choice.candidates} chosen: {how}; seed {seed}", markup=False)
        try:
            with Progress(console=messages, transient=True) as progress:
                bar = progress.add_task(model, total=total)
                send(
                    store,
                    label_studio,
                    model,
                    choice.project,
                    tell=lambda done: progress.update(bar, completed=done),
                )
        except (LabelStudioAway, LabelStudioRefused) as error:
            fail(f"{error}; what is not there yet will be sent when it answers")


def pull(home: HomeOption = HOME) -> None:
    """Take what people said from all tasks now. The stack does so by itself when something is said.

    [bold]pmesh annotate pull[/]
    """
    from annotation.label_studio import LabelStudioAway, LabelStudioRefused
    from annotation.look import look

    with _opened(home) as (store, label_studio):
        try:
            done = look(store, label_studio, full=True)
        except (LabelStudioAway, LabelStudioRefused) as error:
            fail(str(error))
    for model, pulled in done.items():
        text = f"{model}: {pulled.tasks} tasks, {pulled.added} labels came"
        text += f", {pulled.withdrawn} were withdrawn" if pulled.withdrawn else ""
        text += f", {pulled.foreign} tasks are not ours" if pulled.foreign else ""
        text += f", {pulled.missing} tasks were deleted there" if pulled.missing else ""
        text += "".join(f", {n} refused: {reason}" for reason, n in pulled.refusals.items())
        console.print(text, markup=False)


def agreement(model: ModelArgument, home: HomeOption = HOME) -> None:
    """Say how far the annotators of a model agree: Krippendorff's alpha, 1 in all, 0 by chance.

    [bold]pmesh annotate agreement sentiment[/]
    """
    from annotation.agreement import agreement as measure

    with _store(running_stack(home), home) as store:
        if store.unconsidered(model, settle_s=0) is None:
            fail(f"there is no model {model!r}")
        found = measure(store.said_by_several(model))
    of = f"{found.predictions} predictions that several labelled, {found.labels} labels"
    alpha = "not defined" if found.alpha is None else f"{found.alpha:.3f}"
    console.print(f"alpha {alpha}, of {of}", markup=False)


def _label_studio_python(home: Path) -> Path:
    """The python of Label Studio's environment, installed if need be."""
    from importlib.resources import as_file, files

    from rich.progress import Progress

    from pmesh.stack.own_environment import InstallFailed, python_of

    with (
        as_file(files("annotation") / "label_studio.txt") as lock,
        Progress(console=messages, transient=True) as progress,
    ):
        bar = progress.add_task("Label Studio", total=None)
        try:
            return python_of(
                home.resolve(),
                "label-studio",
                lock,
                lambda done, of: progress.update(bar, completed=done, total=of),
            )
        except InstallFailed as error:
            fail(str(error))


def _wait_until_ready(home: Path) -> None:
    from pmesh.stack.control import Stack
    from pmesh.stack.status import State

    while status := Stack(home).status():
        states = {part.name: part.state for part in status.parts if part.name in PARTS}
        if State.FAILED in states.values():
            fail("Label Studio does not start", for_home("pmesh logs label-studio", home))
        if len(states) == len(PARTS) and set(states.values()) == {State.READY}:
            return
        time.sleep(_POLL_S)
    fail("the stack has ended", for_home("pmesh up", home))


def _keep_projects(store: "AnnotationStore", label_studio: "LabelStudio", home: Path) -> None:
    from annotation.label_studio import LabelStudioAway, LabelStudioRefused
    from annotation.projects import keep_project

    try:
        for model in store.models():
            keep_project(store, label_studio, model)
    except (LabelStudioAway, LabelStudioRefused) as error:
        fail(str(error), for_home("pmesh logs label-studio", home))


@contextmanager
def _opened(home: Path) -> "Iterator[tuple[AnnotationStore, LabelStudio]]":
    from annotation.label_studio import LabelStudio

    stack = running_stack(home)
    if not stack.label_studio.is_on:
        fail("Label Studio does not belong to this stack", for_home("pmesh annotate up", home))
    with _store(stack, home) as store:
        yield store, LabelStudio(stack.label_studio.url, stack.label_studio.token)


@contextmanager
def _store(stack: "LocalStack", home: Path) -> "Iterator[AnnotationStore]":
    import psycopg

    from annotation.store import AnnotationStore
    from database.connections import connect

    try:
        with connect(stack.annotation_conninfo()) as connection:
            yield AnnotationStore(connection)
    except psycopg.Error as error:
        fail(f"PostgreSQL: {error}", for_home("pmesh status", home))
