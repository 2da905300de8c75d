"""Carries out what releases ask for: the version comes to answer, and takes its first step.

A release is its row. What dies on the way is begun again by whoever looks next; see `settle`.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from psycopg import OperationalError, Rollback

from inference.blocking import InferenceError
from rollout.arrival import Arrival, Way
from rollout.foreign import ForeignVersions
from rollout.own import Tell
from rollout.refusal import PASSING, Refused
from rollout.store import Order, ReleaseStore
from rollout.tidy import settle

LOCK_POLL_S = 0.2


class Releaser:
    """Carries out the releases of models, one at a time for each model."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        own: Way,
        foreign: ForeignVersions,
        margin: float,
        idle_s: float,
        patience_s: float,
        tell: Tell,
    ) -> None:
        """own: for versions of ours.

        margin: how much of the primary metric a version may lose to the champion, where the release
        does not say it. idle_s: that a version without traffic stays loaded. patience_s: to wait
        for another process that works on the model.
        """
        self._store = store
        self._own = own
        self._foreign = foreign
        self._margin = margin
        self._idle_s = idle_s
        self._patience_s = patience_s
        self._tell = tell

    def carry_on(self, model: str) -> None:
        """Bring in the versions that are asked for, the oldest release first.

        Nothing is done while another process works on the model. How each ends is noted with it;
        raises psycopg.OperationalError when the database is lost.
        """
        with self._alone(model) as is_alone:
            while is_alone and (order := self._store.next_order(model)):
                self._bring_in(model, order)

    @contextmanager
    def _alone(self, model: str) -> Iterator[bool]:
        until = time.monotonic() + self._patience_s
        with ExitStack() as stack:
            while not (held := stack.enter_context(self._store.lock(model))):
                if time.monotonic() > until:
                    break
                time.sleep(LOCK_POLL_S)
            yield held

    def _bring_in(self, model: str, order: Order) -> None:
        """Check a version, have it answer, and take the first step of its release."""
        if not self._store.take_up(order.release):
            return
        try:
            self._try_out(model, order)
        except OperationalError:
            raise
        except Refused as refusal:
            self._refuse(model, order, refusal)
        except Exception as error:
            self._tell(f"{model} {order.version}: {type(error).__name__}: {error}")
            self._store.interrupted(order.release, f"{type(error).__name__}: {error}")

    def _try_out(self, model: str, order: Order) -> None:
        way = self._way(model, order.version)
        settle(self._store, model, idle_s=self._idle_s)
        way.agree(model)
        arrival = way.bring_in(
            model,
            order.version,
            labels=self._store.labels(model),
            champion=self._store.champion(model),
            margin=self._margin if order.margin is None else order.margin,
        )
        if self._take_first_step(model, order, arrival):
            self._tell(f"{model} {order.version} serves")
        else:
            self._tell(f"{model} {order.version}: the release was paused or has ended meanwhile")

    def _take_first_step(self, model: str, order: Order, arrival: Arrival) -> bool:
        """In one transaction with the version's coming into service; False: it is not wanted."""
        with self._store.traffic_held(model):
            if arrival.labels is not None:
                self._store.set_version(
                    model,
                    order.version,
                    "SERVING",
                    sha256=arrival.sha256,
                    labels=list(arrival.labels),
                    address=arrival.address,
                )
            self._store.note(order.release, arrival.detail)
            if self._store.take_step(order.release):
                return True
            raise Rollback
        return False

    def _refuse(self, model: str, order: Order, refusal: Refused) -> None:
        """Note it, and take the version out again if it does not serve."""
        if self._store.version_state(model, order.version) == "LOADING":
            state = "RETIRED" if refusal.reason in PASSING else "REFUSED"
            self._store.set_version(model, order.version, state)
        self._store.refused(order.release, refusal)
        self._tell(f"{model} {order.version} is refused: {refusal}")
        try:
            self._way(model, order.version).agree(model)
        except (InferenceError, OSError) as error:
            self._tell(f"{model} {order.version} is not taken out yet: {error}")

    def _way(self, model: str, version: str) -> Way:
        return self._foreign if self._foreign.has(model, version) else self._own
