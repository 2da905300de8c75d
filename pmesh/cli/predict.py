"""`pmesh predict`: texts in, what a model says of them out."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, JsonOption, console, fail, for_home, messages
from pmesh.cli.texts import read_texts
from pmesh.cli.token import callers_token
from pmesh.stack.control import Stack

if TYPE_CHECKING:
    from pmesh.cli.client import GatewayClient
    from pmesh.cli.outcomes import Outcome


def predict(
    model: Annotated[str, typer.Argument(help="Id of the model, such as sentiment.")],
    text: Annotated[str, typer.Argument(help="What to predict.", show_default=False)] = "",
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Predict each line of a file, or each row of a .tsv that has a column `text`.",
        ),
    ] = None,
    later: Annotated[
        bool, typer.Option("--later", help="Queue the work and answer with its ids at once.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="With --later: wait for the results.")
    ] = False,
    as_json: JsonOption = False,
    home: HomeOption = HOME,
) -> None:
    """Ask a model about a text, or about each text of a file.

    [bold]pmesh predict sentiment "What a lovely day"[/]

    [bold]pmesh predict sentiment "What a lovely day" --later --wait[/]

    [bold]pmesh predict sentiment --file reviews.tsv --json > answers.jsonl[/]
    """
    from pmesh.calls import CallFailedError
    from pmesh.cli.client import GatewayClient

    if wait and not later:
        fail("--wait is for --later; without it there is nothing to wait for")
    if bool(text) == (file is not None):
        fail("give one text, or --file with many", f'pmesh predict {model} "some text"')
    if (status := Stack(home).status()) is None:
        fail(f"no stack runs on {home}", for_home("pmesh up", home))
    texts = _texts(file) if file else [text]
    try:
        with GatewayClient(status.gateway_port, callers_token(home)) as client:
            outcomes = _outcomes(client, model, texts, later=later, wait=wait)
            shown = _with_progress(outcomes, len(texts)) if file else outcomes
            failed = _show(texts, shown, as_json=as_json)
    except CallFailedError as error:
        fail(str(error), for_home(error.remedy, home))
    if failed:
        fail(f"{failed} of {len(texts)} texts have no prediction")


def _texts(file: Path) -> list[str]:
    try:
        return list(read_texts(file))
    except (ValueError, OSError) as error:  # ValueError: also what is not UTF-8
        fail(str(error))


def _outcomes(
    client: "GatewayClient", model: str, texts: list[str], *, later: bool, wait: bool
) -> "Iterator[Outcome]":
    if later and len(texts) == 1:
        accepted: Iterable[Outcome] = [client.create(model, texts[0])]
    elif later:
        accepted = client.create_each(model, texts)
    elif len(texts) == 1:
        return iter([client.predict(model, texts[0])])
    else:
        return client.predict_each(model, texts)
    return _finished(client, list(accepted)) if wait else iter(accepted)


def _finished(client: "GatewayClient", accepted: "list[Outcome]") -> "Iterator[Outcome]":
    from predict.v1.prediction_pb2 import Prediction

    for outcome in accepted:
        yield client.wait(outcome) if isinstance(outcome, Prediction) else outcome


def _with_progress(outcomes: "Iterable[Outcome]", total: int) -> "Iterator[Outcome]":
    from rich.progress import track

    # Beside the answers on a terminal, else where they do not go.
    place = console if console.is_terminal else messages
    yield from track(outcomes, "predicting", total=total, console=place, transient=True)


def _show(texts: list[str], found: "Iterable[Outcome]", *, as_json: bool) -> int:
    """Print each outcome as it comes; how many texts have no prediction."""
    from pmesh.cli import outcomes

    failed = 0
    for text, outcome in zip(texts, found, strict=True):
        failed += outcomes.has_failed(outcome)
        if as_json:
            print(outcomes.as_json(text, outcome))
        else:
            console.print(outcomes.as_line(text, outcome))
    return failed
