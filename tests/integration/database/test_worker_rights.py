"""What a model's login may do, and that it can harm nobody else with it."""

from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from contract.days import FIRST_ID
from database import named_sql
from database.logins import RELAY, Login, worker_login
from database.registration import Registration, register_models
from rollout.store import ReleaseStore
from tests.integration.database.conftest import Connect
from tests.parts.postgres import Database
from tests.parts.requests import Requests

RELAY_SQL = named_sql.load("relay")
CLAIM = "SELECT * FROM worker_v1.claim(%s::uuid[], %s::interval, %s)"
EXTEND = "SELECT * FROM worker_v1.extend(%s::uuid[], %s::uuid[], %s::interval)"

Worker = psycopg.Connection[Any]


def claim(worker: Worker, *ids: str, lease: str = "1 min", limit: int = 5) -> list[dict[str, Any]]:
    cursor = worker.execute(CLAIM, (list(ids), lease, limit))
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def extend(worker: Worker, ids: list[str], tokens: list[str], lease: str = "1 min") -> set[str]:
    return {str(row[0]) for row in worker.execute(EXTEND, (ids, tokens, lease)).fetchall()}


def test_a_worker_claims_requests_of_its_own_model(worker: Worker, requests: Requests) -> None:
    (own,), (foreign,) = requests.accept(), requests.accept(model="genre")
    outcomes = {str(row["id"]): row["outcome"] for row in claim(worker, own, foreign)}
    assert outcomes == {own: "claimed", foreign: "finished"}
    assert requests.get(foreign)["state"] == "ACCEPTED"
    assert "a text" not in str(claim(worker, foreign))


def test_a_claim_says_what_the_version_answers_and_where(
    worker: Worker, requests: Requests, database: Database
) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        store = ReleaseStore(connection)
        store.set_version("sentiment", "2", "DRAINING", labels=["a", "b"], address="theirs:9")
        store.set_version("sentiment", "3", "RETIRED", labels=["a", "b"])
    ids = [requests.accept_texts("a text", version=version)[0] for version in "1239"]
    rows = {row["version"]: row for row in claim(worker, *ids)}
    assert {v: (row["labels"], row["address"]) for v, row in rows.items()} == {
        "1": (["negative", "neutral", "positive"], "unused:1"),
        "2": (["a", "b"], "theirs:9"),
        "3": (None, None),
        "9": (None, None),
    }
    assert len({row["token"] for row in rows.values()}) == 4


def test_each_claim_has_another_token(worker: Worker, requests: Requests) -> None:
    (one,) = requests.accept()
    first, second = (claim(worker, one, lease="0")[0] for _ in range(2))
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert first["token"] != second["token"]


def test_an_id_that_is_named_twice_is_claimed_once(worker: Worker, requests: Requests) -> None:
    (one,) = requests.accept()
    assert [row["attempt"] for row in claim(worker, one, one)] == [1]


def test_a_claim_is_kept_by_its_token_only(
    worker: Worker, requests: Requests, connect: Connect
) -> None:
    (one,) = requests.accept()
    token = str(claim(worker, one)[0]["token"])
    lease = "SELECT lease_until FROM requests"
    before = requests.query(lease)
    assert extend(worker, [one], [str(uuid4())], "1 hour") == set()
    assert extend(connect(worker_login("genre")), [one], [token], "1 hour") == set()
    assert requests.query(lease) == before
    assert extend(worker, [one], [token], "1 hour") == {one}
    assert requests.query(lease) != before
    assert extend(worker, [one], [token], "0") == {one}
    assert claim(worker, one)[0]["outcome"] == "claimed"


def test_an_answer_with_another_token_changes_nothing(
    worker: Worker, requests: Requests, connect: Connect
) -> None:
    (one,) = requests.accept()
    token = claim(worker, one)[0]["token"]
    relay = connect(RELAY)

    def answer(claim_token: object, scores: str = '{"positive": 1}') -> list[str | None]:
        """The new state of what fits."""
        row = {
            "id": one,
            "model": "sentiment",
            "version": "1",
            "claim_token": claim_token,
            "error": None,
            "label": "positive",
            "confidence": 1.0,
            "scores": scores,
            "value": None,
            "features_uri": "",
            "traceparent": None,
        }
        given = {name: [value] for name, value in row.items()}
        return [row[3] for row in relay.execute(RELAY_SQL["answer"], given).fetchall()]

    before = requests.get(one)
    assert answer(uuid4()) == []
    assert answer(None) == []
    assert answer(token, '{"news": 1}') == []
    with requests.hold([one]):
        assert answer(uuid4()) == []
        assert answer(token, '{"news": 1}') == []
        assert answer(token) == [None]
    assert requests.get(one) == before
    assert answer(token) == ["SUCCEEDED"]
    assert answer(token) == []
    assert requests.get(one)["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (CLAIM, ([str(uuid4()) for _ in range(1001)], "1 min", 5)),
        (CLAIM, ([], "61 min", 5)),
        (CLAIM, ([], "infinity", 5)),
        (CLAIM, ([], "-1 s", 5)),
        (CLAIM, ([], None, 5)),
        (CLAIM, (None, "1 min", 5)),
        (CLAIM, ([], "1 min", 0)),
        (CLAIM, ([], "1 min", 1001)),
        (CLAIM, ([], "1 min", None)),
        (EXTEND, ([str(uuid4())] * 1001, [str(uuid4())] * 1001, "1 min")),
        (EXTEND, ([], [], "61 min")),
        (EXTEND, ([], [str(uuid4())], "1 min")),
        (EXTEND, ([], None, "1 min")),
    ],
)
def test_what_is_asked_is_bounded(
    worker: Worker, statement: LiteralString, parameters: tuple[object, ...]
) -> None:
    with pytest.raises(errors.InvalidParameterValue):
        worker.execute(statement, parameters)


