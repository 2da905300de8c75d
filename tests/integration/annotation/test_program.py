"""The program as it is started, with something else in the place of Label Studio."""

import json
import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

from annotation.webhook import PATH, SECRET_HEADER
from database.logins import ANNOTATION
from tests.integration.annotation.conftest import Record
from tests.parts.catalog import environment
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens

CANARY = "xylophonquartett"


def call(port: int, path: str, secret: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, CANARY, {SECRET_HEADER: secret})
        return connection.getresponse().status
    finally:
        connection.close()


def read(port: int) -> list[str]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode()).splitlines()


def tasks(port: int) -> list[str]:
    """Where they stand, as far as it is known."""
    return [line for line in read(port) if line.startswith("pmesh_annotation_tasks{")]


def test_it_counts_webhooks_and_says_once_what_it_waits_for(record: Record, tmp_path: Path) -> None:
    port, metrics_port, away = free_port(), free_port(), free_port()
    variables = {
        **os.environ,
        **environment(record.database, ANNOTATION),
        "PMESH_LABEL_STUDIO_URL": f"http://127.0.0.1:{away}",
        "PMESH_LABEL_STUDIO_TOKEN": "a-token",
        "PMESH_ANNOTATION_PULL_S": "0.1",
        "PMESH_ANNOTATION_WEBHOOK_SECRET": "a-secret",
        "PMESH_ANNOTATION_WEBHOOK_PORT": str(port),
        "PMESH_ANNOTATION_METRICS_PORT": str(metrics_port),
    }
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        command = (sys.executable, "-P", "-m", "annotation", "watch")
        process = subprocess.Popen(command, env=variables, stderr=stderr)
    try:
        wait_until(lambda: listens(port) and listens(metrics_port))
        wait_until(lambda: "waiting" in log.read_text())
        before = len(read(metrics_port))
        assert call(port, PATH, "a-secret") == 204
        assert call(port, PATH, CANARY) == 401
        assert call(port, f"/{CANARY}", "a-secret") == 404
        lines = read(metrics_port)
        record.execute(f"ALTER ROLE {ANNOTATION.name} NOLOGIN")
        wait_until(lambda: not tasks(metrics_port))
        record.execute(f"ALTER ROLE {ANNOTATION.name} LOGIN")
        wait_until(lambda: bool(tasks(metrics_port)))
    finally:
        process.terminate()
        assert process.wait(60) == 0
    for outcome in ("heard", "refused", "not_found"):
        assert f'pmesh_annotation_webhooks_total{{outcome="{outcome}"}} 1.0' in lines
    assert len(lines) == before
    assert CANARY not in str(lines)
    line, *_ = (json.loads(line) for line in log.read_text().splitlines())
    assert line["message"].startswith("waiting: Label Studio does not answer")
    assert (line["program"], line["level"]) == ("annotation", "WARNING")
    assert not {"a-token", "a-secret", CANARY} & set(log.read_text().split())
