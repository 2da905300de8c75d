"""Makes Triton and its repository agree with PostgreSQL, which says what serves."""

import logging

from rollout import metrics
from rollout.serving import Serving
from rollout.store import ReleaseStore

log = logging.getLogger(__name__)


def settle(store: ReleaseStore, model: str, *, idle_s: float) -> None:
    """Undo what dead releases left in PostgreSQL, and retire what nothing uses any more.

    The caller holds the model's lock, so that no living release is loading a version. What is cut
    short goes on at the next call. Raises psycopg.Error.
    """
    for version in store.interrupt(model):
        log.warning("the release of %s %s was cut short", model, version)
        metrics.count(model, "interrupted")
    for version in store.versions_in(model, "LOADING"):
        store.set_version(model, version, "RETIRED")
    with store.traffic_held(model):
        for version in store.drain_unused(model):
            log.info("%s %s drains", model, version)
    for version in store.drained(model, idle_s):
        store.set_version(model, version, "RETIRED")


def agree(store: ReleaseStore, serving: Serving, model: str) -> None:
    """Take out what PostgreSQL does not know, and have each Triton load what is left.

    The caller holds the model's lock. A version that serves but does not lie in the repository is
    for a release to bring again, or a server of others answers for it. Raises psycopg.Error,
    InferenceError, OSError.
    """
    wanted = set(store.versions_in(model, "SERVING", "DRAINING"))
    if gone := serving.laid(model) - wanted:
        log.info("unloading %s %s", model, ", ".join(sorted(gone)))
    stale = serving.renew(model)
    serving.take_out(model, gone, anew=stale)