def test_a_login_of_no_model_claims_nothing(requests: Requests, connect: Connect) -> None:
    nobody = connect(Login(name="nobody-s", group="pmesh_worker", connections=1))
    with pytest.raises(errors.InsufficientPrivilege, match="of no model"):
        claim(nobody, *requests.accept())


def test_a_worker_reads_which_model_its_login_is_for(worker: Worker, connect: Connect) -> None:
    ask = "SELECT worker_v1.model()"
    assert worker.execute(ask).fetchone() == ("sentiment",)
    assert connect(worker_login("genre")).execute(ask).fetchone() == ("genre",)
    with pytest.raises(errors.InsufficientPrivilege, match="of no model"):
        connect(Login(name="nobody-s", group="pmesh_worker", connections=1)).execute(ask)


def test_a_worker_holds_rows_of_its_own_requests_and_no_others(
    worker: Worker, requests: Requests, database: Database
) -> None:
    own, foreign = requests.accept(2), requests.accept(2, model="genre")
    shared = ("models", "versions", "traffic", "publishing", "worker_logins", "outbox")
    with worker.transaction(), database.connect() as owner:
        tokens = {str(row["id"]): str(row["token"]) for row in claim(worker, *own, *foreign)}
        assert extend(worker, own, [tokens[id_] for id_ in own]) == set(own)
        for table in shared:
            assert owner.execute(f"SELECT FROM {table} FOR UPDATE NOWAIT".encode()).rowcount >= 0
        left = owner.execute("SELECT id::text FROM requests FOR UPDATE SKIP LOCKED").fetchall()
        assert {row["id"] for row in left} == set(foreign)


def test_a_model_whose_queue_would_be_another_ones_is_not_registered(database: Database) -> None:
    for id_ in ("gateway", "genre-dead", "Genre"):
        model = Registration(id=id_, description="", labels=["a", "b"], address="unused:1")
        with database.connect() as owner, pytest.raises(ValueError, match=id_):
            register_models(owner, [model])


def test_a_worker_sees_no_table(worker: Worker, database: Database) -> None:
    tables = "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p', 'v')"
    mine = " AND relnamespace::regnamespace::text !~ '^(pg_|information_)' ORDER BY name"
    with database.connect() as connection:
        names = [row["name"] for row in connection.execute(tables + mine).fetchall()]
        readable = "SELECT has_any_column_privilege('pmesh_worker', %s, 'SELECT') AS can"
        rights = [connection.execute(readable, (name,)).fetchone() for name in names]
    assert {"requests", "requests_default", "outbox", "catalog_v1.versions"} < set(names)
    assert rights == [{"can": False}] * len(names)
    for name in names:
        qualified = name if "." in name else f"public.{name}"
        with pytest.raises(errors.InsufficientPrivilege):
            worker.execute(f"SELECT FROM {qualified}".encode())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT public.notify_changed('{}')",
        "SELECT worker_v1.own_model('{}', '0')",
        "SELECT gateway_v1.set_traffic('sentiment', '{}', '', '')",
        "SELECT relay_v1.create_partitions(1)",
        "CREATE TABLE public.mine (id integer)",
        "CREATE SCHEMA mine",
        "SET ROLE pmesh_relay",
        "SET SESSION AUTHORIZATION 'worker-genre'",
        "SELECT lo_create(0)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
    ],
)
def test_a_worker_may_do_nothing_else(worker: Worker, statement: LiteralString) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        worker.execute(statement)


def test_no_lock_that_a_role_may_take_stops_a_relay(
    database: Database, requests: Requests, connect: Connect
) -> None:
    requests.accept()
    with psycopg.connect(database.conninfo) as anybody:  # a superuser: others may take none
        keys = ["publish sentiment", "release sentiment", "run x"]
        take = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
        for key in keys:
            anybody.execute(take, (key,))
        anybody.execute("SELECT pg_advisory_lock(%s)", (0x70_6D_65_73_68,))
        relay = connect(RELAY)
        relay.execute("SET lock_timeout = '5s'")
        with relay.transaction():
            models = [row[0] for row in relay.execute(RELAY_SQL["lock_models"]).fetchall()]
            limits = {
                "models": models,
                "since": FIRST_ID,
                "max_in_flight": 10,
                "limit": 10,
            }
            claimed = relay.execute(RELAY_SQL["claim_requests"], limits).fetchall()
        assert (models, len(claimed)) == (["sentiment"], 1)


def test_a_worker_uses_up_its_own_connections_only(
    database: Database, requests: Requests, connect: Connect
) -> None:
    login = worker_login("sentiment")
    for _ in range(login.connections):
        connect(login)
    with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
        psycopg.connect(database.conninfo, user=login.name)
    assert connect(RELAY).execute("SELECT 1").fetchone() == (1,)
    with database.connect() as owner:
        assert owner.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_a_model_that_is_registered_anew_keeps_its_versions_and_its_worker(
    database: Database, worker: Worker, requests: Requests
) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as owner:
        labels = ["negative", "neutral", "positive"]
        model = Registration(id="sentiment", description="", labels=labels, address="new:1")
        register_models(owner, [model])
    assert [row["address"] for row in claim(worker, *requests.accept())] == ["new:1"]
    listed = requests.query("SELECT id FROM models WHERE listed")
    assert [row["id"] for row in listed] == ["sentiment"]
