"""`pmesh logs`: what the parts write."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TextIO

import typer

from pmesh.cli.options import HOME, HomeOption, fail
from pmesh.stack.home import Home

_POLL_S = 0.2


def logs(
    part: Annotated[str, typer.Argument(help="Only this part's, such as relay.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they write.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of each.")] = 20,
    home: HomeOption = HOME,
) -> None:
    """Show what the parts write.

    Example: [bold]pmesh logs relay -f[/]
    """
    with ExitStack() as stack:
        streams = {
            file: stack.enter_context(file.open(encoding="utf-8", errors="replace"))
            for file in _files(Home(home), part)
        }
        for file, stream in streams.items():
            for line in deque(_new_lines(stream), maxlen=lines):
                print(_prefix(file, part) + line)
        while follow:
            for file, stream in streams.items():
                for line in _new_lines(stream):
                    print(_prefix(file, part) + line, flush=True)
            time.sleep(_POLL_S)


def _files(home: Home, part: str) -> list[Path]:
    files = sorted(home.logs.glob("*.log"))
    if not files:
        fail(f"there are no logs in {home.logs}", "pmesh up")
    if not part:
        return files
    if home.log(part) not in files:
        fail(f"there is no part {part!r}", "one of: " + ", ".join(f.stem for f in files))
    return [home.log(part)]


def _new_lines(stream: TextIO) -> Iterator[str]:
    """The whole lines that were not read yet."""
    while True:
        position = stream.tell()
        line = stream.readline()
        if not line.endswith("\n"):
            stream.seek(position)
            return
        yield line.rstrip("\n")


def _prefix(file: Path, part: str) -> str:
    return "" if part else f"{file.stem:<18} "
