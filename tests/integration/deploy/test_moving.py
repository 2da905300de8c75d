"""PostgreSQL is moved to another server by the commands of deploy/README.md."""

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from database.logins import GATEWAY, create_login, let_manage_groups
from database.migrate import migrate
from tests.integration.deploy.jobs import ROOT
from tests.parts.named_postgres import VARIABLE, named_postgres, variables
from tests.parts.postgres import BINARIES

DATABASES = ("predict", "mlflow", "labelstudio")
ROLES = "SELECT rolname, rolpassword, rolconnlimit FROM pg_authid WHERE rolname <> 'postgres'"
RIGHTS = "SELECT datname, datacl::text, datconnlimit FROM pg_database WHERE datname = ANY(%s)"
GROUPS = "SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members"


def commands() -> str:
    page = (ROOT / "deploy/README.md").read_text()
    section = page.partition("\n### Moving PostgreSQL\n")[2]
    (found,) = re.findall(r"^```\n(old\(\).+?)^```$", section, re.MULTILINE | re.DOTALL)
    return found


def state(conninfo: str) -> list[set[tuple[object, ...]]]:
    """Who may connect to what, with which passwords, and which groups they are in."""
    with psycopg.connect(conninfo) as connection:
        return [
            set(connection.execute(ROLES)),
            set(connection.execute(RIGHTS, [list(DATABASES)])),
            set(connection.execute(GROUPS)),
        ]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the kubectl of the old server: what is to run there runs with OLD_*."""
    monkeypatch.delenv(VARIABLE, raising=False)  # two servers, each of its own
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        "#!/bin/bash\nwhile [[ $1 != -- ]]; do shift; done\nshift\n"
        'PGHOST=$OLD_PGHOST PGPORT=$OLD_PGPORT PGPASSWORD=$OLD_PGPASSWORD exec "$@"\n'
    )
    kubectl.chmod(0o755)
    return tmp_path


def test_all_of_it_is_on_the_new_server_and_nobody_writes_to_the_old(programs: Path) -> None:
    passwords = programs / "passwords"
    passwords.mkdir()
    for owner in DATABASES:
        (passwords / owner).write_text(f"of-{owner}")
    listed = "predict predict createrole\nmlflow mlflow -\nlabelstudio labelstudio -\n"
    (programs / "databases").write_text(listed)
    path = {"PATH": f"{programs}:{BINARIES}:{os.environ['PATH']}"}
    with named_postgres() as old, named_postgres() as new:
        make = [ROOT / "deploy/docker/postgres/databases.sh", programs]
        subprocess.run(make, env={**os.environ, **variables(old), **path}, check=True)
        predict = make_conninfo(old, dbname="predict")
        migrate(predict)
        with psycopg.connect(predict, autocommit=True) as connection:
            let_manage_groups(connection, "predict")
            create_login(connection, GATEWAY, "of-gateway")
        before = state(old)
        gateway = {"user": "gateway", "password": "of-gateway", "dbname": "predict"}
        writing = psycopg.connect(make_conninfo(old, **gateway))

        environment = {f"OLD_{name}": value for name, value in variables(old).items()}
        subprocess.run(
            ["bash", "-c", commands()],
            env={**os.environ, **environment, **variables(new), **path},
            check=True,
        )

        assert state(new) == before
        with pytest.raises(psycopg.OperationalError):
            writing.execute("SELECT")
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            psycopg.connect(make_conninfo(old, **gateway))
        psycopg.connect(make_conninfo(new, **gateway)).close()
        moved = make_conninfo(new, dbname="predict")
        assert migrate(moved) == []  # it has them all
