"""How traffic moves: each move, and each step of a release, is one transaction with its history."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from database.logins import GATEWAY, ROLLOUT
from rollout.store import Order, ReleaseStore
from tests.integration.database.conftest import Connect
from tests.parts.catalog import register
from tests.parts.postgres import Database

MODEL = "sentiment"
ALL = 10_000


class Traffic:
    """What a gateway asks, on a connection of its own."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def value(self, sql: str, *parameters: Any) -> Any:
        """The one value of a query."""
        row = self._connection.execute(sql.encode(), parameters).fetchone()
        assert row is not None
        return row[0]

    def set(self, shares: dict[str, int], etag: str = "") -> None:
        split = psycopg.types.json.Jsonb(shares)
        self.value("SELECT releases_v1.set_shares(%s, %s, 'anna', '', %s)", MODEL, split, etag)

    def shift(self, action: str, etag: str = "", request_id: str | None = None) -> str:
        sql = "SELECT releases_v1.shift(%s, %s, 'anna', '', %s, %s)"
        return str(self.value(sql, MODEL, action, etag, request_id))

    def release(
        self,
        version: str,
        *steps: int,
        pause: str = "1 hour",
        etag: str = "",
        request_id: str | None = None,
    ) -> str:
        sql = "SELECT releases_v1.create_release(%s, %s, %s, %s, 0.1, 'anna', '', %s, %s)"
        steps = steps or (ALL,)
        return str(self.value(sql, MODEL, version, list(steps), pause, etag, request_id))

    def change(self, what: str, release: str, etag: str = "") -> None:
        self.value(f"SELECT releases_v1.{what}_release(%s, %s)", release, etag)

    @property
    def shares(self) -> dict[str, int]:
        return dict(self.value("SELECT releases_v1.shares(%s)", MODEL))

    @property
    def etag(self) -> str:
        return str(self.value("SELECT releases_v1.traffic_etag(%s)", MODEL))

    def row(self, release: str) -> dict[str, Any]:
        with self._connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            sql = "SELECT * FROM releases_v1.releases WHERE id = %s"
            row = cursor.execute(sql, (release,)).fetchone()
        assert row is not None
        return row


@pytest.fixture
def catalog(database: Database) -> Database:
    register(database, {MODEL: ["1", "2", "3"]}, labels={MODEL: ["no", "yes"]})
    return database


@pytest.fixture
def traffic(catalog: Database, connect: Connect) -> Traffic:
    return Traffic(connect(GATEWAY))


@pytest.fixture
def store(catalog: Database, connect: Connect) -> ReleaseStore:
    """Of a release process."""
    return ReleaseStore(connect(ROLLOUT))


@pytest.fixture
def owner(catalog: Database) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(catalog.conninfo, autocommit=True) as connection:
        yield connection


def refused(sqlstate: str) -> Any:
    def matches(error: psycopg.Error) -> bool:
        return error.sqlstate == sqlstate

    return pytest.raises(psycopg.Error, check=matches)


@pytest.mark.parametrize(
    ("shares", "percent"),
    [
        ({"1": 10_000}, {"1": 100}),
        ({"1": 9_990, "2": 10}, {"1": 100, "2": 0}),
        ({"1": 9_949, "2": 51}, {"1": 99, "2": 1}),
        ({"1": 3_334, "2": 3_333, "3": 3_333}, {"1": 34, "2": 33, "3": 33}),
        ({"1": 5_050, "2": 4_950}, {"1": 51, "2": 49}),
    ],
)
def test_programs_of_before_read_whole_percents_that_add_up(
    traffic: Traffic,
    owner: "psycopg.Connection[Any]",
    shares: dict[str, int],
    percent: dict[str, int],
) -> None:
    traffic.set(shares)
    assert traffic.shares == shares
    rows = owner.execute("SELECT version, percent FROM traffic").fetchall()
    assert dict(rows) == percent
    assert owner.execute("SELECT traffic, shares FROM releases").fetchone() == (percent, shares)


