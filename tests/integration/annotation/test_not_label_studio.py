"""What answers in the place of Label Studio is not believed that anything is gone from there."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from annotation import metrics
from annotation.interface import result_of
from annotation.label_studio import LabelStudio, LabelStudioAway
from annotation.look import look
from annotation.pulling import PAGE, pull
from tests.integration.annotation.conftest import PROJECT, Record
from tests.parts.observed import MODEL, Observed
from tests.parts.ports import free_port

PAGES = {
    "a proxy's page": b"<html><h1>404 Not Found</h1></html>",
    "an ingress": b"default backend - 404",
    "nothing": b"",
    "another program's JSON": json.dumps({"detail": "Not Found"}).encode(),
    "JSON of no object": b"[]",
}


@pytest.fixture(params=[*PAGES.values()], ids=[*PAGES])
def other(request: pytest.FixtureRequest) -> Iterator[LabelStudio]:
    """A client of a web server that has nothing at all."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(404)
            self.send_header("Content-Length", str(len(request.param)))
            self.end_headers()
            self.wfile.write(request.param)

        do_POST = do_DELETE = do_PATCH = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield LabelStudio(f"http://127.0.0.1:{server.server_port}", "a token")
        server.shutdown()


def test_nothing_is_forgotten_as_something_else_says_that_it_is_gone(
    record: Record, now: datetime, other: LabelStudio
) -> None:
    erased, kept = record.observe(*[Observed(time=now)] * 2)
    record.store.set_project(MODEL, PROJECT, record.store.labels(MODEL))
    record.sent(erased, kept)
    for full in (False, True):
        with pytest.raises(LabelStudioAway):
            look(record.store, other, full=full)
    record.execute("SELECT gateway_v1.erase(%s)", erased)
    with pytest.raises(LabelStudioAway):
        look(record.store, other)
    assert record.states() == {erased: "REMOVING", kept: "SENT"}
    assert record.store.project(MODEL).id == PROJECT


def test_no_answer_of_something_else_is_final(other: LabelStudio) -> None:
    for ask in (
        lambda: other.has_project(PROJECT),
        lambda: other.tasks_of(PROJECT, ["1"]),
        lambda: other.delete_task(1),
        lambda: other.import_tasks(PROJECT, []),
        lambda: other.create_project("a title", ""),
    ):
        with pytest.raises(LabelStudioAway):
            ask()


def test_labels_that_came_are_counted_though_it_goes_away_after_them(
    record: Record, now: datetime
) -> None:
    (ours,) = record.observe(Observed(time=now))
    record.store.set_project(MODEL, PROJECT, record.store.labels(MODEL))
    record.sent(ours)
    annotation = {
        "id": 1,
        "result": result_of("positive"),
        "completed_by": 1,
        "updated_at": "2026-01-01T00:00:00Z",
        "was_cancelled": False,
        "ground_truth": False,
    }
    page = [
        {
            "id": number,
            "data": {"prediction_id": ours if number == 1 else ""},
            "updated_at": "2026-01-01T00:00:00+00:00",
            "annotations": [annotation] if number == 1 else [],
        }
        for number in range(1, PAGE + 1)
    ]

    class OnePage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_second = "page=2" in self.path
            said: object = [] if "/users/" in self.path else {"tasks": page}
            body = json.dumps(said).encode()
            self.send_response(500 if is_second else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    before = labels_that_came()
    with ThreadingHTTPServer(("127.0.0.1", free_port()), OnePage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = LabelStudio(f"http://127.0.0.1:{server.server_port}", "a token")
        with pytest.raises(LabelStudioAway):
            pull(record.store, client, MODEL, PROJECT, full=False)
        server.shutdown()
    assert len(record.labels()) == 1
    assert labels_that_came() == before + 1


def labels_that_came() -> float:
    return sum(
        sample.value
        for collector in metrics.COLLECTORS
        for metric in collector.collect()
        for sample in metric.samples
        if sample.name == "pmesh_annotation_labels_total" and sample.labels["model"] == MODEL
    )
