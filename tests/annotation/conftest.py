"""A real Label Studio for all tests, and for each a database with predictions and the program."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest

from annotation.label_studio import LabelStudio, Task
from annotation.look import look
from annotation.projects import keep_project
from annotation.pulling import Pulled
from annotation.selection import Chosen
from annotation.store import AnnotationStore
from annotation.webhook import SECRET_HEADER
from database.connections import UNPREPARED
from database.logins import ANNOTATION
from pmesh.stack.label_studio import WEBHOOK_ADDRESS
from tests.annotation.label_studio_server import (
    ROOT,
    LabelStudioServer,
    installed_python,
    started_before,
)
from tests.parts.catalog import PASSWORD, environment, register
from tests.parts.observed import MODEL, Observed, observe
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens
from tests.parts.postgres import Database, Postgres

SECRET = "of-the-webhook"  # noqa: S105


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    database = postgres.create_database()
    yield database
    postgres.drop_database(database)


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    home = started_before(tmp_path_factory.mktemp("label-studio"))
    server = LabelStudioServer(home, installed_python())
    server.start()
    yield server
    server.stop()


class WebhookFront:
    """Stands before the program: drops 30 % of webhooks, doubles 30 %, and shuffles them."""

    def __init__(self, target: str, *, is_lossy: bool) -> None:
        """target: the URL of the program. is_lossy: whether it does so, or passes all on."""
        chance = random.Random(1)  # noqa: S311
        self.seen = self.dropped = self.doubled = 0
        front = self

        def forward(path: str, body: bytes, secret: str) -> None:
            request = Request(target + path, body, {SECRET_HEADER: secret}, method="POST")  # noqa: S310
            with suppress(OSError):  # it is not there: one more that is lost
                urlopen(request).close()  # noqa: S310

        class Listener(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                times = chance.choices((0, 1, 2), (0.3, 0.4, 0.3))[0] if is_lossy else 1
                front.seen += 1
                front.dropped += times == 0
                front.doubled += times == 2
                for _ in range(times):
                    given = (self.path, body, self.headers[SECRET_HEADER] or "")
                    threading.Timer(chance.uniform(0, 1), forward, given).start()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((WEBHOOK_ADDRESS, free_port()), Listener)
        self.url = f"http://{WEBHOOK_ADDRESS}:{self._server.server_port}"

    def __enter__(self) -> "WebhookFront":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Annotation:
    """The record of a test, its project in Label Studio, and the program between them."""

    database: Database
    server: LabelStudioServer
    store: AnnotationStore
    variables: dict[str, str]
    project: int
    ids: list[str] = field(default_factory=list)
    metrics_port: int = 0
    """Of the program that was started last."""

    @property
    def client(self) -> LabelStudio:
        return self.server.client

    def execute(self, sql: str, *given: Any) -> list[tuple[Any, ...]]:
        """As the owner."""
        with self.database.connect() as connection:
            cursor = connection.execute(sql.encode(), given)
            return [tuple(row.values()) for row in cursor] if cursor.description else []

    def observe(self, *texts: str) -> list[str]:
        """Predictions with these texts."""
        time = datetime.now(UTC) - timedelta(minutes=5)
        rows = [
            Observed(time=time + timedelta(seconds=n / 100), text=t) for n, t in enumerate(texts)
        ]
        with self.database.connect() as connection:
            self.ids = observe(connection, rows, seed=self.project)
        return self.ids

    def choose(self, *ids: str) -> None:
        chosen = [Chosen(one, "control", 2.0) for one in ids]
        self.store.choose(MODEL, self.project, chosen, considered=max(ids))

    def tasks(self) -> dict[str, Task]:
        """By prediction."""
        found = self.client.tasks_after(self.project, 0, 500)
        assert len({task.prediction_id for task in found}) == len(found)
        return {task.prediction_id: task for task in found}

    def look(self, *, full: bool = False) -> Pulled:
        return look(self.store, self.client, full=full)[MODEL]

    def labels(self) -> dict[tuple[str, str], str]:
        """What each annotator says now, by prediction and annotator."""
        rows = self.execute(
            "SELECT prediction_id::text, annotator, label FROM labels_v1.newest"
            " WHERE label IS NOT NULL AND source = 'LABEL_STUDIO'"
        )
        return {(prediction, annotator): label for prediction, annotator, label in rows}

    def states(self) -> dict[str, str]:
        return dict(self.execute("SELECT prediction_id::text, state FROM annotation_tasks"))

    @contextmanager
    def watching(
        self, *, pull_s: float = 3, is_lossy: bool = True
    ) -> "Iterator[tuple[subprocess.Popen[bytes], WebhookFront]]":
        """`python -m annotation watch` behind a front that loses webhooks."""
        port, self.metrics_port = free_port(), free_port()
        with WebhookFront(f"http://127.0.0.1:{port}", is_lossy=is_lossy) as front:
            variables = {
                **self.variables,
                "PMESH_ANNOTATION_PULL_S": str(pull_s),
                "PMESH_ANNOTATION_WEBHOOK_URL": front.url,
                "PMESH_ANNOTATION_WEBHOOK_SECRET": SECRET,
                "PMESH_ANNOTATION_WEBHOOK_PORT": str(port),
                "PMESH_ANNOTATION_METRICS_PORT": str(self.metrics_port),
            }
            command = (sys.executable, "-P", "-m", "annotation", "watch")
            process = subprocess.Popen(command, env=variables)
            try:
                wait_until(lambda: listens(port))
                yield process, front
                process.send_signal(signal.SIGTERM)
                assert process.wait(100) == 0
            finally:
                process.kill()
                process.wait()

    def process(self, patch: str) -> "subprocess.Popen[bytes]":
        """Sends what is to be sent. patch: Python that runs before it."""
        code = f"""
import os, signal
from annotation.label_studio import LabelStudio
from annotation.sending import send
from database.connections import connect
from annotation.store import AnnotationStore
{patch}
with connect() as connection:
    variables = ("PMESH_LABEL_STUDIO_URL", "PMESH_LABEL_STUDIO_TOKEN")
    client = LabelStudio(*(os.environ[name] for name in variables))
    send(AnnotationStore(connection), client, {MODEL!r}, {self.project})
"""
        return subprocess.Popen([sys.executable, "-P", "-c", code], env=self.variables)


@pytest.fixture
def annotation(database: Database, label_studio: LabelStudioServer) -> Iterator[Annotation]:
    register(database, {MODEL: ["1"]})
    variables = {
        **{name: os.environ[name] for name in ("PATH",)},
        **environment(database, ANNOTATION),
        "PYTHONPATH": str(ROOT),
        "PMESH_LABEL_STUDIO_URL": label_studio.own.url,
        "PMESH_LABEL_STUDIO_TOKEN": label_studio.own.token,
    }
    with psycopg.connect(
        database.conninfo, user=ANNOTATION.name, password=PASSWORD, autocommit=True, **UNPREPARED
    ) as connection:
        store = AnnotationStore(connection)
        project = keep_project(store, label_studio.client, MODEL)
        yield Annotation(database, label_studio, store, variables, project)
