"""python -m database.roles: logins for elsewhere than the local stack."""

import subprocess
import sys

import pytest

from tests.parts.postgres import Database
from tests.parts.requests import Requests


def roles(database: Database, *arguments: str, stdin: str = "a password\n") -> tuple[int, str]:
    """Its exit status, and what it says."""
    done = subprocess.run(
        (sys.executable, "-P", "-m", "database.roles", *arguments),
        env=database.environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def login(requests: Requests, name: str) -> dict[str, object]:
    (row,) = requests.query(
        "SELECT rolcanlogin, rolconnlimit, rolsuper, left(rolpassword, 14) AS password,"
        " (SELECT model FROM worker_logins WHERE login = rolname) AS model"
        " FROM pg_authid WHERE rolname = %s",
        (name,),
    )
    return row


def test_a_worker_gets_a_login_for_its_model(database: Database, requests: Requests) -> None:
    name = "worker-by-hand"
    expected = {
        "rolcanlogin": True,
        "rolconnlimit": 8,
        "rolsuper": False,
        "password": "SCRAM-SHA-256$",
        "model": "genre",
    }
    for limit in (8, 3):  # a second time changes it
        arguments = ("worker", "genre", "--login", name, "--connections", str(limit))
        code, said = roles(database, *arguments)
        assert (code, said.strip()) == (0, f"{name} may connect, {limit} times at once")
        assert login(requests, name) == expected | {"rolconnlimit": limit}


def test_the_login_of_one_models_worker_does_not_become_anothers(
    database: Database, requests: Requests
) -> None:
    name = "worker-by-hand-2"
    assert roles(database, "worker", "genre", "--login", name)[0] == 0
    stored = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    before = requests.query(stored, (name,))
    code, said = roles(database, "worker", "sentiment", "--login", name, stdin="another\n")
    assert code == 1
    assert said.startswith(f"{name!r} is the login of another model's worker")
    assert login(requests, name)["model"] == "genre"
    assert requests.query(stored, (name,)) == before


@pytest.mark.parametrize(
    "program", ["gateway", "relay", "rollout", "monitoring", "training", "annotation"]
)
def test_a_program_gets_a_login_of_its_group(
    database: Database, requests: Requests, program: str
) -> None:
    assert roles(database, program)[0] == 0
    assert login(requests, program)["model"] is None
    member = "SELECT pg_has_role(%s, %s, 'USAGE') AS is_member"
    assert requests.query(member, (program, f"pmesh_{program}")) == [{"is_member": True}]


def test_the_groups_are_there_however_often_they_are_made(database: Database) -> None:
    assert roles(database, "groups") == roles(database, "groups") == (0, "")


@pytest.mark.parametrize(
    ("arguments", "stdin", "reason"),
    [
        (("worker", "nosuch"), "x\n", "there is no model 'nosuch'; register it first"),
        (("relay", "--login", "postgres"), "x\n", "there is a role 'postgres' that is not in"),
        (("relay",), "\n", "the password is empty"),
        (("relay", "--password-file", "/nowhere"), "", "No such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    database: Database, requests: Requests, arguments: tuple[str, ...], stdin: str, reason: str
) -> None:
    code, said = roles(database, *arguments, stdin=stdin)
    assert code == 1
    assert reason in said
    assert said.count("\n") == 1


def test_what_the_server_does_not_take_is_refused(database: Database, requests: Requests) -> None:
    (row,) = requests.query(
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int AS room"
    )
    assert roles(database, "room", str(row["room"])) == (0, "")
    code, said = roles(database, "room", str(int(str(row["room"])) + 1))
    assert code == 1
    assert said.startswith(f"the server takes {row['room']} connections")
    assert said.count("\n") == 1


def test_help_shows_how_it_is_called(database: Database) -> None:
    code, said = roles(database, "--help")
    assert code == 0
    assert "python -P -m database.roles worker sentiment < password" in said
