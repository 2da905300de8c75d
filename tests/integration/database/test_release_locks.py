"""Who releases a model, and what is left of those that died: rows that name living connections."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from database.logins import ROLLOUT, Login
from rollout.store import ReleaseStore
from tests.integration.database.conftest import Connect
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.requests import Requests

OTHER = Login(name="rollout-by-hand", group="pmesh_rollout", connections=2)


@pytest.fixture(params=[ROLLOUT, OTHER], ids=["of one login", "of two logins"])
def two(
    requests: Requests, connect: Connect, request: pytest.FixtureRequest
) -> Iterator[tuple[ReleaseStore, "psycopg.Connection[tuple[object]]"]]:
    """A store, and the connection of another release."""
    with ExitStack() as stack:
        yield ReleaseStore(connect(ROLLOUT)), stack.enter_context(connect(request.param))


Two = tuple[ReleaseStore, "psycopg.Connection[tuple[object]]"]


def test_one_process_at_a_time_has_a_model(two: Two) -> None:
    mine, connection = two
    with ReleaseStore(connection).lock("genre") as held:
        assert held
        with mine.lock("genre") as second, mine.lock("sentiment") as other_model:
            assert (second, other_model) == (False, True)
    for _ in range(2):
        with mine.lock("genre") as third:
            assert third


def test_a_lock_ends_with_its_connection(two: Two) -> None:
    mine, connection = two
    lock = ReleaseStore(connection).lock("genre")
    assert lock.__enter__()
    connection.close()

    def is_free() -> bool:
        with mine.lock("genre") as held:
            return held

    wait_until(is_free)


def test_a_row_that_names_a_connection_of_before_counts_for_nothing(
    requests: Requests, connect: Connect, database: Database
) -> None:
    connection = connect(ROLLOUT)
    pid = connection.info.backend_pid
    with database.connect() as owner:  # as after a restart, when numbers come again
        owner.execute(
            "INSERT INTO release_locks VALUES ('genre', (%s, 'rollout', now() - interval '1 day'))",
            (pid,),
        )
        owner.execute(
            "INSERT INTO release_locks VALUES ('sentiment', (%s, 'somebody', now()))", (pid,)
        )
    for model in ("genre", "sentiment"):
        with ReleaseStore(connection).lock(model) as held:
            assert held


def test_what_a_program_of_before_left_running_is_abandoned(two: Two, database: Database) -> None:
    mine, connection = two
    own = (
        "INSERT INTO releases (model, version, action, actor, reason, state, holder)"
        " VALUES ('genre', '7', 'RELEASE', 'anna', '', 'RUNNING', rollout_v1.this_backend())"
    )
    connection.execute(own)
    assert mine.interrupt("genre") == []
    connection.close()
    wait_until(lambda: mine.interrupt("genre") == ["7"])
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO releases (model, version, action, actor, reason, state)"
            " VALUES ('genre', '7', 'RELEASE', 'anna', '', 'RUNNING')"
        )
    assert mine.interrupt("genre") == ["7"]


def test_labels_and_address_of_a_version_stay_until_they_are_given_anew(
    two: Two, requests: Requests
) -> None:
    mine, _ = two
    mine.set_version("genre", "5", "LOADING", labels=["a", "b"], address="theirs:9")
    mine.set_version("genre", "5", "SERVING", sha256="x")
    row = "SELECT labels, address, sha256, state::text FROM versions WHERE version = '5'"
    assert requests.query(row) == [
        {"labels": ["a", "b"], "address": "theirs:9", "sha256": "x", "state": "SERVING"}
    ]
