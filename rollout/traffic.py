"""Moves the traffic between versions that serve: promote, roll back, and which ones to keep.

Needs PostgreSQL only, so that a rollback does not wait for anything else.
"""

from collections.abc import Sequence

from rollout.store import ReleaseStore, Shares

WHOLE = 100  # percent


class NothingToDo(Exception):
    """There is no version to go to; says why, and what to do instead."""


def promote(store: ReleaseStore, model: str, *, actor: str, reason: str) -> str:
    """Give the newest version in the traffic all of it; answers with the version.

    Raises ModelNotRegistered, NothingToDo.
    """
    store.labels(model)
    with store.traffic_held(model):
        history, present = store.history(model), store.traffic(model)
        if len(present) < 2:
            raise NothingToDo(f"the traffic of {model} is not split")
        version = newest(history, present)
        release = store.begin(model, version, "PROMOTE", actor=actor, reason=reason)
        store.move_traffic(model, {version: WHOLE}, release)
        store.done(release)
    return version


def roll_back(store: ReleaseStore, model: str, *, actor: str, reason: str) -> Shares:
    """Go back to the split before the newest version; answers with it.

    The version that loses its traffic drains. Raises ModelNotRegistered, NothingToDo.
    """
    store.labels(model)
    with store.traffic_held(model):
        history, present = store.history(model), store.traffic(model)
        serving = set(store.versions_in(model, "SERVING"))
        if not present:
            raise NothingToDo(f"no version of {model} is released")
        version = newest(history, present)
        before = way_back(history, present, serving)
        if before is None:
            raise NothingToDo(
                f"no other version of {model} is loaded; release an older one: NAME@VERSION"
            )
        release = store.begin(model, version, "ROLLBACK", actor=actor, reason=reason)
        store.move_traffic(model, before, release)
        store.set_version(model, version, "DRAINING")
        store.done(release)
    return before


def kept_versions(store: ReleaseStore, model: str) -> set[str]:
    """The versions that stay loaded: those with traffic, and those a rollback would go to."""
    history, present = store.history(model), store.traffic(model)
    serving = set(store.versions_in(model, "SERVING"))
    return present.keys() | (way_back(history, present, serving) or {}).keys()


def newest(history: Sequence[Shares], present: Shares) -> str:
    """The version of the present split that came into the traffic last."""
    for earlier in history:
        if fresh := [version for version in present if version not in earlier]:
            return max(fresh, key=int)
    return max(present, key=int)


def way_back(history: Sequence[Shares], present: Shares, serving: set[str]) -> Shares | None:
    """The last split without the newest version, of versions that still serve."""
    if not present:
        return None
    version = newest(history, present)
    for earlier in history:
        if version not in earlier and earlier.keys() <= serving:
            return earlier
    return None
