"""A moved alias of the registry is an order, given once; any other follows the traffic."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from modelkit.registry import CHAMPION, Registry
from rollout import alias as following
from rollout.store import ReleaseStore
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import ALL, NAME, Workshop
from tests.parts.polling import wait_until
from tests.parts.ports import free_port


def alias(workshop: Workshop) -> str:
    version = workshop.registry.alias(NAME, CHAMPION)
    return version.number if version else ""


@pytest.fixture
def versions(workshop: Workshop) -> Iterator[tuple[str, str]]:
    """Two that are as good as each other; the first one serves and has the alias."""
    first, second = (workshop.register(Model(version=n)) for n in range(2))
    workshop.release(first)
    workshop.registry.set_alias(NAME, CHAMPION, first)
    workshop.look()
    yield first, second
    workshop.registry.set_alias(NAME, CHAMPION, first)


def test_a_moved_alias_is_carried_out_once(workshop: Workshop, versions: tuple[str, str]) -> None:
    first, second = versions
    workshop.registry.set_alias(NAME, CHAMPION, second)
    workshop.look()
    assert workshop.traffic() == {second: ALL}
    assert workshop.last_release()["actor"] == "registry"
    workshop.shift("ROLLBACK")
    workshop.look()
    assert workshop.traffic() == {first: ALL}
    assert alias(workshop) == first


def test_an_order_that_waits_is_neither_given_again_nor_taken_back(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    _, second = versions
    workshop.registry.set_alias(NAME, CHAMPION, second)
    for _ in range(3):
        workshop.housekeeping().look()
    assert alias(workshop) == second
    orders = "SELECT version, state FROM releases_v1.releases WHERE actor = 'registry'"
    assert workshop.query(orders) == [(second, "ACCEPTED")]


def test_the_alias_goes_back_from_a_version_that_is_refused(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    first, _ = versions
    worse = workshop.register(Model(skill=0.2))
    workshop.registry.set_alias(NAME, CHAMPION, worse)
    for _ in range(3):
        workshop.look()
    assert alias(workshop) == first
    assert workshop.traffic() == {first: ALL}
    refusals = workshop.query("SELECT refusal FROM releases WHERE version = %s", worse)
    assert refusals == [("QUALITY_WORSE",)]


def test_an_order_that_an_outage_has_stopped_is_given_again_later(
    workshop: Workshop, versions: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = versions
    workshop.registry.set_alias(NAME, CHAMPION, second)
    workshop.housekeeping().look()
    workshop.releaser(Registry(f"http://127.0.0.1:{free_port()}")).carry_on(NAME)
    assert workshop.last_release()["refusal"] == "REGISTRY_UNAVAILABLE"
    workshop.look()
    assert workshop.last_release()["state"] == "REFUSED"
    assert alias(workshop) == second
    monkeypatch.setattr(following, "RETRY_S", 0)
    workshop.look()
    assert workshop.traffic() == {second: ALL}


def test_an_order_that_the_disk_has_stopped_is_given_again_later(
    workshop: Workshop, versions: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    _, second = versions
    workshop.registry.set_alias(NAME, CHAMPION, second)
    with monkeypatch.context() as patch:
        patch.setattr("rollout.serving.write_version", full)
        workshop.look()
    assert workshop.last_release()["state"] == "INTERRUPTED"
    workshop.look()
    assert alias(workshop) == second
    monkeypatch.setattr(following, "RETRY_S", 0)
    workshop.look()
    assert workshop.traffic() == {second: ALL}


def test_two_processes_give_an_order_once(workshop: Workshop, versions: tuple[str, str]) -> None:
    _, second = versions
    workshop.registry.set_alias(NAME, CHAMPION, second)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        with workshop.store.traffic_held(NAME):  # until both have seen the same
            looks = []
            for _ in range(2):
                connection = stack.enter_context(workshop.connect())
                follower = following.AliasFollower(
                    store=ReleaseStore(connection),
                    registry=workshop.registry,
                    foreign=workshop.foreign(workshop.registry),
                )
                looks.append(pool.submit(follower.look, NAME))
            waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: len(workshop.query(waiting)) == 2)
        for look in looks:
            look.result()
    orders = "SELECT version FROM releases WHERE actor = 'registry'"
    assert workshop.query(orders) == [(second,)]


def test_a_rollback_while_an_order_is_carried_out_stands(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    first, second = versions
    third = workshop.register(Model(version=2))
    workshop.release(second)
    workshop.look()
    assert alias(workshop) == second

    def meanwhile(said: str) -> None:
        if said.startswith("warming up"):
            workshop.shift("ROLLBACK")

    workshop.registry.set_alias(NAME, CHAMPION, third)
    for _ in range(3):
        workshop.look(meanwhile)
    assert workshop.traffic() == {first: ALL}
    assert alias(workshop) == first


def test_an_order_after_a_crash_is_not_taken_for_an_older_one(
    workshop: Workshop, versions: tuple[str, str]
) -> None:
    first, second = versions
    workshop.release(second)
    # It died when it had moved the alias, and had not noted that.
    workshop.store.set_alias(NAME, CHAMPION, pending=second)
    workshop.registry.set_alias(NAME, CHAMPION, second)
    workshop.look()
    assert workshop.traffic() == {second: ALL}
    workshop.registry.set_alias(NAME, CHAMPION, first)
    workshop.look()
    assert workshop.traffic() == {first: ALL}
