"""`pmesh provision`: on a database, a bus and a checkout that the environment names."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml
from psycopg import sql

from database.connections import connect
from database.logins import GATEWAY, program_logins, worker_login
from pmesh.scaffold.folder import write_model_folder
from tests.parts.aws import Aws
from tests.parts.bus_probe import TOPIC_ARN
from tests.parts.polling import wait_until
from tests.parts.postgres import Database, Postgres
from training.store import TrainingStore

ROOT = Path(__file__).parents[4]
ADDRESS = "triton.example:8001"


class Checkout:
    """A few models, and the command in their midst."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.models = folder / "models"
        self.models.mkdir()
        (self.models / "__init__.py").touch()
        paths = [str(folder), str(ROOT), str(ROOT / "build" / "gen")]
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PMESH_TRITON_ADDRESS": ADDRESS,
            **environment,
        }

    def add(self, name: str, labels: tuple[str, ...] = ("yes", "no")) -> None:
        write_model_folder(self.models, name, labels)

    def provision(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (sys.executable, "-P", "-m", "pmesh.cli", "provision", *arguments),
            env=self._environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (sys.executable, "-P", "-m", "pmesh.cli", "provision", *arguments),
            env=self._environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def done(self, *arguments: str) -> dict[tuple[str, str], str]:
        """Kind and name -> outcome, of a run that must succeed."""
        run = self.provision(*arguments)
        assert run.returncode == 0, run.stderr
        rows = [line.split("\t") for line in run.stdout.splitlines()]
        return {(kind, name): outcome for kind, name, outcome in rows}


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[Database]:
    """A database without a schema."""
    database = postgres.create_database(template="template1")
    yield database
    postgres.drop_database(database)


@pytest.fixture
def checkout(tmp_path: Path, empty: Database, aws: Aws) -> Checkout:
    checkout = Checkout(tmp_path, {**empty.environment, **aws.environment})
    checkout.add("mood")
    checkout.add("spam")
    return checkout


def models(database: Database) -> list[dict[str, object]]:
    with database.connect() as connection:
        return connection.execute("SELECT id, address, listed FROM models ORDER BY id").fetchall()


def test_the_first_run_makes_everything_and_says_so(
    checkout: Checkout, empty: Database, aws: Aws
) -> None:
    done = checkout.done()
    assert done["schema", "0001_predictions.sql"] == done["schema", "roles.sql"] == "applied"
    assert done["topic", TOPIC_ARN] == "ready"
    assert done["bucket", "arn:aws:s3:::predict-features"] == "ready"
    assert done["model", "mood"] == done["model", "spam"] == "listed"
    assert models(empty) == [
        {"id": "mood", "address": ADDRESS, "listed": True},
        {"id": "spam", "address": ADDRESS, "listed": True},
    ]
    queues = {url.rsplit("/", 1)[1] for url in aws.client("sqs").list_queues()["QueueUrls"]}
    assert {"predict-gateway", "predict-mood", "predict-spam-dead"} < queues


def test_again_nothing_is_left_to_do(checkout: Checkout, empty: Database) -> None:
    checkout.done()
    again = checkout.done()
    assert not [name for kind, name in again if kind == "schema"]
    assert {outcome for (kind, _), outcome in again.items() if kind == "model"} == {"unchanged"}
    assert again["topic", TOPIC_ARN] == "ready"


def test_a_model_whose_folder_is_gone_is_unlisted_and_comes_back(
    checkout: Checkout, empty: Database
) -> None:
    checkout.done()
    away = checkout.models / "away"
    (checkout.models / "spam").rename(away)
    (away / "values.yaml").rename(away / "values.yaml.old")
    assert checkout.done()["model", "spam"] == "unlisted"
    assert [model["listed"] for model in models(empty)] == [True, False]
    assert ("model", "spam") not in checkout.done()
    (away / "values.yaml.old").rename(away / "values.yaml")
    away.rename(checkout.models / "spam")
    assert checkout.done()["model", "spam"] == "listed"


def test_a_checkout_without_models_takes_none_away(checkout: Checkout, empty: Database) -> None:
    checkout.done()
    for name in ("mood", "spam"):
        (checkout.models / name / "values.yaml").unlink()
    refused = checkout.provision()
    assert refused.returncode == 1
    assert "this checkout has no model" in refused.stderr
    assert all(model["listed"] for model in models(empty))


def test_what_a_values_file_says_anew_is_a_change(checkout: Checkout, empty: Database) -> None:
    checkout.done()
    file = checkout.models / "mood" / "values.yaml"
    said = {"feature_share": 0.5, "retention_days": 7}
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | said))
    done = checkout.done()
    assert (done["model", "mood"], done["model", "spam"]) == ("changed", "unchanged")
    with empty.connect() as connection:
        kept = connection.execute("SELECT id, retention_days AS days FROM models ORDER BY id")
        assert kept.fetchall() == [{"id": "mood", "days": 7}, {"id": "spam", "days": 90}]


def test_logins_are_made_of_a_folder_of_passwords(
    checkout: Checkout, empty: Database, tmp_path: Path
) -> None:
    first = checkout.provision()
    worker = worker_login("mood").name
    assert worker in first.stderr
    assert checkout.done()["login", worker] == "missing"
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    for login in (GATEWAY.name, worker):
        (passwords / login).write_text("of-a-test\n")
    assert checkout.done("--passwords", str(passwords))["login", worker] == "may connect"
    assert checkout.done()["login", worker] == "kept"
    with psycopg.connect(empty.conninfo, user=worker, password="of-a-test") as connection:  # noqa: S106
        assert connection.execute("SELECT worker_v1.model()").fetchone() == ("mood",)


