"""How a program that nobody calls tells that it goes on: it touches a file, again and again.

    python -P -m contract.heartbeat SECONDS

is the probe: it exits with 1, and a line, unless the file was touched so lately. PMESH_HEARTBEAT
names the file, to the program and to the probe. A program touches it each time that what leads it
comes round, whatever is away meanwhile: an outage is waited out, and is no death.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.arguments import whole_number
from contract.settings import InvalidSetting, read, setting


@dataclass(frozen=True, kw_only=True)
class _Settings:
    file: Path | None = setting("PMESH_HEARTBEAT", None)
    """What is touched; None: nobody looks."""


def heartbeat(environ: Mapping[str, str]) -> Callable[[], None]:
    """What to call again and again, after this first time.

    Raises InvalidSetting where there can be no such file.
    """
    file = read(_Settings, environ).file
    if file is None:
        return lambda: None
    try:
        file.touch()
    except OSError as error:
        raise InvalidSetting(f"PMESH_HEARTBEAT: {file}: {error.strerror}") from error
    return file.touch


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Whether a program goes on.")
    parser.add_argument("seconds", type=whole_number(1, 86400), help="of silence, at the most")
    within_s = parser.parse_args().seconds
    file = read(_Settings, os.environ).file
    if file is None:
        sys.exit("PMESH_HEARTBEAT is not set")
    try:
        silent_s = time.time() - file.stat().st_mtime
    except OSError as error:
        sys.exit(f"{file}: {error.strerror}")
    if silent_s > within_s:
        sys.exit(f"nothing was heard of it for {silent_s:.0f} s")


if __name__ == "__main__":
    main()
