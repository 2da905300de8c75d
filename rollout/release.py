"""Brings a version into service, step by step; a crash at any step is undone by `tidy`."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from model_runtime.golden import Golden
from rollout.gate import Gate
from rollout.refusal import PASSING, Refused
from rollout.serving import Serving
from rollout.store import ReleaseStore, Shares
from rollout.tidy import agree, tidy
from rollout.traffic import WHOLE
from triton_repo.control import TritonError

LOCK_POLL_S = 0.2

Tell = Callable[[str], None]
"""Told what is being done, for people."""


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
        gate: Gate,
        serving: Serving,
        drain_s: float,
        patience_s: float,
        tell: Tell,
    ) -> None:
        """patience_s: to wait for another process that releases the model or tidies up."""
        self._store = store
        self._gate = gate
        self._serving = serving
        self._drain_s = drain_s
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
        Raises UnknownModel, Busy, Refused (and notes it), TakenOver, TritonError, OSError.
        """
        labels = self._store.labels(model)
        with self._alone(model):
            release = self._store.begin(model, version, "RELEASE", actor=actor, reason=reason)
            with self._noted(release, model, version):
                detail, sha256 = self._bring_in(model, version, labels)
                self._shift(release, model, version, steps[0], sha256=sha256)
        with self._noted(release, model, version):
            for step in steps[1:]:
                self._tell(f"the next step, {step} %, in {pause_s:g} s")
                time.sleep(pause_s)
                self._shift(release, model, version, step)
            self._store.done(release, detail)

    @contextmanager
    def _alone(self, model: str) -> Iterator[None]:
        until = time.monotonic() + self._patience_s
        with ExitStack() as stack:
            while not stack.enter_context(self._store.lock(model)):
                if time.monotonic() > until:
                    raise Busy(f"another release of {model} is going on; try again when it is done")
                time.sleep(LOCK_POLL_S)
            tidy(self._store, self._serving, model, drain_s=self._drain_s)
            yield

    @contextmanager
    def _noted(self, release: str, model: str, version: str) -> Iterator[None]:
        """Note how it ended, and take a version out again that does not serve."""
        try:
            yield
        except Refused as refusal:
            if self._store.version_state(model, version) == "LOADING":
                state = "RETIRED" if refusal.reason in PASSING else "REFUSED"
                self._store.set_version(model, version, state)
            self._store.refused(release, refusal)
            try:
                agree(self._store, self._serving, model)
            except (TritonError, OSError) as error:
                self._tell(f"{model} {version} is not taken out yet: {error}")
            raise
        except Exception as error:
            self._store.interrupted(release, f"{type(error).__name__}: {error}")
            raise

    def _bring_in(self, model: str, version: str, labels: list[str]) -> tuple[str, str | None]:
        """Have the version loaded and warm; answers with how good it is, and its digest.

        What serves or drains stays so if it is refused: there may be calls under way.
        """
        state = self._store.version_state(model, version)
        if state == "SERVING" and version in self._serving.loaded(model):
            # Triton calls a version ready whose process is dead.
            golden = Golden.read(self._serving.artifact(model, version))
            self._serving.warm_up(model, version, golden)
            return "it was serving already", None
        self._gate.find(model, version)
        if state not in ("SERVING", "DRAINING"):
            self._store.set_version(model, version, "LOADING")
        champion = champion_of(self._store.traffic(model))
        with tempfile.TemporaryDirectory() as scratch:
            self._tell(f"checking {model} {version}")
            candidate = self._gate.check(
                model, version, labels=labels, champion=champion, scratch=Path(scratch)
            )
            self._tell(candidate.verdict)
            self._tell(f"loading {model} {version} beside {champion or 'nothing'}")
            self._serving.bring_in(model, version, candidate.artifact, sha256=candidate.sha256)
        self._tell(f"warming up {model} {version}")
        self._serving.warm_up(model, version, candidate.golden)
        return candidate.verdict, candidate.sha256

    def _shift(
        self, release: str, model: str, version: str, percent: int, *, sha256: str | None = None
    ) -> None:
        """The champion keeps the rest of the traffic. Raises TakenOver."""
        with self._store.traffic_held(model):
            if not self._store.is_running(release):
                raise TakenOver(f"the traffic of {model} was moved meanwhile; see its history")
            others = {v: p for v, p in self._store.traffic(model).items() if v != version}
            champion = champion_of(others)
            if champion is None:
                percent = WHOLE
            rest = {champion: WHOLE - percent} if champion and percent < WHOLE else {}
            if sha256 is not None:
                self._store.set_version(model, version, "SERVING", sha256=sha256)
            self._store.move_traffic(model, {version: percent} | rest, release)
        self._tell(f"{model} {version} has {percent} % of the traffic")


def champion_of(traffic: Shares) -> str | None:
    """The version with the greatest share, the older one of two."""
    return max(traffic, key=lambda v: (traffic[v], -int(v)), default=None)
