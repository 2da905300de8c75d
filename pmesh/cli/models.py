"""`pmesh models`: the models of this checkout, and a new one."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from pmesh.cli.options import HOME, HomeOption, console, fail, for_home
from pmesh.cli.token import callers_token
from pmesh.scaffold.names import DEFAULT_LABELS, InvalidName
from pmesh.stack.control import Stack

if TYPE_CHECKING:
    from predict.v1.model_pb2 import Model

    from pmesh.stack.model_list import ModelEntry

_ABOUT = {
    "model.py": "how it learns and how it answers",
    "data/sample.tsv": "what it learns from: {rows} rows of id, label, text",
    "test_model.py": "what must hold of it",
    "values.yaml": "its id, description and labels, as the gateway lists them",
    "alerts.yaml": "when people are told that it does worse",
    "requirements.txt": "what its code needs, here and in its images",
    "__init__.py": "",
}


def new(
    name: Annotated[str, typer.Argument(help="Its id and folder: a-z and 0-9, such as support.")],
    labels: Annotated[
        str, typer.Option(help="What it chooses from, with commas between.")
    ] = ",".join(DEFAULT_LABELS),
    home: HomeOption = HOME,
) -> None:
    """Write the folder of a new model, which learns and answers as it is.

    [bold]pmesh models new spam --labels spam,ham[/]
    """
    from pmesh.scaffold.folder import write_model_folder

    models = _models_here()
    try:
        contents = write_model_folder(
            models, name, tuple(label.strip() for label in labels.split(","))
        )
    except InvalidName as error:
        fail(str(error))
    except FileExistsError:
        fail(f"there is a models/{name} already", "another name; or remove that folder first")
    except OSError as error:
        fail(f"models/{name} was not written: {error}")
    console.print(_tree(name, contents))
    _show_next_steps(name, contents["data/sample.tsv"], home)


def list_models(home: HomeOption = HOME) -> None:
    """Show the models, and what a running stack serves of them.

    Example: [bold]pmesh models list[/]
    """
    from pmesh.calls import CallFailedError
    from pmesh.cli.client import GatewayClient
    from pmesh.stack.model_list import read_model_list

    entries = read_model_list()
    if (status := Stack(home).status()) is None:
        console.print(_table(entries, None))
        return
    try:
        with GatewayClient(status.gateway_port, callers_token(home)) as client:
            served = {model.id: model for model in client.models()}
    except CallFailedError as error:
        fail(str(error), for_home(error.remedy, home))
    console.print(_table(entries, served))


def _models_here() -> Path:
    """The folder of the models, if this is the checkout that the stack is started from."""
    models = Path(str(files("models")))
    checkout = models.parent
    if not (checkout / "pyproject.toml").is_file():
        fail(
            "a model is a folder of a checkout, and this pmesh was installed without one",
            "clone the repository, make run there, then .venv/bin/pmesh models new",
        )
    if Path.cwd() != checkout.resolve():
        fail("this is not the checkout that pmesh belongs to", f"cd {checkout}")
    return models


def _tree(name: str, contents: Mapping[str, str]) -> Tree:
    tree = Tree(f"[bold]models/{name}[/]", guide_style="dim")
    rows = contents["data/sample.tsv"].count("\n") - 1
    for file, about in _ABOUT.items():
        tree.add(f"{file:<17} [dim]{about.format(rows=rows)}[/]" if about else file)
    return tree


def _show_next_steps(name: str, sample: str, home: Path) -> None:
    running = Stack(home).status() is not None
    text = sample.splitlines()[1].split("\t")[2]
    start = for_home("pmesh down; pmesh up" if running else "pmesh up", home)
    console.print("\n[bold]Next[/]")
    console.print(
        f"""  pytest models/{name}
  {start}
  {for_home("pmesh predict", home)} {name} "{text}"
""",
        markup=False,
    )
    if running:
        console.print("A stack is running. It takes in the new model when it starts again.")


def _table(entries: "list[ModelEntry]", served: "Mapping[str, Model] | None") -> Table:
    """One row for each folder. served: what the stack lists; None if none runs."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    rows.add_column("model", no_wrap=True)
    if served is not None:
        rows.add_column("serves", no_wrap=True)
    rows.add_column("labels")
    rows.add_column("description")
    for entry in entries:
        serves = [] if served is None else [_serves(served.get(entry.id))]
        rows.add_row(entry.id, *serves, ", ".join(entry.labels), escape(entry.description))
    return rows


def _serves(model: "Model | None") -> str:
    if model is None:
        return "[yellow]not started[/]"
    shares = sorted(model.traffic, key=lambda target: int(target.version))
    if not shares:
        return "[yellow]not released[/]"
    return ", ".join(f"[green]{target.version}[/] {target.percent}%" for target in shares)