def test_an_empty_password_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    (passwords / GATEWAY.name).touch()
    refused = checkout.provision("--passwords", str(passwords))
    assert refused.returncode == 1
    assert f"the password is empty in {passwords / GATEWAY.name}" in refused.stderr


def test_an_owner_that_may_make_no_roles_can_do_the_rest(
    checkout: Checkout, empty: Database, tmp_path: Path
) -> None:
    name = empty.environment["PGDATABASE"]
    owner = sql.Identifier(f"owner-of-{name}")
    with empty.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(owner))
        alter = sql.SQL("ALTER DATABASE {} OWNER TO {}")
        connection.execute(alter.format(sql.Identifier(name), owner))
    run = checkout.provision(PGUSER=f"owner-of-{name}")
    assert run.returncode == 0, run.stderr
    assert "model\tmood\tlisted" in run.stdout
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    (passwords / GATEWAY.name).write_text("of-a-test\n")
    refused = checkout.provision("--passwords", str(passwords), PGUSER=f"owner-of-{name}")
    assert refused.returncode == 1
    assert "PostgreSQL refuses" in refused.stderr
    assert "python -P -m database.roles" in refused.stderr


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server that nobody has prepared."""
    with Unprepared() as server:
        yield server


class Unprepared(Postgres):
    """Without the groups, which are of the whole server."""

    def _create_template(self) -> None:
        pass


def owned(server: Postgres, role: str) -> Database:
    """An empty database of a role that is no superuser and may make roles."""
    database = server.create_database(template="template1")
    name = sql.Identifier(database.environment["PGDATABASE"])
    owner = sql.Identifier(role)
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(owner))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
    return database


def of_all_logins(folder: Path) -> Path:
    """A folder with their passwords."""
    folder.mkdir()
    for login in program_logins(["mood", "spam"]):
        (folder / login.name).write_text("of-a-test\n")
    return folder


def test_the_commands_of_the_readme_go_together(
    checkout: Checkout, server: Postgres, tmp_path: Path
) -> None:
    database = owned(server, "predict")
    subprocess.run(
        (sys.executable, "-P", "-m", "database.roles", "groups", "--owner", "predict"),
        env={**os.environ, "PYTHONPATH": str(ROOT), **database.environment},
        check=True,
    )
    passwords = of_all_logins(tmp_path / "passwords")
    for _ in range(2):
        run = checkout.provision(
            "--passwords", str(passwords), **(database.environment | {"PGUSER": "predict"})
        )
        assert run.returncode == 0, run.stderr
        assert "login\tworker-mood\tmay connect" in run.stdout
    with database.connect() as connection:  # it manages the groups, and has not their rights
        rights = "SELECT pg_has_role('predict', 'pmesh_gateway', 'USAGE') AS has"
        assert connection.execute(rights).fetchall() == [{"has": False}]
    with connect(f"{database.conninfo} user=training password=of-a-test") as connection:
        store = TrainingStore(connection)  # by functions that have the owner's rights
        assert store.request("mood", "anna")
        taken = store.take()
        assert taken
        with connect(f"{database.conninfo} user=training password=of-a-test") as other:
            assert TrainingStore(other).take() is None
        store.finish(taken, version="2")
        assert [one.state for one in store.newest(9)] == ["SUCCEEDED"]


def test_who_comes_while_another_provisions_waits(checkout: Checkout, empty: Database) -> None:
    checkout.done()
    waiting = (
        "SELECT FROM pg_locks WHERE relation = 'provisioning'::regclass AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with empty.connect() as other, empty.connect() as observer:
        with other.transaction():
            other.execute("LOCK TABLE provisioning")
            (checkout.models / "spam" / "values.yaml").unlink()
            second = checkout.start()
            wait_until(lambda: bool(observer.execute(waiting).rowcount))
            assert all(model["listed"] for model in models(empty))
        said, _ = second.communicate()
        assert second.returncode == 0, said
    assert [model["listed"] for model in models(empty)] == [True, False]


@pytest.mark.parametrize("role", ["predict", "postgres"])
def test_several_that_provision_at_once_all_succeed(
    checkout: Checkout, server: Postgres, tmp_path: Path, role: str
) -> None:
    environment = owned(server, "predict").environment | {"PGUSER": role}
    passwords = str(of_all_logins(tmp_path / "passwords"))
    for _ in range(2):
        runs = [checkout.start("--passwords", passwords, **environment) for _ in range(3)]
        for run in runs:
            said, _ = run.communicate()
            assert run.returncode == 0, said
            assert "login\tworker-mood\tmay connect" in said


def test_databases_of_one_server_may_be_provisioned_at_once(
    checkout: Checkout, server: Postgres, tmp_path: Path
) -> None:
    """They have the same groups and logins."""
    passwords = str(of_all_logins(tmp_path / "passwords"))
    databases = [server.create_database(template="template1") for _ in range(3)]
    for run in [checkout.start("--passwords", passwords, **d.environment) for d in databases]:
        said, _ = run.communicate()
        assert run.returncode == 0, said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PMESH_TRITON_ADDRESS": ""}, "PMESH_TRITON_ADDRESS is not set"),
        ({"PMESH_TRITON_ADDRESS": "triton"}, "host:port"),
        ({"PGHOST": "/nowhere"}, "PostgreSQL does not answer"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "the bus cannot be provisioned"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    checkout: Checkout, environment: dict[str, str], said: str
) -> None:
    refused = checkout.provision(**environment, AWS_MAX_ATTEMPTS="1")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "model\t" not in refused.stdout
