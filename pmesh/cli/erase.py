"""`pmesh erase`: takes out of predictions what they hold of people, by a file of ids."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, console, fail, for_home, messages
from pmesh.cli.release import AddressOption, gateway

_INTERRUPTED = 130
_WORDS = {"": "erased", "PREDICTION_NOT_FOUND": "unknown", "PREDICTION_UNFINISHED": "unfinished"}


def erase(
    file: Annotated[
        Path,
        typer.Argument(help="Ids, one a line; - for the standard input.", show_default=False),
    ],
    refused: Annotated[
        Path | None,
        typer.Option(
            "--refused", dir_okay=False, help="Where ids go that are not erased; else stderr."
        ),
    ] = None,
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Erase predictions: their texts, tags and features go, what is counted of them stays.

    [bold]pmesh erase ids.txt[/]

    [bold]pmesh erase ids.txt --refused left.tsv[/]

    Again is no harm: what is erased is counted as erased. Ends with 0 if all are. An unfinished one
    is to be cancelled first, or tried again later.
    """
    from pmesh.calls import CallFailedError

    ids = _read(file)
    if refused is not None:
        _write(refused, [])  # before anything is erased that it could not tell of
    where, token = gateway(address, home)
    counts: Counter[str] = Counter()
    left: list[str] = []
    problem = remedy = ""
    try:
        for id_, reason in _erased(where, token, ids):
            counts[_WORDS.get(reason, "refused")] += 1
            if reason:
                left.append(f"{id_}\t{reason}")
    except CallFailedError as error:
        problem, remedy = str(error), error.remedy
    except KeyboardInterrupt:
        problem = "interrupted"
    _tell(counts, left, refused)
    if problem:
        missing = len(ids) - counts.total()
        note = f"{problem}; {missing} of {len(ids)} are left, which the same command sees to"
        if problem == "interrupted":
            messages.print(note, markup=False)
            raise typer.Exit(_INTERRUPTED)
        fail(note, for_home(remedy, home))
    if left:
        raise typer.Exit(1)


def _read(file: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(str(error))
    return [line.strip() for line in text.splitlines() if line.strip()]


def _erased(address: str, token: str, ids: list[str]) -> Iterator[tuple[str, str]]:
    from rich.progress import track

    from pmesh.erasing import erase_each

    # An interrupt ends what goes on as well.
    with closing(erase_each(address, ids, token)) as reasons:
        shown = track(
            reasons,
            "erasing",
            total=len(ids),
            console=messages,
            transient=True,
            disable=not messages.is_terminal,
        )
        yield from zip(ids, shown, strict=True)


def _tell(counts: Counter[str], left: list[str], refused: Path | None) -> None:
    if refused is not None:
        _write(refused, left)
    else:
        for line in left:
            print(line, file=sys.stderr)
    words = ("erased", "unknown", "unfinished", "refused")
    console.print(", ".join(f"{counts[word]} {word}" for word in words))


def _write(refused: Path, left: list[str]) -> None:
    try:
        refused.write_text("".join(f"{line}\n" for line in left), encoding="utf-8")
    except OSError as error:
        fail(str(error))
