"""The release process: a moved alias is an order, and what dies on the way is made good."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rollout.traffic import roll_back

from modelkit.registry import CHAMPION
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import NAME, Workshop


def alias(workshop: Workshop) -> str:
    version = workshop.registry.alias(NAME, CHAMPION)
    return version.number if version else ""


@pytest.fixture
def versions(workshop: Workshop) -> Iterator[tuple[str, str]]:
    """Two that are as good as each other; the first one serves and has the alias."""
    first, second = (workshop.register(Model(version=n)) for n in range(2))
    workshop.release(first)
    workshop.registry.set_alias(NAME, CHAMPION, first)
    workshop.watcher().look()
    yield first, second
    workshop.registry.set_alias(NAME, CHAMPION, first)


def test_a_moved_alias_is_carried_out_once(workshop: Workshop, versions: tuple[str, str]) -> None:
    first, second = versions
    workshop.registry.set_alias(NAME, CHAMPION, second)
    watcher = workshop.watcher()
    watcher.look()
    assert workshop.store.traffic(NAME) == {second: 100}
    roll_back(workshop.store, NAME, actor="anna", reason="errors")
    watcher.look()
    assert workshop.store.traffic(NAME) == {first: 100}
    assert alias(workshop) == first


def test_the_alias_goes_back_from_a_version_that_is_refused(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    first, _ = versions
    worse = workshop.register(Model(skill=0.2))
    workshop.registry.set_alias(NAME, CHAMPION, worse)
    watcher = workshop.watcher()
    for _ in range(3):
        watcher.look()
    assert alias(workshop) == first
    assert workshop.store.traffic(NAME) == {first: 100}
    refusals = workshop.query("SELECT refusal FROM releases WHERE version = %s", worse)
    assert refusals == [("QUALITY_WORSE",)]


def test_a_rollback_while_an_order_is_carried_out_stands(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    first, second = versions
    third = workshop.register(Model(version=2))
    workshop.release(second)
    workshop.watcher().look()
    assert alias(workshop) == second

    def meanwhile(said: str) -> None:
        if said.startswith("warming up"):
            roll_back(workshop.store, NAME, actor="anna", reason="errors")

    workshop.registry.set_alias(NAME, CHAMPION, third)
    watcher = workshop.watcher(meanwhile)
    for _ in range(3):
        watcher.look()
    assert workshop.store.traffic(NAME) == {first: 100}
    assert alias(workshop) == first


def test_an_order_after_a_crash_is_not_taken_for_an_older_one(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    first, second = versions
    workshop.release(second)
    # It died when it had moved the alias, and had not noted that.
    workshop.store.set_alias(NAME, CHAMPION, pending=second)
    workshop.registry.set_alias(NAME, CHAMPION, second)
    watcher = workshop.watcher()
    watcher.look()
    assert workshop.store.traffic(NAME) == {second: 100}
    workshop.registry.set_alias(NAME, CHAMPION, first)
    watcher.look()
    assert workshop.store.traffic(NAME) == {first: 100}


PLACES = [
    "rollout.store:ReleaseStore.drain_unused:after",
    "triton_repo.writer:remove_version:after",
    "rollout.serving:Serving.load:before",
    "rollout.serving:sweep:before",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_tidying_up_that_is_killed_goes_on(
    workshop: Workshop, versions: tuple[str, str], place: str, tmp_path: Path
) -> None:
    first, second = versions
    workshop.release(second)
    third = workshop.register(Model(version=2))
    workshop.release(third)  # now the first one is neither used nor the way back
    marker = tmp_path / "marker"
    killed = workshop.run("watch", **workshop.fault(place, marker))
    assert killed.returncode == -9, killed.stderr
    assert len(marker.read_text().splitlines()) == 1
    workshop.settle()
    assert workshop.store.traffic(NAME) == {third: 100}
    assert workshop.states() == {first: "RETIRED", second: "SERVING", third: "SERVING"}
    assert workshop.loaded() == {second, third}
