"""The parts of the release process, each on one connection to PostgreSQL."""

import logging
from collections.abc import Callable

from modelkit.registry import Registry
from rollout.alias import AliasFollower
from rollout.arrival import Way
from rollout.foreign import ForeignVersions
from rollout.gate import Gate
from rollout.housekeeping import Housekeeping
from rollout.own import NoTriton, OwnVersions
from rollout.release import Releaser
from rollout.serving import Serving
from rollout.settings import ForeignSettings, Settings
from rollout.store import ReleaseStore

tell = logging.getLogger("rollout").info


def releaser(store: ReleaseStore, settings: ForeignSettings) -> Releaser:
    """What carries releases out."""
    foreign = _foreign(store, settings)
    own: Way = NoTriton()
    if isinstance(settings, Settings):
        serving = _serving(settings)
        gate = Gate(
            registry=Registry(settings.tracking_uri),
            serving=serving,
            foreign=foreign,
            find_texts=store.texts,
        )
        own = OwnVersions(store=store, gate=gate, serving=serving, tell=tell)
    return Releaser(
        store=store,
        own=own,
        foreign=foreign,
        margin=settings.quality_margin,
        idle_s=settings.idle_s,
        tell=tell,
    )


def housekeeping(
    store: ReleaseStore, settings: ForeignSettings, hint: Callable[[], None] | None
) -> Housekeeping:
    """What looks after the rest."""
    serving = aliases = None
    if isinstance(settings, Settings):
        serving = _serving(settings)
        registry, foreign = Registry(settings.tracking_uri), _foreign(store, settings)
        aliases = AliasFollower(store=store, registry=registry, foreign=foreign)
    return Housekeeping(
        store=store, serving=serving, aliases=aliases, idle_s=settings.idle_s, hint=hint
    )


def _serving(settings: Settings) -> Serving:
    return Serving(
        repository=settings.repository,
        address=settings.triton_address,
        key=settings.triton_key,
        device_of=settings.device_of,
    )


def _foreign(store: ReleaseStore, settings: ForeignSettings) -> ForeignVersions:
    registry = Registry(settings.tracking_uri) if settings.tracking_uri else None
    return ForeignVersions(store=store, registry=registry, triton_address=settings.triton_address)
