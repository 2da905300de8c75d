"""A receiver of OTLP by HTTP, as collectors are: protobuf and JSON, gzip and chunks."""

import base64
import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.parts.polling import PATIENCE_S, wait_until

_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True)
class ReceivedSpan:
    """One span, by the service that sent it; ids in hexadecimal, the parent's empty for a root."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    """Trace and span of each."""


@dataclass
class OtlpReceiver:
    """What it was sent, and how it answers."""

    port: int
    spans: list[ReceivedSpan] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """As they came, unpacked: for whoever looks for what must not be there."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of the last request, by their names in lower case."""
    status: int = 200
    """What it answers with; other than 200, it takes nothing; with 0, it hangs up."""
    silent: threading.Event = field(default_factory=threading.Event)
    """While set, it reads and does not answer."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """By which programs find it."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint}

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def named(self, name: str) -> list[ReceivedSpan]:
        return [span for span in list(self.spans) if span.name == name]

    def wait_for(self, *names: str, trace_id: str = "", timeout_s: float = PATIENCE_S) -> None:
        """Until spans of all these names have come; of one trace, if given."""

        def have_come() -> bool:
            found = {s.name for s in list(self.spans) if trace_id in ("", s.trace_id)}
            return found >= set(names)

        wait_until(have_come, timeout_s=timeout_s)


@contextmanager
def receiving_spans(port: int = 0, *, tls: ssl.SSLContext | None = None) -> Iterator[OtlpReceiver]:
    """One at a port of its own, or at this one. tls: None: by http."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._body()
            receiver.headers = {name.lower(): value for name, value in self.headers.items()}
            while receiver.silent.is_set() and not ended.wait(0.05):
                pass
            if receiver.status == 0:
                self.close_connection = True
                return
            if receiver.status == 200:
                receiver.bodies.append(body)
                receiver.spans += _spans(body, self.headers.get("Content-Type", ""))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(receiver.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            return gzip.decompress(body) if zipped else body

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who sends has ended in the middle."""

    ended = threading.Event()
    server = Server(("127.0.0.1", port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = OtlpReceiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(body: bytes, content_type: str) -> Iterator[ReceivedSpan]:
    if "json" in content_type:
        request = ExportTraceServiceRequest()
        json_format.ParseDict(_with_ids(json.loads(body)), request, ignore_unknown_fields=True)
    else:
        request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        service = _attributes(resource.resource.attributes).get("service.name", "")
        for scope in resource.scope_spans:
            yield from (_received(str(service), span) for span in scope.spans)


def _with_ids(said: Any) -> Any:
    """OTLP's JSON has ids in hexadecimal, where Protobuf's has base64."""
    if isinstance(said, dict):
        return {
            name: base64.b64encode(bytes.fromhex(value)).decode()
            if name in _IDS
            else _with_ids(value)
            for name, value in said.items()
        }
    return [_with_ids(one) for one in said] if isinstance(said, list) else said


def _received(service: str, span: Span) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