def test_programs_of_before_move_the_traffic_by_whole_percents(
    traffic: Traffic, connect: Connect, owner: "psycopg.Connection[Any]"
) -> None:
    split = psycopg.types.json.Jsonb({"1": 70, "2": 30, "3": 0})
    traffic.value("SELECT gateway_v1.set_traffic(%s, %s, 'api', '')", MODEL, split)
    assert traffic.shares == {"1": 7_000, "2": 3_000}
    rollout = connect(ROLLOUT)
    release = rollout.execute(
        "INSERT INTO releases (model, version, action, actor, reason, state, holder)"
        " VALUES ('sentiment', '3', 'RELEASE', 'anna', '', 'RUNNING', rollout_v1.this_backend())"
        " RETURNING id"
    ).fetchone()
    assert release is not None
    split = psycopg.types.json.Jsonb({"1": 99, "3": 1})
    rollout.execute("SELECT rollout_v1.move_traffic(%s, %s, %s)", (MODEL, split, *release))
    assert traffic.shares == {"1": 9_900, "3": 100}
    assert owner.execute("SELECT traffic FROM releases WHERE id = %s", release).fetchone() == (
        {"1": 99, "3": 1},
    )


def test_a_split_that_a_program_of_before_has_written_is_read(
    traffic: Traffic, owner: "psycopg.Connection[Any]"
) -> None:
    owner.execute("INSERT INTO traffic (model, version, percent) VALUES ('sentiment', '2', 100)")
    assert traffic.shares == {"2": ALL}


def test_shares_that_do_not_add_up_or_do_not_serve_move_nothing(traffic: Traffic) -> None:
    traffic.set({"1": ALL})
    with refused("PM001"):
        traffic.set({"1": 9_999})
    with refused("PM002"):
        traffic.set({"1": 5_000, "9": 5_000})
    assert traffic.shares == {"1": ALL}


def test_of_two_who_know_the_same_etag_one_moves_the_traffic(
    catalog: Database, connect: Connect, traffic: Traffic
) -> None:
    traffic.set({"1": ALL})
    known = traffic.etag
    others = [Traffic(connect(GATEWAY)) for _ in range(4)]

    def move(other: Traffic) -> bool:
        try:
            other.set({"1": 5_000, "2": 5_000}, etag=known)
        except psycopg.Error as error:
            return error.sqlstate != "PM003"
        return True

    with ThreadPoolExecutor(len(others)) as threads:
        assert sum(threads.map(move, others)) == 1
    assert traffic.etag != known


@pytest.mark.parametrize("way", ["set", "promote", "release", "step", "before"])
def test_an_etag_changes_with_each_move_and_with_nothing_else(
    traffic: Traffic, store: ReleaseStore, way: str
) -> None:
    assert traffic.etag
    traffic.set({"1": 9_000, "2": 1_000})
    known = traffic.etag
    assert traffic.etag == known
    release = traffic.release("3", etag=known)
    assert traffic.etag == known
    if way == "set":
        traffic.set({"1": 9_000, "2": 1_000}, etag=known)
    elif way == "promote":
        traffic.shift("PROMOTE", etag=known)
    elif way == "before":
        split = psycopg.types.json.Jsonb({"1": 100})
        traffic.value("SELECT gateway_v1.set_traffic(%s, %s, 'api', '')", MODEL, split)
    else:
        assert store.take_step(release)
    assert traffic.etag != known
    for attempt in (
        lambda: traffic.set({"1": ALL}, etag=known),
        lambda: traffic.shift("ROLLBACK", etag=known),
        lambda: traffic.release("2", etag=known),
    ):
        with refused("PM003"):
            attempt()


def test_a_request_id_stands_for_one_release_whatever_has_happened_since(
    traffic: Traffic, store: ReleaseStore
) -> None:
    request_id = "0195f7a0-0000-7000-8000-000000000001"
    known = traffic.etag
    release = traffic.release("1", etag=known, request_id=request_id)
    assert store.take_step(release)
    assert traffic.release("1", etag=known, request_id=request_id) == release
    traffic.set({"1": 5_000, "2": 5_000})
    other = request_id.replace("1", "2")
    promoted = traffic.shift("PROMOTE", request_id=other)
    assert traffic.shift("PROMOTE", request_id=other) == promoted
    assert traffic.shares == {"2": ALL}


