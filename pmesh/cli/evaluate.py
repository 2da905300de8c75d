"""`pmesh eval`: whether a version is better than the champion."""

from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, JsonOption, console, fail
from pmesh.cli.programs import run_program


def evaluate(
    version: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="Model and version, such as sentiment@7.")
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Judge on the held-out part of this file; may be given again."
            " Else on what was held out when the version was trained.",
        ),
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = HOME,
) -> None:
    """Compare a version with the champion on the same examples.

    [bold]pmesh eval sentiment@7[/]

    [bold]pmesh eval sentiment@7 --data movies.tsv --json[/]
    """
    model, _, number = version.rpartition("@")
    if not model or not number.isdecimal():
        fail(f"{version!r} names no version", f"pmesh eval {model or version}@1")
    files = ["--data", *map(str, data)] if data else []
    flags = ["--json"] if as_json else []
    for line in run_program(home, model, "model_runtime.evaluate", version, *files, *flags):
        print(line)
    if not as_json:
        console.print(f"[bold]to give it the traffic[/]  pmesh release {version}")
