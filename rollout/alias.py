"""Follows the registry's alias: one that was moved is an order, any other follows the traffic."""

from modelkit.registry import CHAMPION, Registry
from rollout.foreign import ForeignVersions
from rollout.store import Alias, ReleaseStore

RETRY_S = 60.0
"""Until an order that an outage kept from being carried out is given again."""
ACTOR = "registry"
WHY = f"the alias {CHAMPION} was moved"


class AliasFollower:
    """Asks for releases as everybody does, and moves the alias behind them."""

    def __init__(
        self, *, store: ReleaseStore, registry: Registry, foreign: ForeignVersions
    ) -> None:
        self._store = store
        self._registry = registry
        self._foreign = foreign

    def look(self, model: str) -> None:
        """Raises RegistryError, psycopg.Error."""
        alias = self._registry.alias(model, CHAMPION)
        pointed = alias.number if alias else ""
        champion = self._store.champion(model)
        known = self._store.alias(model, CHAMPION)
        # Where this process was moving it when it died is no order either.
        if pointed and pointed not in (known.version, known.pending):
            self._take_order(model, pointed, champion, known)
        elif known.state == "RUNNING":
            pass
        elif pointed == known.version != champion and known.passes:
            if known.ended_s > RETRY_S:
                self._ask(model, pointed, known)
        elif champion is not None and self._foreign.has(model, champion):
            pass  # the registry does not know it
        elif champion is not None and pointed != champion:
            self._store.set_alias(model, CHAMPION, pending=champion)
            self._registry.set_alias(model, CHAMPION, champion)
            self._store.set_alias(model, CHAMPION, version=champion)
        elif pointed and (known.version, known.pending) != (pointed, ""):
            self._store.set_alias(model, CHAMPION, version=pointed)  # it died after moving it

    def _take_order(self, model: str, version: str, champion: str | None, known: Alias) -> None:
        # One of others that serves is not what the registry has by its number: that is refused.
        if version == champion and not self._foreign.has(model, champion):
            self._store.set_alias(model, CHAMPION, version=version)
        else:
            self._ask(model, version, known)

    def _ask(self, model: str, version: str, known: Alias) -> None:
        with self._store.traffic_held(model):
            if not _is_same(self._store.alias(model, CHAMPION), known):
                return  # another process was quicker
            release = self._store.create_release(model, version, actor=ACTOR, reason=WHY)
            self._store.set_alias(model, CHAMPION, version=version, release=release)


def _is_same(one: Alias, other: Alias) -> bool:
    """Whether nothing has happened between two looks but that time has passed."""
    return one._replace(ended_s=0) == other._replace(ended_s=0)
