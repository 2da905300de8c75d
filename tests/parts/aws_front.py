"""Stands before the emulator of AWS: counts the calls of SNS and SQS, and refuses some of them.

What it refuses is answered as AWS words it, which the emulator never does by itself.
"""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from tests.parts.bus_probe import Bus

_RESULT = """<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
<PublishBatchResult><Successful/><Failed>{}</Failed></PublishBatchResult></PublishBatchResponse>"""
_ENTRY = """<member><Id>{}</Id><Code>{}</Code><Message>no</Message>
<SenderFault>{}</SenderFault></member>"""
_ERROR = """<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>
</ErrorResponse>"""


class Call(NamedTuple):
    """One call of a client."""

    action: str
    """Such as "PublishBatch"."""
    fields: Mapping[str, Any]
    """Of SNS the form's, of SQS the JSON's."""

    def entries(self) -> dict[str, str]:
        """Of a PublishBatch: the messages by their Id."""
        found = {}
        n = 1
        while entry_id := self.fields.get(f"PublishBatchRequestEntries.member.{n}.Id"):
            found[entry_id] = self.fields[f"PublishBatchRequestEntries.member.{n}.Message"]
            n += 1
        return found


class Reply(NamedTuple):
    """Instead of the emulator's."""

    status: int
    body: str


Rule = Callable[[Call], Reply | None]
"""What a call gets; None: the emulator's answer."""


def refused_by_sns(code: str, message: str = "no", *, status: int = 403) -> Reply:
    """A whole call of SNS is refused."""
    return Reply(status, _ERROR.format(code, message))


def refused_by_sqs(code: str, *, status: int = 403) -> Reply:
    """A whole call of SQS is refused."""
    return Reply(status, json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}))


def refused_entries(call: Call, code: str, *, sender_fault: bool) -> Reply:
    """Every entry of a PublishBatch is refused, each by itself."""
    fault = str(sender_fault).lower()
    return Reply(
        200, _RESULT.format("".join(_ENTRY.format(i, code, fault) for i in call.entries()))
    )


class AwsFront:
    """Serves in a thread inside `with`."""

    def __init__(self, bus: Bus) -> None:
        self.calls: list[Call] = []
        self.refused: Counter[str] = Counter()
        """By action."""
        self.rule: Rule = lambda _: None
        behind = urlsplit(bus.environment["AWS_ENDPOINT_URL"]).netloc
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, behind))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {**bus.environment, "AWS_ENDPOINT_URL": self.url}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def published(self) -> list[Call]:
        """The calls that publish."""
        return [call for call in self.calls if call.action == "PublishBatch"]

    def reply(self, call: Call) -> Reply | None:
        self.calls.append(call)
        reply = self.rule(call)
        if reply is not None:
            self.refused[call.action] += 1
        return reply


def _handler(front: AwsFront, behind: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = front.reply(_call(self.headers.get("X-Amz-Target", ""), body))
            with suppress(OSError, http.client.HTTPException):  # either side may be gone
                if reply is None:
                    self._pass_on(body)
                else:
                    self._answer(reply.status, reply.body.encode(), self.headers["Content-Type"])

        def _pass_on(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(behind)
            connection.request("POST", self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self._answer(answer.status, answer.read(), answer.headers["Content-Type"])
            connection.close()

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler


def _call(target: str, body: bytes) -> Call:
    if target:
        return Call(target.partition(".")[2], json.loads(body))
    fields = dict(parse_qsl(body.decode()))
    return Call(fields["Action"], fields)
