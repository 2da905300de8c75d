"""`pmesh logs`: what the parts write."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from pmesh.cli.options import HOME, HomeOption, fail, for_home
from pmesh.cli.readable_lines import readable
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
            "" if part else f"{file.stem:<18} ": stack.enter_context(file.open("rb"))
            for file in _files(Home(home), part)
        }
        for prefix, stream in streams.items():
            _print(prefix, deque(_new_lines(stream), maxlen=lines))
        while follow:
            for prefix, stream in streams.items():
                _print(prefix, _new_lines(stream))
            time.sleep(_POLL_S)


def _files(home: Home, part: str) -> list[Path]:
    files = sorted(home.logs.glob("*.log"))
    if not files:
        fail(f"there are no logs in {home.logs}", for_home("pmesh up", home.path))
    if not part:
        return files
    if home.log(part) not in files:
        fail(f"there is no part {part!r}", "one of: " + ", ".join(f.stem for f in files))
    return [home.log(part)]


def _print(prefix: str, lines: Iterable[bytes]) -> None:
    for line in lines:
        print(prefix + readable(line.decode(errors="replace")), end="", flush=True)


def _new_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The whole lines that were not read yet."""
    if stream.tell() > os.fstat(stream.fileno()).st_size:  # it was cut, as logs.py does
        stream.seek(0)
    while True:
        position = stream.tell()
        line = stream.readline()
        if not line.endswith(b"\n"):
            stream.seek(position)
            return
        yield line
