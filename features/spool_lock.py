"""One process appends to a folder: it locks a file in there for as long as it does."""

import asyncio
import fcntl
import logging
import time
from pathlib import Path
from typing import BinaryIO

from features.errors import SpoolInUse

log = logging.getLogger(__name__)

NAME = ".lock"
WAIT_S = 30.0
"""A gateway that is told to end still answers for a while, as the next one starts."""
POLL_S = 0.1


async def lock(directory: Path) -> BinaryIO:
    """The locked file: closing it, or the end of the process, gives the folder back.

    Waits for a process that has it. Raises SpoolInUse if that goes on, OSError.
    """
    file = (directory / NAME).open("ab")
    try:
        await _wait(file, directory)
    except BaseException:
        file.close()
        raise
    return file


async def _wait(file: BinaryIO, directory: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    is_first = True
    while not _try(file):
        if is_first:
            log.warning("waiting for the process that appends to %s to end", directory)
        is_first = False
        if time.monotonic() >= deadline:
            raise SpoolInUse(
                f"another process appends to {directory}: end it, or give this one"
                " a folder of its own by PMESH_FEATURES_SPOOL"
            )
        await asyncio.sleep(POLL_S)


def _try(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
