"""The release process: releases what the registry's alias is moved to, and tidies up.

A webhook of the registry is a hint to look now; looking now and then is what counts.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import psycopg

from inference.blocking import InferenceError
from modelkit.registry import CHAMPION, Registry, RegistryError
from rollout.foreign import ForeignVersions
from rollout.refusal import OUTAGES, Refused
from rollout.release import Busy, Releaser, TakenOver, champion_of
from rollout.serving import Serving
from rollout.store import ReleaseStore
from rollout.tidy import tidy
from rollout.traffic import WHOLE

log = logging.getLogger(__name__)

RETRY_S = 60.0
"""Until an order that could not be carried out is tried again."""
ACTOR = "registry"
WHY = f"the alias {CHAMPION} was moved"


class Watcher:
    """Looks after all models, again and again."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        registry: Registry,
        releaser: Releaser,
        serving: Serving,
        foreign: ForeignVersions,
        idle_s: float,
    ) -> None:
        self._store = store
        self._registry = registry
        self._releaser = releaser
        self._serving = serving
        self._foreign = foreign
        self._idle_s = idle_s
        self.hint: Callable[[], None] | None = None
        """Asks the registry to give word of moved aliases; called until it succeeds."""
        self._failing: set[str] = set()
        self._failed: dict[str, tuple[str, float]] = {}
        """Model -> the version that could not be released, and when to try it again."""

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
            self._attempt(f"tidying {model}", partial(self._tidy, model))
        self._attempt("the registry's webhook", self._ask_for_hints)
        for model in models:
            self._attempt(f"the registry's {model}", partial(self._follow_alias, model))

    def _attempt(self, what: str, do: Callable[[], None]) -> None:
        """Do a thing that may fail for a while; say so once, and once that it works again."""
        try:
            do()
        except psycopg.OperationalError:
            raise
        except Exception as error:  # one model's trouble is not the others'
            if what not in self._failing:
                expected = isinstance(error, RegistryError | InferenceError | OSError)
                log.warning("%s: %s", what, error, exc_info=None if expected else error)
            self._failing.add(what)
        else:
            if what in self._failing:
                log.info("%s: well again", what)
            self._failing.discard(what)

    def _ask_for_hints(self) -> None:
        if self.hint is not None:
            self.hint()
            self.hint = None

    def _tidy(self, model: str) -> None:
        with self._store.lock(model) as held:
            if held:
                tidy(self._store, self._serving, model, idle_s=self._idle_s)

    def _follow_alias(self, model: str) -> None:
        """An alias that was moved is an order; one that was not follows the traffic."""
        alias = self._registry.alias(model, CHAMPION)
        champion = champion_of(self._store.traffic(model))
        # Where this process was moving it when it died is no order either.
        known = self._store.alias(model, CHAMPION)
        if alias is not None and alias.number not in known:
            # One of others that serves is not what the registry has by its number: that is refused.
            served = alias.number == champion and not self._foreign.has(model, champion)
            if not served and not self._release(model, alias.number):
                return
            self._store.set_alias(model, CHAMPION, version=alias.number)
        elif champion is not None and self._foreign.has(model, champion):
            return  # the registry does not know it
        elif champion is not None and (alias is None or alias.number != champion):
            self._store.set_alias(model, CHAMPION, pending=champion)
            self._registry.set_alias(model, CHAMPION, champion)
            self._store.set_alias(model, CHAMPION, version=champion)
        elif alias is not None and known != {alias.number}:  # it died after moving it
            self._store.set_alias(model, CHAMPION, version=alias.number)

    def _release(self, model: str, version: str) -> bool:
        """Whether the order is done with: carried out, overruled by somebody, or refused."""
        failed, not_before = self._failed.get(model, ("", 0.0))
        if version == failed and time.monotonic() < not_before:
            return False
        try:
            self._releaser.release(
                model, version, steps=[WHOLE], pause_s=0, actor=ACTOR, reason=WHY
            )
        except Busy:
            return False
        except TakenOver as error:
            log.info("%s %s: %s", model, version, error)
        except Refused as refusal:
            log.warning("%s %s: %s: %s", model, version, refusal.reason, refusal.detail)
            self._failed[model] = version, time.monotonic() + RETRY_S
            return refusal.reason not in OUTAGES
        except Exception:
            self._failed[model] = version, time.monotonic() + RETRY_S
            raise
        return True
