"""What clients write is in no log, span, metric or event: not of calls that fail, either.

A word is put into every field of every rpc, into headers, paths and bodies, and into what lies on
the queues; everything is made to fail once; then the word is looked for in all that programs tell.
"""

import json
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.symbol_database import Default
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    PredictRequest,
    StreamPredictRequest,
    WaitPredictionRequest,
)

from bus.events import ALERT, COMPLETED, REQUEST, RESPONSE
from bus.topology import PREFIX, Names, dead_letters
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.e2e.mesh import Mesh
from tests.e2e.texts import CANARY, new_text
from tests.parts.doors import METHODS
from tests.parts.otlp_receiver import OtlpReceiver
from tests.parts.polling import wait_until

VALID = {
    "model": "sentiment",
    "version": "1",
    "text": f"a fine {CANARY}",
    "label": "positive",
    "choice": "",
    "etag": "",
    "slice": "",
    "metric_prefix": "",
    "page_token": "",
}
"""Strings by which a request is a good one; others are the word itself."""
CHANGES_TRAFFIC = ("SetTraffic", "CreateRelease")
"""Never sent good: their words are refused before they change what the other tests ask."""
JSON = {"content-type": "application/json"}
HEADERS = {
    name: f"{CANARY}-of-{name}"
    for name in (
        *("x-session-id", "x-request-id", "user-agent", "authorization", "traceparent", "baggage"),
        *("tracestate", "cookie", "origin", "referer", "x-forwarded-for", "x-forwarded-user"),
        *("grpc-timeout", "accept", "accept-language", "x-pmesh-span", "x-client-trace-id", CANARY),
    )
}
PATHS = (
    f"/{CANARY}",
    f"/v1/models/{CANARY}:predict",
    f"/v1/models/{CANARY}",
    f"/v1/models/sentiment:{CANARY}",
    f"/v1/predictions/{CANARY}",
    f"/v1/predictions?pageToken={CANARY}&model={CANARY}&filter={CANARY}&{CANARY}=1",
    f"/predict.v1.{CANARY}/Predict",
    f"/predict.v1.PredictionService/{CANARY}",
    f"/healthz?{CANARY}",
    f"/readyz/{CANARY}",
)
BODIES = (
    f'{{"text": "{CANARY}", "nosuch": 1}}',
    f'{{"text": "{CANARY}", "{CANARY}": 1}}',
    f'{{"text": {CANARY}}}',
    f'{{"text": ["{CANARY}"]}}',
    f'{{"text": "{CANARY}',
    f'{{"text": "{CANARY}\\ud800"}}',
    f'{{"text": "{CANARY}\\u0000"}}',
    f'{{"text": "{CANARY}", "tags": {{"{CANARY}": "{CANARY}", "{CANARY}!": "x"}}}}',
    json.dumps({"text": CANARY * 10_000}),
    b'{"text": "' + CANARY.encode() + b'\xff\xfe"}',
)


@pytest.fixture(scope="module")
def events(mesh: Mesh) -> Iterator[Callable[[], list[str]]]:
    """All that comes on the bus from now on, bodies and attributes."""
    bus = mesh.bus
    queues = [bus.watch(event) for event in (REQUEST, RESPONSE, COMPLETED, ALERT)]
    seen: list[str] = []

    def read() -> list[str]:
        for queue in queues:
            while messages := bus.receive(queue):
                seen.extend(f"{one['Body']} {one.get('MessageAttributes', {})}" for one in messages)
        return seen

    yield read
    for queue in queues:
        bus.unwatch(queue)


def traced() -> TraceContext:
    return TraceContext(new_trace_id(), new_span_id(), True)


def metadata() -> tuple[tuple[str, str], ...]:
    """Of a call that is to be seen, and says what it likes otherwise."""
    left_out = ("traceparent", "grpc-timeout", "authorization", "user-agent", "accept")
    said = [(name, value) for name, value in HEADERS.items() if name not in left_out]
    return (("traceparent", traced().traceparent), *said)


