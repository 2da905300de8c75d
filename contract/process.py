"""How a program that nobody calls runs: from its settings until a signal ends it."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import TypeVar

import psycopg
import uvloop

from contract.heartbeat import heartbeat
from contract.logs import end, log_to_stderr
from contract.settings import InvalidSetting, read

Settings = TypeVar("Settings")

log = logging.getLogger(__name__)

BEAT_S = 5.0
"""Between two beats of the loop: nothing in it may block for much longer."""


def run_program(
    name: str,
    settings: type[Settings],
    run: Callable[[Settings, asyncio.Event], Coroutine[None, None, None]],
) -> None:
    """Read the settings and run until `run` ends, which it should soon after the event is set.

    name: of the program, which its log's lines say.

    SIGTERM and SIGINT set it; a second one ends the process at once. Exits with one line if the
    settings are wrong, those that `run` reads and a port that is taken among them, or if the
    database refuses what is asked of it: it is of another version, or the login of another program.
    """
    log_to_stderr(name)
    # The pool tells of every failed connection; bus.outages tells once of an outage.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    why = ""
    try:
        values = read(settings, os.environ)
        uvloop.run(_run_until_signal(values, run, heartbeat(os.environ)))
    except* InvalidSetting as group:
        why = str(_first(group))
    except* psycopg.ProgrammingError as group:
        # What follows the first line quotes the statement.
        line = str(_first(group)).partition("\n")[0]
        why = f"the database does not fit this program: {line}"
    if why:
        end(why)


async def _run_until_signal(
    settings: Settings,
    run: Callable[[Settings, asyncio.Event], Coroutine[None, None, None]],
    beat: Callable[[], None],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("stopping")
        stop.set()

    def come_round() -> None:
        beat()
        loop.call_later(BEAT_S, come_round)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    come_round()
    await run(settings, stop)


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
