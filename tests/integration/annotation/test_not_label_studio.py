"""What answers in the place of Label Studio is not believed that anything is gone from there."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from annotation.label_studio import LabelStudio, LabelStudioAway
from annotation.look import look
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
