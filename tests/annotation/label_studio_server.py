"""A real Label Studio for tests, in its own environment, whose first start is done once.

Environment and first start are kept in build/: together they take minutes.
"""

import fcntl
import http.client
import json
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from annotation.interface import result_of
from annotation.label_studio import LabelStudio
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.label_studio import LabelStudioPart
from pmesh.stack.own_environment import python_of
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
FIRST_START_S = 600.0


def installed_python() -> Path:
    """Of Label Studio's environment."""
    return python_of(BUILD, "label-studio", ROOT / "annotation" / "label_studio.txt").absolute()


def started_before(path: Path) -> Home:
    """A data directory in which Label Studio has been started before."""
    python = installed_python()
    kept = Home(BUILD / "environments" / f"{python.parents[1].name}-data")
    with kept.path.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (kept.path / "done").exists():
            shutil.rmtree(kept.path, ignore_errors=True)
            kept.create()
            server = LabelStudioServer(kept, python)
            server.start()
            server.stop()
            (kept.path / "done").touch()
    shutil.copytree(kept.path, path, dirs_exist_ok=True)
    home = Home(path)
    LabelStudioPart(home, port=1).turn_on(python)
    return home


class LabelStudioServer:
    """The part of the stack, without a stack; and what its users do."""

    def __init__(self, home: Home, python: Path, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.own = LabelStudioPart(home, port=self.port)
        self.own.turn_on(python)
        self._log = home.path / "label-studio.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> LabelStudio:
        return LabelStudio(self.own.url, self.own.token)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def start(self) -> None:
        part = self.own.part(environment=base_environment(os.environ))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", *part.command),
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(part.is_ready, timeout_s=FIRST_START_S)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = Request(  # noqa: S310
            self.own.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Token {self.own.token}",
                "Content-Type": "application/json",
            },
        )
        with urlopen(request) as answer:  # noqa: S310
            content = answer.read()
        return json.loads(content) if content else None

    def status(self, method: str, path: str, **headers: str) -> int:
        """Of an answer to somebody without a token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def sign_up(self, email: str) -> int:
        """The status of the answer to somebody who fills the form in."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request("GET", "/user/signup")
            page = connection.getresponse()
            cookie = (page.headers["Set-Cookie"] or "").partition(";")[0]
            found = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
            assert found
            form = {"email": email, "password": "12345678", "csrfmiddlewaretoken": found[1]}
            kind = "application/x-www-form-urlencoded"
            headers = {"Cookie": cookie, "Content-Type": kind, "Referer": self.own.url}
            connection.request("POST", "/user/signup", urlencode(form), headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def add_user(self, email: str) -> int:
        """The id of a new one."""
        return int(self.ask("POST", "/api/users/", {"email": email, "username": email})["id"])

    def annotate(self, task: int, label: str, user: int | None = None) -> int:
        """The id of the annotation. user: who did it; by default the one who asks."""
        body = {"result": result_of(label)} | ({} if user is None else {"completed_by": user})
        return int(self.ask("POST", f"/api/tasks/{task}/annotations/", body)["id"])

    def change(self, annotation: int, **fields: Any) -> None:
        self.ask("PATCH", f"/api/annotations/{annotation}/", fields)

    def delete(self, annotation: int) -> None:
        self.ask("DELETE", f"/api/annotations/{annotation}/")

    def delete_all_of(self, project: int, task: int) -> None:
        """Delete a task's annotations as the list of tasks lets one do."""
        selected = {"selectedItems": {"all": False, "included": [task]}}
        self.ask("POST", f"/api/dm/actions?id=delete_tasks_annotations&project={project}", selected)

    def everything(self) -> str:
        """All that SQL can read of it."""
        file = self.own.part(environment={}).environment["LABEL_STUDIO_BASE_DATA_DIR"]
        with closing(sqlite3.connect(f"{file}/label_studio.sqlite3")) as connection:
            return "\n".join(connection.iterdump())