def test_steps_are_taken_one_by_one_when_they_are_due(
    traffic: Traffic, store: ReleaseStore, owner: "psycopg.Connection[Any]"
) -> None:
    traffic.set({"1": ALL})
    release = traffic.release("2", 10, 100, ALL)
    assert traffic.row(release)["state"] == "ACCEPTED"
    assert store.next_order(MODEL) == Order(release, "2", 0.1)
    assert store.take_up(release)
    assert traffic.row(release)["state"] == "RUNNING"
    assert store.take_step(release)
    assert traffic.shares == {"1": 9_990, "2": 10}
    assert not store.take_step(release)  # it rests
    assert store.next_order(MODEL) is None
    assert store.steps_due() == []
    next_step_s = store.next_step_s()
    assert next_step_s is not None
    assert 3000 < next_step_s <= 3600
    for done, shares in ((2, {"1": 9_900, "2": 100}), (3, {"2": ALL})):
        owner.execute("UPDATE releases SET next_step_time = now() WHERE id = %s", (release,))
        assert [step.release for step in store.steps_due()] == [release]
        assert store.take_step(release)
        assert traffic.shares == shares
        assert traffic.row(release)["steps_done"] == done
    row = traffic.row(release)
    assert (row["state"], row["next_step_time"]) == ("DONE", None)
    assert row["complete_time"] is not None
    assert not store.take_step(release)


def test_two_processes_take_a_step_once(
    traffic: Traffic, connect: Connect, owner: "psycopg.Connection[Any]"
) -> None:
    traffic.set({"1": ALL})
    release = traffic.release("2", 10, 100, ALL)
    stores = [ReleaseStore(connect(ROLLOUT)) for _ in range(4)]
    for done in (1, 2, 3):
        owner.execute("UPDATE releases SET next_step_time = now() WHERE id = %s", (release,))
        with ThreadPoolExecutor(len(stores)) as threads:
            assert sum(threads.map(lambda store: store.take_step(release), stores)) == 1
        assert traffic.row(release)["steps_done"] == done


def test_the_first_version_gets_all_the_traffic(traffic: Traffic, store: ReleaseStore) -> None:
    release = traffic.release("1", 10, ALL)
    assert store.take_step(release)
    assert traffic.shares == {"1": ALL}


def test_a_paused_release_rests_until_it_is_resumed(traffic: Traffic, store: ReleaseStore) -> None:
    traffic.set({"1": ALL})
    release = traffic.release("2", 10, ALL)
    traffic.change("pause", release)
    assert traffic.row(release)["state"] == "PAUSED"
    assert store.next_order(MODEL) is None
    assert not store.take_up(release)
    assert not store.take_step(release)
    paused = traffic.row(release)
    traffic.change("pause", release)
    assert traffic.row(release) == paused  # it is as it was
    traffic.change("resume", release)
    assert traffic.row(release)["state"] == "ACCEPTED"
    assert store.take_step(release)
    traffic.change("pause", release)
    assert traffic.row(release)["next_step_time"] is None
    traffic.change("resume", release)
    running = traffic.row(release)
    assert running["state"] == "RUNNING"
    traffic.change("resume", release)
    assert traffic.row(release) == running
    assert [step.release for step in store.steps_due()] == [release]
    assert store.take_step(release)
    assert traffic.shares == {"2": ALL}


def test_a_cancelled_release_leaves_the_traffic_as_it_is(
    traffic: Traffic, store: ReleaseStore
) -> None:
    traffic.set({"1": ALL})
    release = traffic.release("2", 10, ALL)
    assert store.take_step(release)
    traffic.change("cancel", release)
    assert traffic.shares == {"1": 9_990, "2": 10}
    row = traffic.row(release)
    assert (row["state"], row["next_step_time"]) == ("INTERRUPTED", None)
    for what in ("pause", "resume", "cancel"):
        with refused("PM006"):
            traffic.change(what, release)
        with refused("PM005"):
            traffic.change(what, "0195f7a0-0000-7000-8000-000000000001")


def test_the_etag_of_a_release_changes_whenever_it_does(
    traffic: Traffic, store: ReleaseStore
) -> None:
    release = traffic.release("1", 10, ALL)
    seen = [traffic.row(release)["etag"]]
    for change in (
        lambda: store.take_up(release),
        lambda: store.take_step(release),
        lambda: traffic.change("pause", release, etag=seen[-1]),
        lambda: traffic.change("resume", release, etag=seen[-1]),
        lambda: traffic.change("cancel", release, etag=seen[-1]),
    ):
        change()
        etag = traffic.row(release)["etag"]
        assert etag not in seen
        seen.append(etag)
    other = traffic.release("1", ALL)
    for what in ("pause", "resume", "cancel"):
        with refused("PM003"):
            traffic.change(what, other, etag=seen[-1])


