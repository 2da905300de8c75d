"""The release process: carries out what releases ask for, each step at its time.

Nothing here waits for a step: what is due is read from the rows, so that a restart goes on where
the last process was, and several processes share the work.
"""

import logging
import os
import threading
from collections.abc import Callable
from functools import partial

import psycopg

from contract.logs import about
from database.errors import said
from rollout import metrics
from rollout.bell import Bell
from rollout.store import DueStep, ReleaseStore
from telemetry.spans import span

log = logging.getLogger(__name__)

NICENESS = 14
"""Of a thread that brings a version in, beside this process's: the machine serves as well."""
MOST_AT_WORK = 4
"""Models of which versions are brought in side by side; each has a connection."""
RETRY_S = 1.0
"""Until a step is tried again whose model others held."""


class Watcher:
    """Takes the steps that are due, and has threads bring versions in, one for each model."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        bell: Bell,
        carry_on: Callable[[str], None],
        housekeeping: Callable[[], None],
        stop: threading.Event,
        beat: Callable[[], None],
    ) -> None:
        """store: its connection has a lock_timeout, so that no model keeps the others waiting.

        carry_on: brings in the versions of a model that are asked for.

        housekeeping: looks after the rest, until the stop. Both are called in threads of their own,
        and end for psycopg.OperationalError only.

        beat: called before each look.
        """
        self._store = store
        self._bell = bell
        self._carry_on = carry_on
        self._housekeeping = housekeeping
        self._stop = stop
        self._beat = beat
        self._at_work: set[str] = set()
        self._lost: BaseException | None = None

    def run(self, poll_s: float) -> None:
        """Work until the stop; look every poll_s seconds, or sooner when something is due.

        What is under way at the stop is left to the next process. Raises what ended a thread, and
        psycopg.OperationalError when the database is lost.
        """
        self._start("housekeeping", self._housekeeping)
        while not self._stop.is_set():
            self._beat()
            waits_s = [poll_s]
            if not self.look():
                waits_s.append(RETRY_S)
            if (next_step_s := self._store.next_step_s()) is not None:
                waits_s.append(next_step_s)
            self._bell.wait(min(waits_s))
            if self._lost is not None:
                raise self._lost

    def look(self) -> bool:
        """Take what steps are due, and begin what releases are: whether nothing kept it from that.

        Raises psycopg.OperationalError.
        """
        self._begin()
        were_free = True
        for step in self._store.steps_due():
            if self._stop.is_set():
                break
            with about(model=step.model, version=step.version):
                try:
                    self._take_step(step)
                except psycopg.errors.LockNotAvailable:
                    log.info("release %s: somebody holds its model", step.release)
                    were_free = False
        return were_free

    def _begin(self) -> None:
        for model in self._store.models_due():
            if model not in self._at_work and len(self._at_work) < MOST_AT_WORK:
                self._at_work.add(model)
                self._start(model, partial(self._work, model))

    def _take_step(self, step: DueStep) -> None:
        attributes = {"pmesh.model": step.model, "pmesh.version": step.version}
        try:
            with span("release step", attributes=attributes):
                is_taken = self._store.take_step(step.release)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:  # its version does not serve any more
            self._store.interrupted(step.release, str(error.diag.message_primary))
            log.warning("release %s is interrupted: %s", step.release, said(error))
            metrics.count(step.model, "interrupted")
        else:
            if is_taken:
                log.info("release %s: the next step", step.release)
                metrics.count(step.model, "step")

    def _work(self, model: str) -> None:
        os.nice(NICENESS)  # of this thread and its children
        try:
            self._carry_on(model)
        except psycopg.errors.LockNotAvailable:
            log.warning("%s: somebody holds it", model)
        finally:
            self._at_work.discard(model)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._lost = error
            finally:
                self._bell.ring()

        threading.Thread(target=run, name=name, daemon=True).start()
