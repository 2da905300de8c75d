"""Jobs and people that change the same at once: each gets it done, in one order or the other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitoring.feature_figures import FeatureReference
from monitoring.references import Reference
from monitoring.store import QualityStore
from tests.integration.monitoring.conftest import Monitoring
from tests.parts.observed import MODEL
from tests.parts.polling import wait_until

BLOCKED = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"


def find(store: QualityStore, name: str) -> None:
    store.set_reference(MODEL, "1", Reference(name, 1, {}, None))


def choose(store: QualityStore, name: str) -> None:
    store.set_reference(MODEL, "", Reference(name, 1, {}, None))


def find_features(store: QualityStore, name: str) -> None:
    store.set_feature_reference(MODEL, "1", FeatureReference(name, 1, (0.0,), (1, 1)))


def forget(store: QualityStore, _: str) -> None:
    store.forget_reference(MODEL)


@pytest.mark.parametrize(
    ("change", "then"),
    [
        (find, ("first", "second", "first")),
        (choose, ("second", "first", "first")),
        (find_features, ("first", "first", "first")),  # that of the first one stays
        (forget, (None, "first", "first")),
    ],
)
def test_a_reference_is_set_though_another_one_sets_it_at_once(
    monitoring: Monitoring,
    change: Callable[[QualityStore, str], None],
    then: tuple[str | None, str, str],
) -> None:
    with monitoring.store() as first, monitoring.store() as second:
        choose(first, "before")
        with ThreadPoolExecutor(1) as threads, monitoring.database.connect() as watcher:
            with first.transaction():
                for write in (find, choose, find_features):
                    write(first, "first")
                changing = threads.submit(change, second, "second")
                name = (watcher.info.dbname,)
                wait_until(lambda: watcher.execute(BLOCKED, name).fetchone() is not None)
            changing.result()
        found = {version: found.name for version, found in first.references(MODEL).items()}
        features = first.feature_reference(MODEL, "1")
    assert features
    assert (found.get(""), found["1"], features.name) == then
