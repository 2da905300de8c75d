"""`pmesh annotate`, from nothing to a label, on a stack of the parts that it needs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from annotation.interface import result_of
from annotation.label_studio import LabelStudio
from pmesh.stack.control import Stack
from pmesh.stack.home import Home
from pmesh.stack.label_studio import LabelStudioPart
from pmesh.stack.postgres import DATABASE, OWNER
from pmesh.stack.status import State
from tests.annotation.label_studio_server import BUILD, ROOT, started_before
from tests.annotation.small_stack import NAMES
from tests.parts.observed import MODEL, Observed, observe
from tests.parts.polling import wait_until


@contextmanager
def running(home: Home) -> Iterator[None]:
    stack = Stack(home.path)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.annotation.small_stack", str(home.path)], cwd=ROOT
    )
    try:
        wait_until(lambda: (now := stack.status()) is not None and now.state is State.READY)
        yield
    finally:
        process.terminate()
        assert process.wait(100) == 0


def annotate(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "pmesh.cli", "annotate", *arguments, "--home", str(home.path))
    environment = {**os.environ, "COLUMNS": "240"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def states(home: Home) -> dict[str, State]:
    status = Stack(home.path).status()
    return {part.name: part.state for part in status.parts} if status else {}


def test_people_label_what_was_pushed_and_agree_or_not(tmp_path: Path) -> None:
    home = started_before(tmp_path)
    (home.path / "environments").symlink_to(BUILD / "environments")
    LabelStudioPart(home, port=1).turn_off()
    with running(home):
        refused = annotate(home, "push", MODEL, "--count", "3")
        assert (refused.returncode, "pmesh annotate up" in refused.stderr) == (1, True)

        up = annotate(home, "up")
        assert up.returncode == 0, up.stderr
        url = up.stdout.split()[2]
        password = home.secret("label-studio")
        assert password not in up.stdout + up.stderr
        assert (home.path / "secrets.json").stat().st_mode & 0o077 == 0
        assert states(home) == dict.fromkeys(NAMES, State.READY)

        database = {"host": "127.0.0.1", "port": port_of_postgres(home), "dbname": DATABASE}
        owner = make_conninfo(**database, user=OWNER, password=home.secret(f"postgres-{OWNER}"))
        with psycopg.connect(owner, autocommit=True) as connection:
            time = datetime.now(UTC) - timedelta(hours=1)
            observe(connection, [Observed(time=time, text=f"text {n}") for n in range(9)])
            pushed = annotate(home, "push", MODEL, "--count", "4", "--control", "0.5")
            assert pushed.returncode == 0, pushed.stderr
            assert pushed.stdout.startswith("4 of 9 chosen: ")
            again = annotate(home, "push", MODEL, "--count", "4")
            assert (again.returncode, "not considered before" in again.stderr) == (1, True)
            unknown = annotate(home, "push", "nobody", "--count", "4")
            assert (unknown.returncode, "no model 'nobody'" in unknown.stderr) == (1, True)

            query = "SELECT project, array_agg(task) FROM annotation_tasks GROUP BY 1"
            ((project, tasks),) = connection.execute(query).fetchall()
            client = LabelStudio(url, LabelStudioPart(home, port=1).token)
            assert len(client.tasks_after(project, 0, 99)) == len(tasks) == 4
            user = client._ask("POST", "/api/users/", {"email": "b@example.org", "username": "b"})
            for task in tasks:
                for label, who in (("positive", 1), ("negative", user["id"])):
                    body = {"result": result_of(label), "completed_by": who}
                    client._ask("POST", f"/api/tasks/{task}/annotations/", body)
            count = "SELECT count(*) FROM labels"
            wait_until(lambda: connection.execute(count).fetchone() == (8,))

        pulled = annotate(home, "pull")
        assert f"{MODEL}: 4 tasks, 0 labels came" in pulled.stdout
        agreed = annotate(home, "agreement", MODEL)
        assert agreed.stdout == ("alpha -0.750, of 4 predictions that several labelled, 8 labels\n")
        down = annotate(home, "down")
        assert down.returncode == 0, down.stderr
        assert states(home) == {"postgres": State.READY}


def port_of_postgres(home: Home) -> int:
    status = Stack(home.path).status()
    assert status is not None
    return status.ports["postgres"]
