"""How a version comes to answer: it is one of ours, or a server of others answers for it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rollout.store import ReleaseStore


class Arrival(NamedTuple):
    """A version that has passed its checks and answers."""

    detail: str
    """How good it is, in a sentence; and what could not be checked."""
    labels: Sequence[str] | None
    """In the order of its scores; None if the record has all this already."""
    sha256: str | None = None
    """Of its artifact, if it has one."""
    address: str | None = None
    """Of the server of others that answers for it."""


class Way(Protocol):
    """One of the two ways."""

    def bring_in(
        self,
        model: str,
        version: str,
        *,
        labels: Sequence[str],
        champion: str | None,
        margin: float,
    ) -> Arrival:
        """Check a version, and have it answer.

        labels: of the model, as its clients know them. champion: the version that a new one must
        not be worse than by more than the margin of the primary metric, if there is one. Raises
        Refused, InferenceError, OSError.
        """

    def agree(self, model: str) -> None:
        """Have the servers serve what the record says. Raises InferenceError, OSError."""


def note_loading(store: ReleaseStore, model: str, version: str) -> None:
    """Note that a version is coming; what serves or drains stays so: there may be calls."""
    if store.version_state(model, version) not in ("SERVING", "DRAINING"):
        store.set_version(model, version, "LOADING")