def strings(kind: Any, path: tuple[FieldDescriptor, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each field of text in a message."""
    for field in kind.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (*path, field)
        elif field.message_type is not None and field.message_type.file.package == "predict.v1":
            yield from strings(field.message_type, (*path, field))


def put(message: Message, path: tuple[FieldDescriptor, ...], word: str) -> None:
    """Set the field at the end of a way."""
    field, *rest = path
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)[word if rest[0].name == "key" else "source"] = word
    elif not rest:
        if field.is_repeated:
            getattr(message, field.name).append(word)
        else:
            setattr(message, field.name, word)
    else:
        inner = getattr(message, field.name)
        if field.is_repeated:
            inner = inner[0] if len(inner) else inner.add()
        put(inner, tuple(rest), word)


def good(rpc: str, ids: Mapping[str, str]) -> Message:
    """A request with a word wherever one may be, and right where only something right is taken."""
    kind = METHODS[rpc].input_type
    message: Message = Default().GetSymbol(kind.full_name)()
    for path in strings(kind):
        name = path[-1].name
        if name not in ("request_id", "key", "value", "address"):
            put(message, path, {**VALID, **ids}.get(name, CANARY))
    return message


def requests(ids: Mapping[str, str]) -> Iterator[tuple[str, Message]]:
    """For each field of each rpc a request that is good but for this one."""
    for rpc, method in METHODS.items():
        if method.client_streaming:
            continue
        if rpc not in CHANGES_TRAFFIC:
            yield rpc, good(rpc, ids)
        for path in strings(method.input_type):
            request = good(rpc, ids)
            put(request, path, f"{CANARY} of {path[-1].name}")
            yield rpc, request


def ask_everything(mesh: Mesh, ids: Mapping[str, str]) -> int:
    """By both doors; how many were refused."""
    refused = 0
    for rpc, request in requests(ids):
        if rpc in ("WatchPrediction", "WaitPrediction"):
            mesh.grpc.call(rpc, request, timeout_s=5)
            continue
        for door in (mesh.grpc, mesh.rest):
            refused += bool(door.call(rpc, request).status.code)
    return refused


def say_it_in_headers_paths_and_bodies(mesh: Mesh) -> None:
    client = mesh.rest.client
    for name, value in HEADERS.items():
        client.post("/v1/models/sentiment:predict", json={"text": CANARY}, headers={name: value})
    for path in PATHS:
        for method in ("GET", "POST", "DELETE", CANARY.upper()):
            client.request(method, path)
    for body in BODIES:
        for rpc in (":predict", "/predictions", ":batchPredict"):
            path = f"/v1/models/sentiment{rpc}"
            answer = client.post(path, content=body, headers=JSON | {"traceparent": sampled()})
            assert answer.is_client_error
    for payload in (CANARY.encode(), b"\x12\x10" + CANARY.encode() + b"\xff" * 7):
        assert mesh.grpc.send("Predict", payload).status.code
    client.get(f"/v1/models/{quote(CANARY)}%0A%00", headers={"accept-encoding": CANARY})


def sampled() -> str:
    return traced().traceparent


def predict_in_all_ways(mesh: Mesh) -> list[str]:
    """Good ones, with words wherever a client may say some; the ids of what is done later."""
    tags = {"source": CANARY, CANARY.replace("-", "_"): CANARY}
    now = PredictRequest(model="sentiment", text=new_text(), tags=tags)
    mesh.predictions.Predict(now, metadata=metadata(), timeout=30)
    stream = iter([StreamPredictRequest(request=now)])
    list(mesh.predictions.StreamPredict(stream, metadata=metadata(), timeout=30))
    later = CreatePredictionRequest(model="sentiment", text=new_text(), tags=tags)
    accepted = (
        mesh.predictions.CreatePrediction(later, metadata=metadata(), timeout=30) for _ in range(3)
    )
    return [one.prediction.id for one in accepted]


def wait_for(mesh: Mesh, prediction_id: str) -> None:
    request = WaitPredictionRequest(id=prediction_id)
    request.timeout.FromSeconds(100)
    mesh.predictions.WaitPrediction(request, timeout=110)


def break_everything(mesh: Mesh, spans: OtlpReceiver) -> None:
    """Each part is away once while it is asked."""
    now = PredictRequest(model="sentiment", text=new_text())
    with mesh.stopped("triton"):
        assert mesh.grpc.call("Predict", now, timeout_s=1.5).status.code
    for part in ("triton", "postgres"):
        killed = mesh.stack.kill(part, signal.SIGKILL)
        mesh.grpc.call("Predict", now, timeout_s=5)
        mesh.wait_ready(part, after=killed)
    spans.status = 503
    wait_until(lambda: not mesh.grpc.call("Predict", now).status.code)
    spans.status = 200
    text = f"poison {new_text()}"
    place = "inference.server:ModelServer.infer:before"
    with mesh.fault("worker-sentiment", place, text=text) as fault:
        create = CreatePredictionRequest(model="sentiment", text=text)
        accepted = mesh.grpc.call("CreatePrediction", create).message.prediction
        wait_for(mesh, accepted.id)
        assert fault.deaths == 1


def forge_messages(mesh: Mesh) -> None:
    """What others may lay into the queues, until it is given up."""
    bus, names = mesh.bus, Names(PREFIX)
    queues = (names.model_queue("sentiment"), names.gateway_queue)
    said = {
        name: {"DataType": "String", "StringValue": CANARY}
        for name in ("action", "version", "traceparent", CANARY)
    }
    for queue in queues:
        for event in (REQUEST, RESPONSE, CANARY):
            for body in (CANARY, f'{{"{CANARY}": 1}}', json.dumps({"predictionId": CANARY})):
                kind = {"event": {"DataType": "String", "StringValue": event}}
                bus.sqs.send_message(
                    QueueUrl=bus.url(queue), MessageBody=body, MessageAttributes=said | kind
                )
    every = [name for queue in queues for name in (queue, dead_letters(queue))]
    wait_until(lambda: sum(map(bus.depth, every)) == 0)


OF_THE_GATEWAY = ("gateway", "access")
IDS = re.compile(rf"\brequest_id(=|\": ?\"){HEADERS['x-request-id']}")


def logs(mesh: Mesh) -> Iterator[tuple[str, str]]:
    """Each line, by its file; of the gateway's without the id that its client gave a request, by
    which README.md says it is found, and in the access log without the path, which is what was
    asked for."""
    for log in mesh.stack.home.logs.iterdir():
        for line in log.read_text(errors="replace").splitlines():
            if log.stem == "access":
                said = json.loads(line)
                said.pop("path")
                line = json.dumps(said)
            yield log.name, IDS.sub("", line) if log.stem in OF_THE_GATEWAY else line


def test_no_word_of_a_client_is_told_to_anybody(
    mesh: Mesh, spans: OtlpReceiver, events: Callable[[], list[str]]
) -> None:
    ids = predict_in_all_ways(mesh)
    for prediction_id in ids:
        wait_for(mesh, prediction_id)
    known = {"id": ids[0], "prediction_id": ids[1], "annotator": CANARY, "external_id": CANARY}
    assert ask_everything(mesh, known) > len(METHODS)
    say_it_in_headers_paths_and_bodies(mesh)
    forge_messages(mesh)
    break_everything(mesh, spans)
    trace = traced()
    request = PredictRequest(model="sentiment", text=new_text())
    mesh.predictions.Predict(request, metadata=(("traceparent", trace.traceparent),), timeout=30)
    wait_until(lambda: len({span.service for span in spans.of_trace(trace.trace_id)}) >= 3)

    assert [f"{name}: {line}" for name, line in logs(mesh) if is_told(line)] == []
    assert [body for body in spans.bodies if CANARY.encode() in body.lower()] == []
    metrics = httpx.get(f"http://127.0.0.1:{mesh.ports['metrics']}/metrics", timeout=60).text
    assert [line for line in metrics.splitlines() if is_told(line)] == []
    assert len(events()) >= len(ids) * 3
    assert [event for event in events() if is_told(event)] == []


def is_told(said: str) -> bool:
    """Whether the word is in it."""
    return CANARY in said.lower()
