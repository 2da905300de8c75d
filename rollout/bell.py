"""What wakes the watcher: releases that are due, by PostgreSQL's word, and its own threads."""

import select
import socket
from contextlib import suppress
from typing import Any

import psycopg

from rollout.store import DUE


class Bell:
    """Anybody may ring it, signal handlers included; one thread waits for it."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """connection: with autocommit, and for nothing else."""
        self._connection = connection
        connection.execute(f"LISTEN {DUE}")
        self._heard, self._rope = socket.socketpair()
        self._rope.setblocking(False)

    def ring(self) -> None:
        """Wake whoever waits, or keep the next one from waiting."""
        with suppress(BlockingIOError):  # it has been rung often enough
            self._rope.send(b"\0")

    def wait(self, timeout_s: float) -> None:
        """Raises psycopg.OperationalError when the connection is lost."""
        database, rope = self._connection.fileno(), self._heard.fileno()
        ready, _, _ = select.select([database, rope], [], [], timeout_s)
        if rope in ready:
            self._heard.recv(4096)
        if database in ready:
            for _ in self._connection.notifies(timeout=0):
                pass  # what is due is read from the rows
