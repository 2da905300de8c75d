"""`pmesh up` and `pmesh down`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pmesh.cli.options import HOME, PORT, HomeOption, PortOption, fail, for_home, messages
from pmesh.cli.token import callers_token, given_token
from pmesh.stack.advice import advice
from pmesh.stack.control import Stack
from pmesh.stack.logs import last_lines
from pmesh.stack.status import StackStatus, State

_ENDS = (State.STOPPED, State.FAILED)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOG_LINES = 15


def up(
    home: HomeOption = HOME,
    port: PortOption = PORT,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready and leave it running.")
    ] = False,
    auth: Annotated[
        bool, typer.Option("--auth", help="Ask callers for tokens, as mesh.yaml says; pmesh token.")
    ] = False,
    replicas: Annotated[
        bool,
        typer.Option(
            "--replicas",
            help="Two gateways behind a load balancer, two relays, two Tritons, and three workers"
            " of the first model, to see that what holds for one holds for several.",
        ),
    ] = False,
    observe: Annotated[
        bool,
        typer.Option(
            "--observe",
            help="With what shows metrics and traces: MLflow or Jaeger, Prometheus and Grafana, as"
            " far as they are installed. Every call is traced.",
        ),
    ] = False,
) -> None:
    """Start the whole product on this machine; Ctrl-C stops it.

    The first start trains the models; a later one goes on with what was kept.

    [bold]pmesh up --port 9090 --home ~/mesh[/]
    """
    from pmesh.cli.first_predictions import show_first_predictions
    from pmesh.cli.progress import ChangeLines, LiveTable, show_until

    stack = Stack(home, gateway_port=port, auth=auth, replicas=replicas, observe=observe)
    _refuse_second(stack, home)
    if auth:
        given_token()  # refused now, not once the models are trained
    _check_machine(home, port)
    if observe:
        _tell_what_is_missing(home)
    stack.launch(detached=detach)
    with _signals_interrupt(stack):
        statuses = stack.follow()
        display = LiveTable() if messages.is_terminal else ChangeLines()
        status = show_until(statuses, display, State.READY, *_ENDS)
        if status is not None and status.state is State.READY:
            answered = show_first_predictions(status, callers_token(home) if auth else "", home)
            if detach:
                raise typer.Exit(0 if answered else 1)
            status = show_until(statuses, ChangeLines(status), *_ENDS)
    if status is None or status.state is not State.STOPPED:
        _explain(stack, status)
    messages.print(f"stopped; everything is kept in {home}")


def down(home: HomeOption = HOME) -> None:
    """Stop the stack, wherever it was started."""
    stack = Stack(home)
    if stack.status() is None:
        fail(f"no stack runs on {home}")
    with messages.status("stopping"):
        try:
            stack.stop()
        except TimeoutError as error:
            fail(str(error), for_home("pmesh down again, which kills it", home))
    messages.print(f"stopped; everything is kept in {home}")


def _refuse_second(stack: Stack, home: Path) -> None:
    if (running := stack.status()) is not None:
        fail(
            f"a stack runs on {stack.home.path}, its gateway on port {running.gateway_port}",
            for_home("pmesh status; or pmesh down, to start it anew", home),
        )


def _check_machine(home: Path, port: int) -> None:
    from pmesh.stack.requirements import check_machine

    problems = [found for found in check_machine(home, gateway_port=port) if not found.ok]
    for found in problems[:-1]:
        messages.print(
            f"{found.name}: {found.detail}; {for_home(found.remedy, home)}", markup=False
        )
    if problems:
        fail(f"{problems[-1].name}: {problems[-1].detail}", for_home(problems[-1].remedy, home))


def _tell_what_is_missing(home: Path) -> None:
    from pmesh.stack.observers import HOW_TO_GET, installed

    missing = [how for name, how in HOW_TO_GET.items() if name not in installed()]
    for how in missing:
        messages.print(how, markup=False)
    if missing:
        answers = "the page of metrics that pmesh status names and pmesh logs answer without them"
        messages.print(for_home(answers, home), markup=False)


@contextmanager
def _signals_interrupt(stack: Stack) -> Iterator[None]:
    """Signals stop the stack, not this command, which shows how it stops."""
    asked = False

    def on_signal(*_: object) -> None:
        nonlocal asked
        messages.print("killing" if asked else "stopping; Ctrl-C again kills")
        asked = True
        stack.interrupt()

    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _explain(stack: Stack, status: StackStatus | None) -> NoReturn:
    """Say why the stack ended, with the end of the logs that tell it."""
    if status is None or not status.failed:
        if words := stack.last_words():
            fail(words, "mend that, then start it again")
        fail("the supervisor was killed", "start it again")
    part = status.part(status.failed[0])
    lines = last_lines(stack.home.log(part.name), _LOG_LINES)
    messages.rule(f"the end of {stack.home.log(part.name)}")
    messages.print("\n".join(lines), markup=False)
    fail(
        f"{part.name} does not stay up: {part.last_exit}",
        advice(last_exit=part.last_exit, log="\n".join(lines))
        or "pmesh doctor, which looks for what may be missing",
    )
