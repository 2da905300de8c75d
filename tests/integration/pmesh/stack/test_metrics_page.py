"""The one page of all parts' metrics, as its real program answers it, and Prometheus by it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client import Counter, Histogram
from prometheus_client.parser import text_string_to_metric_families

from inference.blocking import infer
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.observers import installed
from pmesh.stack.prometheus import prometheus_part
from pmesh.stack.services import metrics_part
from pmesh.stack.status import PartStatus, StackStatus, State, write_status
from pmesh.stack.supervisor import Supervisor
from telemetry.metrics_server import metrics_server
from tests.integration.pmesh.stack.waiting import wait_for
from tests.parts.parrot.model import Model
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens
from tests.parts.triton import Triton


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def told(home: Home, *parts: str, **ports: int) -> int:
    """Have the status say that these are the parts, with these ports; gives the page's port."""
    page = free_port()
    named = {name.replace("_", "-"): port for name, port in ports.items()}
    status = StackStatus(
        pid=os.getpid(),
        started=None,
        state=State.READY,
        gateway_port=1,
        ports={"metrics": page, **named},
        failed=[],
        parts=[PartStatus(name=name) for name in parts],
    )
    write_status(home.status, status)
    return page


@contextmanager
def page_of(home: Home, port: int) -> Iterator[str]:
    process = subprocess.Popen(metrics_part(home.path, port=port, environment={}).command)
    try:
        wait_until(lambda: listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def series(base: str) -> dict[tuple[str, str], float]:
    """Name and part -> value, of what has one series of each name in each part."""
    text = httpx.get(f"{base}/metrics", timeout=60).text
    types = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    families = text_string_to_metric_families(text)
    return {(s.name, s.labels.get("part", "")): s.value for f in families for s in f.samples}


def test_each_series_has_its_part(home: Home) -> None:
    relay, worker = free_port(), free_port()
    sent = Counter("sent", "What was sent.", registry=None)
    took = Histogram("took_seconds", "How long it took.", registry=None, buckets=(1.0,))
    sent.inc(3)
    took.observe(0.5)
    page = told(home, "relay", "worker", "aws", relay_metrics=relay, worker_metrics=worker)
    with (
        metrics_server("127.0.0.1", relay, sent),
        metrics_server("127.0.0.1", worker, sent, took),
        page_of(home, page) as base,
    ):
        found = series(base)
    assert found["pmesh_part_up", "relay"] == found["pmesh_part_up", "worker"] == 1
    assert ("pmesh_part_up", "aws") not in found  # it has none to tell
    assert found["sent_total", "relay"] == found["sent_total", "worker"] == 3
    assert found["took_seconds_count", "worker"] == 1
    assert {part for name, part in found if name == "process_resident_memory_bytes"} == {
        "relay",
        "worker",
    }


def test_a_part_that_is_down_or_never_answers_keeps_no_other_away(home: Home) -> None:
    relay, away, silent = free_port(), free_port(), free_port()
    names = ("relay", "away", "silent")
    page = told(home, *names, relay_metrics=relay, away_metrics=away, silent_metrics=silent)
    with (
        socket.create_server(("127.0.0.1", silent)),
        metrics_server("127.0.0.1", relay),
        page_of(home, page) as base,
    ):
        found = series(base)
    assert [found["pmesh_part_up", name] for name in names] == [1, 0, 0]
    assert found["process_resident_memory_bytes", "relay"] > 0


def test_a_part_that_says_something_else_is_none_that_tells(home: Home) -> None:
    other = free_port()
    page = told(home, "relay", relay_metrics=other)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "http.server", str(other), "--bind", "127.0.0.1"],
            stderr=subprocess.DEVNULL,
            cwd=home.path,
        ) as process,
        page_of(home, page) as base,
    ):
        wait_until(lambda: listens(other))
        assert series(base)["pmesh_part_up", "relay"] == 0
        (home.path / "metrics").write_text("<html>no metrics</html>")
        assert series(base)["pmesh_part_up", "relay"] == 0
        process.kill()


def test_tritons_counters_keep_their_names(home: Home) -> None:
    with Triton() as triton:
        triton.add("parrot", "1", Model(version=1))
        triton.load("parrot")
        infer(triton.address, "parrot", "1", ["good"])
        page = told(home, "triton", triton_metrics=triton.metrics_port)
        with page_of(home, page) as base:
            found = series(base)
    assert found["nv_inference_request_success", "triton"] == 1
    assert ("nv_inference_request_success_total", "triton") not in found


@pytest.mark.parametrize("path", ["/metrics", "/targets"])
def test_a_web_page_of_another_name_reads_nothing(home: Home, path: str) -> None:
    page = told(home)
    with page_of(home, page) as base:
        refused = httpx.get(base + path, headers={"Host": "evil.example"})
        assert refused.status_code == 403
        assert httpx.get(base + path).status_code == 200


async def test_a_prometheus_finds_each_part_by_it(home: Home) -> None:
    if "prometheus" not in installed():
        message = "no prometheus: make promtool"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    relay, port = free_port(), free_port()
    page = told(home, "relay", relay_metrics=relay)
    environment = base_environment()
    parts = [
        metrics_part(home.path, port=page, environment=environment),
        prometheus_part(
            home,
            installed()["prometheus"],
            port=port,
            metrics_port=page,
            environment=environment,
        ),
    ]
    supervisor = Supervisor(
        parts, log=home.log, environment=home.environment, changed=lambda _: None
    )
    with metrics_server("127.0.0.1", relay):
        await supervisor.start()
        try:
            await wait_for(supervisor, "prometheus", lambda part: part.state is State.READY)
            query = f"http://127.0.0.1:{port}/api/v1/query"

            def is_read() -> bool:
                answer = httpx.get(query, params={"query": 'up{part="relay"}'}).json()
                return [one["value"][1] for one in answer["data"]["result"]] == ["1"]

            wait_until(is_read)
        finally:
            await supervisor.stop()
