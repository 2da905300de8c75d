"""The parts of a release, put together."""

import logging
from typing import NamedTuple

from inference.repository import RepositoryApi
from modelkit.registry import Registry
from modelkit.values import model_folder, read_values
from rollout.foreign import ForeignVersions
from rollout.gate import Gate
from rollout.own import OwnVersions
from rollout.release import Releaser
from rollout.serving import Serving
from rollout.settings import ForeignSettings, Settings
from rollout.store import ReleaseStore

LOCK_WAIT_S = 30.0
"""For what another process does with the same model; tidying up takes seconds."""

tell = logging.getLogger("rollout").info


class Parts(NamedTuple):
    """Of all releases."""

    registry: Registry
    serving: Serving
    foreign: ForeignVersions
    releaser: Releaser


def parts(store: ReleaseStore, settings: Settings) -> Parts:
    """For versions of any kind."""
    registry = Registry(settings.tracking_uri)
    serving = Serving(
        repository=settings.repository,
        triton=RepositoryApi(settings.triton_address, key=settings.triton_key),
        device=settings.device,
    )
    foreign = _foreign(store, registry, settings)
    gate = Gate(registry=registry, serving=serving, foreign=foreign, margin=settings.quality_margin)
    own = OwnVersions(store=store, gate=gate, serving=serving, tell=tell)
    return Parts(registry, serving, foreign, _releaser(store, own, foreign, settings))


def is_foreign(model: str, version: str) -> bool:
    """Whether a server of others answers for a version. Raises InvalidValues."""
    folder = model_folder(model)
    return (folder / "values.yaml").is_file() and version in read_values(folder).foreign


def foreign_releaser(store: ReleaseStore, settings: ForeignSettings) -> Releaser:
    """For versions of others only: it needs no registry and no Triton."""
    registry = Registry(settings.tracking_uri) if settings.tracking_uri else None
    return _releaser(store, None, _foreign(store, registry, settings), settings)


def _foreign(
    store: ReleaseStore, registry: Registry | None, settings: ForeignSettings
) -> ForeignVersions:
    return ForeignVersions(
        store=store,
        registry=registry,
        triton_address=settings.triton_address,
        margin=settings.quality_margin,
    )


def _releaser(
    store: ReleaseStore,
    own: OwnVersions | None,
    foreign: ForeignVersions,
    settings: ForeignSettings,
) -> Releaser:
    return Releaser(
        store=store,
        own=own,
        foreign=foreign,
        idle_s=settings.idle_s,
        patience_s=LOCK_WAIT_S,
        tell=tell,
    )
