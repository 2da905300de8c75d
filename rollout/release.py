"""Carries out what releases ask for: the version comes to answer, and takes its first step.

A release is its row. What dies on the way is begun again by whoever looks next; see `settle`.
"""

import psycopg
from psycopg import Rollback

from contract.logs import about
from database.errors import said
from inference.blocking import ServerUnavailable
from rollout import metrics
from rollout.arrival import Arrival, Way
from rollout.foreign import ForeignVersions
from rollout.own import Tell
from rollout.refusal import PASSING, Reason, Refused, refusal_name
from rollout.store import Order, ReleaseStore
from rollout.tidy import settle
from telemetry.spans import span

MOST_ATTEMPTS = 5
"""At a release: what ends the process itself does so each time."""


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
        tell: Tell,
    ) -> None:
        """own: for versions of ours.

        margin: how much of the primary metric a version may lose to the champion, where the release
        does not say it. idle_s: that a version without traffic stays loaded.
        """
        self._store = store
        self._own = own
        self._foreign = foreign
        self._margin = margin
        self._idle_s = idle_s
        self._tell = tell

    def carry_on(self, model: str) -> None:
        """Bring in the versions that are asked for, the oldest release first.

        Nothing is done while another process works on the model. How each ends is noted with it;
        raises psycopg.OperationalError when the database is lost.
        """
        with self._store.lock(model) as is_alone:
            while is_alone and (order := self._store.next_order(model)):
                if attempt := self._store.take_up(order.release):
                    metrics.count(model, "taken_up")
                    with about(model=model, version=order.version):
                        self._carry_out(model, order, attempt)

    def _carry_out(self, model: str, order: Order, attempt: int) -> None:
        """Whatever happens, the release has ended or has taken its first step then."""
        if attempt > MOST_ATTEMPTS:
            detail = f"the release process ended in each of {MOST_ATTEMPTS} attempts"
            self._interrupt(model, order, detail, detail)
            return
        try:
            self._bring_in(model, order)
        except Exception as error:  # of a lost database, it comes again where it is to be noted
            detail, passes = f"{type(error).__name__}: {error}", isinstance(error, OSError)
            self._interrupt(model, order, detail, _kind(error), passes=passes)

    def _interrupt(
        self, model: str, order: Order, detail: str, told: str, *, passes: bool = False
    ) -> None:
        """told: what may be logged of the detail."""
        self._store.interrupted(order.release, detail, passes=passes)
        metrics.count(model, "interrupted")
        self._tell(f"{model} {order.version} is interrupted: {told}")

    def _bring_in(self, model: str, order: Order) -> None:
        """Check a version, have it answer, and take the first step of its release."""
        attributes = {"pmesh.model": model, "pmesh.version": order.version}
        with span("release step", attributes=attributes) as step:
            try:
                self._try_out(model, order)
            except Refused as refusal:
                step.fail(refusal_name(refusal.reason))
                self._refuse(model, order, refusal)
            except ServerUnavailable as error:  # Triton; others' have a refusal of their own
                step.fail(refusal_name(Reason.TRITON_UNAVAILABLE))
                self._refuse(model, order, Refused(Reason.TRITON_UNAVAILABLE, str(error)))

    def _try_out(self, model: str, order: Order) -> None:
        way = self._way(model, order.version)
        settle(self._store, model, idle_s=self._idle_s)
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
                metrics.count(model, "step")
                return True
            raise Rollback
        return False

    def _refuse(self, model: str, order: Order, refusal: Refused) -> None:
        """Note it, and take the version out again if it does not serve."""
        if self._store.version_state(model, order.version) == "LOADING":
            state = "RETIRED" if refusal.reason in PASSING else "REFUSED"
            self._store.set_version(model, order.version, state)
        self._store.refused(order.release, refusal)
        metrics.count(model, "refused")
        self._tell(f"{model} {order.version} is refused: {refusal}")
        try:
            self._way(model, order.version).agree(model)
        except Exception as error:
            self._tell(f"{model} {order.version} is not taken out yet: {_kind(error)}")

    def _way(self, model: str, version: str) -> Way:
        return self._foreign if self._foreign.has(model, version) else self._own


def _kind(error: Exception) -> str:
    """What may be logged of one that nobody foresaw: its words may quote a text."""
    return said(error) if isinstance(error, psycopg.Error) else type(error).__name__
