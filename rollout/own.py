"""Our own versions: from the registry, through the gate, onto Triton."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from modelkit.golden import Golden
from rollout import metrics
from rollout.arrival import Arrival, note_loading
from rollout.gate import Gate
from rollout.refusal import Reason, Refused
from rollout.serving import Serving
from rollout.store import ReleaseStore
from rollout.tidy import agree
from telemetry.spans import span

Tell = Callable[[str], None]
"""Told what is being done, for people."""


class OwnVersions:
    """Brings them in; see arrival.py."""

    def __init__(self, *, store: ReleaseStore, gate: Gate, serving: Serving, tell: Tell) -> None:
        self._store = store
        self._gate = gate
        self._serving = serving
        self._tell = tell

    def bring_in(
        self,
        model: str,
        version: str,
        *,
        labels: Sequence[str],
        champion: str | None,
        margin: float,
    ) -> Arrival:
        """Check a version, lay it into the repository, have Triton load it, and warm it up."""
        self._serving.wait(model)
        self.agree(model)
        state = self._store.version_state(model, version)
        if state == "SERVING" and version in self._serving.loaded(model):
            # Triton calls a version ready whose process is dead.
            golden = Golden.read(self._serving.artifact(model, version))
            self._serving.warm_up(model, version, golden)
            return Arrival("it was serving already", labels=None)
        self._gate.find(model, version)
        note_loading(self._store, model, version)
        with tempfile.TemporaryDirectory() as scratch:
            self._tell(f"checking {model} {version}")
            with metrics.gate(model):
                candidate = self._gate.check(
                    model,
                    version,
                    labels=labels,
                    champion=champion,
                    margin=margin,
                    scratch=Path(scratch),
                )
            self._tell(candidate.verdict)
            self._tell(f"loading {model} {version} beside {champion or 'nothing'}")
            with span("load"):
                sha256 = candidate.sha256
                self._serving.bring_in(model, version, candidate.artifact, sha256=sha256)
        self._tell(f"warming up {model} {version}")
        with span("warm up"):
            self._serving.warm_up(model, version, candidate.golden)
        return Arrival(candidate.verdict, candidate.labels, sha256=candidate.sha256)

    def agree(self, model: str) -> None:
        """Have Triton and its repository hold what the record says."""
        agree(self._store, self._serving, model)


class NoTriton:
    """Where only servers of others answer."""

    def bring_in(
        self,
        model: str,
        version: str,
        *,
        labels: Sequence[str],
        champion: str | None,
        margin: float,
    ) -> Arrival:
        """There is nothing to bring it onto."""
        raise Refused(
            Reason.TRITON_UNAVAILABLE,
            f"values.yaml names no server for {version}, and the release process knows no Triton",
        )

    def agree(self, model: str) -> None:
        """Nothing."""
