"""What is looked at again and again: versions that nothing uses any more, and the registry."""

import logging
import threading
from collections.abc import Callable
from functools import partial

import psycopg

from contract.logs import about
from database.errors import said
from inference.blocking import InferenceError
from modelkit.registry import RegistryError
from rollout import metrics
from rollout.alias import AliasFollower
from rollout.serving import Serving
from rollout.store import ReleaseStore
from rollout.tidy import agree, settle

log = logging.getLogger(__name__)

_EXPECTED = (RegistryError, InferenceError, OSError)
"""Their words quote no text."""


class Housekeeping:
    """Looks after all models."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        serving: Serving | None,
        aliases: AliasFollower | None,
        idle_s: float,
        hint: Callable[[], None] | None = None,
    ) -> None:
        """serving, aliases: None where only servers of others answer.

        hint: asks the registry to give word of moved aliases; called until it succeeds.
        """
        self._store = store
        self._serving = serving
        self._aliases = aliases
        self._idle_s = idle_s
        self._hint = hint
        self._failing: set[str] = set()

    def run(self, *, stop: threading.Event, wake: threading.Event, poll_s: float) -> None:
        """Look, then wait poll_s seconds or until `wake` is set; until `stop` is set.

        Raises psycopg.OperationalError when the database is lost.
        """
        while not stop.is_set():
            wake.clear()
            self.look()
            wake.wait(poll_s)

    def look(self) -> None:
        """Tidy up each model and follow its alias, once. Raises psycopg.OperationalError."""
        models = self._store.models()
        for model in models:
            with about(model=model):
                self._attempt(f"tidying {model}", partial(self.tidy, model))
        self._attempt("the metrics", partial(metrics.read, self._store))
        if self._aliases is None:
            return
        self._attempt("the registry's webhook", self._ask_for_hints)
        for model in models:
            with about(model=model):
                self._attempt(f"the registry's {model}", partial(self._aliases.look, model))

    def tidy(self, model: str) -> None:
        """Unless a release is at work. Raises psycopg.Error, InferenceError, OSError."""
        with self._store.lock(model) as held:
            if held:
                settle(self._store, model, idle_s=self._idle_s)
                if self._serving is not None:
                    agree(self._store, self._serving, model)

    def _ask_for_hints(self) -> None:
        if self._hint is not None:
            self._hint()
            self._hint = None

    def _attempt(self, what: str, do: Callable[[], None]) -> None:
        """Do a thing that may fail for a while; say so once, and once that it works again."""
        try:
            do()
        except Exception as error:  # one model's trouble is not the others'
            if isinstance(error, psycopg.OperationalError) and self._store.is_lost:
                raise
            if what not in self._failing:
                _log_failure(what, error)
            self._failing.add(what)
        else:
            if what in self._failing:
                log.info("%s: well again", what)
            self._failing.discard(what)


def _log_failure(what: str, error: Exception) -> None:
    if isinstance(error, psycopg.errors.LockNotAvailable):
        log.warning("%s: %s", what, said(error))
    elif isinstance(error, _EXPECTED):
        log.warning("%s: %s", what, error)
    else:
        log.warning("%s: unexpected %s", what, type(error).__name__, exc_info=error)
