"""Brings a version into service, step by step; a crash at any step is undone by `tidy`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from inference.blocking import InferenceError
from rollout.arrival import Arrival, Way
from rollout.foreign import ForeignVersions
from rollout.own import Tell
from rollout.refusal import PASSING, Refused
from rollout.store import ReleaseStore, Shares
from rollout.tidy import settle
from rollout.traffic import WHOLE

LOCK_POLL_S = 0.2


class Busy(Exception):
    """Another process releases a version of this model."""


class TakenOver(Exception):
    """Somebody moved the traffic while this release was waiting for its next step."""


class Releaser:
    """Releases versions of models, one at a time for each model."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        own: Way | None,
        foreign: ForeignVersions,
        idle_s: float,
        patience_s: float,
        tell: Tell,
    ) -> None:
        """own: for versions of ours; None where only those of others are released.

        idle_s: that a version without traffic stays loaded. patience_s: to wait for another
        process that releases the model or tidies up.
        """
        self._store = store
        self._own = own
        self._foreign = foreign
        self._idle_s = idle_s
        self._patience_s = patience_s
        self._tell = tell

    def release(
        self,
        model: str,
        version: str,
        *,
        steps: Sequence[int],
        pause_s: float,
        actor: str,
        reason: str,
    ) -> None:
        """Check a version, load it, and give it its shares of the traffic one after the other.

        steps: percent, rising, such as [10, 50, 100]; after each but the last, pause_s seconds.
        A version that serves already only gets the traffic.
        Raises ModelNotRegistered, Busy, Refused (and notes it), TakenOver, InferenceError, OSError,
        InvalidValues.
        """
        labels = self._store.labels(model)
        way = self._way(model, version)
        with self._alone(way, model):
            release = self._store.begin(model, version, "RELEASE", actor=actor, reason=reason)
            with self._noted(way, release, model, version):
                champion = champion_of(self._store.traffic(model))
                arrival = way.bring_in(model, version, labels=labels, champion=champion)
                self._shift(release, model, version, steps[0], arrival)
        with self._noted(way, release, model, version):
            for step in steps[1:]:
                self._tell(f"the next step, {step} %, in {pause_s:g} s")
                time.sleep(pause_s)
                self._shift(release, model, version, step)
            self._store.done(release, arrival.detail)

    def _way(self, model: str, version: str) -> Way:
        if self._foreign.has(model, version):
            return self._foreign
        assert self._own is not None
        return self._own

    @contextmanager
    def _alone(self, way: Way, model: str) -> Iterator[None]:
        until = time.monotonic() + self._patience_s
        with ExitStack() as stack:
            while not stack.enter_context(self._store.lock(model)):
                if time.monotonic() > until:
                    raise Busy(f"another release of {model} is going on; try again when it is done")
                time.sleep(LOCK_POLL_S)
            settle(self._store, model, idle_s=self._idle_s)
            way.agree(model)
            yield

    @contextmanager
    def _noted(self, way: Way, release: str, model: str, version: str) -> Iterator[None]:
        """Note how it ended, and take a version out again that does not serve."""
        try:
            yield
        except Refused as refusal:
            if self._store.version_state(model, version) == "LOADING":
                state = "RETIRED" if refusal.reason in PASSING else "REFUSED"
                self._store.set_version(model, version, state)
            self._store.refused(release, refusal)
            try:
                way.agree(model)
            except (InferenceError, OSError) as error:
                self._tell(f"{model} {version} is not taken out yet: {error}")
            raise
        except Exception as error:
            self._store.interrupted(release, f"{type(error).__name__}: {error}")
            raise

    def _shift(
        self, release: str, model: str, version: str, percent: int, arrival: Arrival | None = None
    ) -> None:
        """The champion keeps the rest of the traffic. Raises TakenOver.

        arrival: what to note of a version that serves from now on.
        """
        with self._store.traffic_held(model):
            if not self._store.is_running(release):
                raise TakenOver(f"the traffic of {model} was moved meanwhile; see its history")
            others = {v: p for v, p in self._store.traffic(model).items() if v != version}
            champion = champion_of(others)
            if champion is None:
                percent = WHOLE
            rest = {champion: WHOLE - percent} if champion and percent < WHOLE else {}
            if arrival is not None and arrival.labels is not None:
                self._store.set_version(
                    model,
                    version,
                    "SERVING",
                    sha256=arrival.sha256,
                    labels=list(arrival.labels),
                    address=arrival.address,
                )
            self._store.move_traffic(model, {version: percent} | rest, release)
        self._tell(f"{model} {version} has {percent} % of the traffic")


def champion_of(traffic: Shares) -> str | None:
    """The version with the greatest share, the older one of two."""
    return max(traffic, key=lambda v: (traffic[v], -int(v)), default=None)