def test_a_move_ends_what_was_asked_before_it_and_not_what_was_asked_since(
    traffic: Traffic, store: ReleaseStore
) -> None:
    traffic.set({"1": ALL})
    older, newer = traffic.release("2", 10, ALL), traffic.release("3", 10, ALL)
    assert store.take_step(older)
    assert traffic.row(newer)["state"] == "ACCEPTED"
    assert store.take_step(newer)
    row = traffic.row(older)
    assert (row["state"], row["detail"]) == ("INTERRUPTED", "somebody moved the traffic")
    assert traffic.shares == {"1": 9_990, "3": 10}
    traffic.set({"1": ALL})
    assert traffic.row(newer)["state"] == "INTERRUPTED"
    assert not store.take_step(newer)


def test_what_waits_for_a_model_is_bounded(traffic: Traffic) -> None:
    for _ in range(100):
        traffic.release("1")
    with refused("PM007"):
        traffic.release("1")


def test_a_version_that_serves_no_more_gets_no_step(traffic: Traffic, store: ReleaseStore) -> None:
    traffic.set({"1": ALL})
    release = traffic.release("2", 10, ALL)
    store.set_version(MODEL, "2", "DRAINING")
    with refused("PM002"):
        store.take_step(release)
    assert traffic.shares == {"1": ALL}


def test_a_model_that_a_process_works_on_is_for_nobody_else_to_begin(
    traffic: Traffic, store: ReleaseStore, connect: Connect
) -> None:
    traffic.release("2")
    assert store.models_due() == [MODEL]
    with ReleaseStore(connect(ROLLOUT)).lock(MODEL) as held:
        assert held
        assert store.models_due() == []
    assert store.models_due() == [MODEL]


def test_a_process_of_before_leaves_a_release_alone_that_is_its_row(
    traffic: Traffic, store: ReleaseStore
) -> None:
    release = traffic.release("2", 10, ALL)
    assert store.interrupt(MODEL) == []
    assert traffic.row(release)["state"] == "ACCEPTED"


def test_the_newest_version_is_promoted_the_one_that_came_into_the_traffic_last(
    traffic: Traffic,
) -> None:
    with refused("PM004"):
        traffic.shift("PROMOTE")
    traffic.set({"1": ALL})
    with refused("PM004"):
        traffic.shift("PROMOTE")
    traffic.set({"1": 9_000, "3": 1_000})
    traffic.set({"1": 5_000, "3": 5_000})
    traffic.shift("PROMOTE")
    assert traffic.shares == {"3": ALL}
    traffic.set({"3": 9_999, "2": 1})  # the newest need not have the highest number
    traffic.shift("PROMOTE")
    assert traffic.shares == {"2": ALL}


def test_a_rollback_goes_behind_all_steps_of_the_newest_version(
    traffic: Traffic, store: ReleaseStore
) -> None:
    with refused("PM004"):
        traffic.shift("ROLLBACK")
    traffic.set({"1": ALL})
    with refused("PM004"):
        traffic.shift("ROLLBACK")
    traffic.set({"1": 9_987, "2": 13})
    for shares in ({"1": 9_000, "3": 1_000}, {"1": 5_000, "3": 5_000}, {"3": ALL}):
        traffic.set(shares)
    assert store.drain_unused(MODEL) == []
    traffic.shift("ROLLBACK")
    assert traffic.shares == {"1": 9_987, "2": 13}
    assert store.version_state(MODEL, "3") == "DRAINING"


def test_a_rollback_goes_only_to_versions_that_serve(traffic: Traffic, store: ReleaseStore) -> None:
    traffic.set({"1": ALL})
    traffic.set({"1": 4_000, "2": 6_000})
    traffic.set({"3": ALL})
    store.set_version(MODEL, "2", "DRAINING")
    assert store.drain_unused(MODEL) == []
    traffic.shift("ROLLBACK")
    assert traffic.shares == {"1": ALL}


def test_the_champion_has_the_greatest_share_and_is_the_older_of_two(
    traffic: Traffic, store: ReleaseStore
) -> None:
    assert store.champion(MODEL) is None
    traffic.set({"1": 10, "2": 9_990})
    assert store.champion(MODEL) == "2"
    traffic.set({"2": 5_000, "3": 5_000})
    assert store.champion(MODEL) == "2"


def test_only_what_has_traffic_or_is_the_way_back_stays(
    traffic: Traffic, store: ReleaseStore
) -> None:
    traffic.set({"1": ALL})
    traffic.set({"2": ALL})
    traffic.set({"3": ALL})
    assert store.drain_unused(MODEL) == ["1"]
