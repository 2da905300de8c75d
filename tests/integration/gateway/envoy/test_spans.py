"""Envoy's own spans, as a real receiver gets them, and the application that is told of them."""

import re
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
from predict.v1 import prediction_service_pb2, prediction_service_pb2_grpc

from gateway.call_trace import begin
from gateway.envoy.tracing import BATCH, SPAN_HEADER
from telemetry.sampling import Sampler
from telemetry.trace_context import TraceContext, new_span_id, new_trace_id
from tests.integration.gateway.envoy.access.guarded import GatewayProcess, Headers, guarded, send
from tests.integration.gateway.envoy.gateway_process import echo_settings
from tests.parts.certificate import make_certificate
from tests.parts.issuer import Issuer
from tests.parts.otlp_receiver import OtlpReceiver, ReceivedSpan, receiving_spans
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

PREDICT, REST = "/predict.v1.PredictionService/Predict", "/v1/models/sentiment:predict"
SERVER = 2
CANARY = "CANARY"
JSON = ("content-type", "application/json")


def context(*, sampled: bool = True) -> TraceContext:
    return TraceContext(new_trace_id(), new_span_id(), sampled)


def traceparent(parent: TraceContext) -> tuple[str, str]:
    return "traceparent", parent.traceparent


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def gateway(receiver: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = tmp_path_factory.mktemp("spans") / "log"
    environment = receiver.environment
    with GatewayProcess(log=log, settings=echo_settings(), environment=environment) as gateway:
        yield gateway


def ask_rest(port: int, headers: Headers = ()) -> str:
    return send(port, "POST", REST, [JSON, *headers], b'{"text": "a"}').body.decode()


def ask_grpc(port: int, headers: Headers = ()) -> str:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = prediction_service_pb2.PredictRequest(text="a")
        return str(stub.Predict(request, metadata=headers).prediction.output.label)


def ask_web(port: int, headers: Headers = ()) -> str:
    framed = struct.pack(">BI", 0, 0)
    kind = ("content-type", "application/grpc-web")
    return send(port, "POST", PREDICT, [kind, *headers], framed).body.decode("latin-1")


DOORS = {"rest": ask_rest, "grpc": ask_grpc, "grpc-web": ask_web}


def told(answer: str) -> tuple[str, str]:
    """The ids of trace and span that the application was told."""
    found = re.findall(rf"'{SPAN_HEADER}', '([0-9a-f]{{32}})-([0-9a-f]{{16}})'", answer)
    assert len(found) == 1, answer
    return found[0]


def one_span(receiver: OtlpReceiver, trace_id: str) -> ReceivedSpan:
    wait_until(lambda: bool(receiver.of_trace(trace_id)))
    (span,) = receiver.of_trace(trace_id)
    return span


@pytest.mark.parametrize("door", DOORS)
def test_a_request_has_a_span_below_its_callers(
    gateway: GatewayProcess, receiver: OtlpReceiver, door: str
) -> None:
    parent = context()
    trace_id, span_id = told(DOORS[door](gateway.port, [traceparent(parent)]))
    span = one_span(receiver, trace_id)
    assert (span.service, span.name, span.kind) == ("envoy", door, SERVER)
    assert (span.trace_id, span.parent_id, span.span_id) == (*parent[:2], span_id)
    assert span.attributes["http.request.method"] == "POST"
    assert span.attributes["http.response.status_code"] == "200"


@pytest.mark.parametrize("door", DOORS)
def test_without_a_caller_that_traces_a_trace_begins(
    gateway: GatewayProcess, receiver: OtlpReceiver, door: str
) -> None:
    trace_id, span_id = told(DOORS[door](gateway.port))
    span = one_span(receiver, trace_id)
    assert (span.parent_id, span.span_id) == ("", span_id)


def test_whoever_does_not_record_his_trace_has_no_span(
    gateway: GatewayProcess, receiver: OtlpReceiver
) -> None:
    parent, later = context(sampled=False), context()
    assert told(ask_rest(gateway.port, [traceparent(parent)]))[0] == parent.trace_id
    ask_rest(gateway.port, [traceparent(later)])
    one_span(receiver, later.trace_id)
    assert not receiver.of_trace(parent.trace_id)


def test_what_is_no_traceparent_is_no_span_to_the_application(gateway: GatewayProcess) -> None:
    answer = ask_rest(gateway.port, [("traceparent", "00-nonsense")])
    assert f"'{SPAN_HEADER}', '-'" in answer


ODD = (
    *("01-{}-{}-00", "01-{}-{}-01", "ff-{}-{}-01", "ff-{}-{}-00", "cc-{}-{}-01", "00-{}-{}-03"),
    *("00-{}-{}-01-x", "01-{}-{}-01-x", "0g-{}-{}-01", "00-{}-{}-0g"),
)


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_traceparent_is_recorded_by_both_or_by_nobody(
    gateway: GatewayProcess, receiver: OtlpReceiver, odd: str, upper: bool
) -> None:
    """By Envoy, and by the application that Envoy tells of its span."""
    ids, later = context(), context()
    said = odd.format(ids.trace_id, ids.span_id)
    said = said.upper() if upper else said
    answer = ask_rest(gateway.port, [("traceparent", said)])
    (named,) = re.findall(rf"'{SPAN_HEADER}', '([^']*)'", answer)
    assert f"'traceparent', '{said}'" in answer
    headers = {SPAN_HEADER.encode(): named.encode(), b"traceparent": said.encode()}
    call = begin(Sampler(1.0, asks_parent=True), headers)
    ask_rest(gateway.port, [traceparent(later)])
    one_span(receiver, later.trace_id)
    by_envoy = bool(receiver.of_trace(ids.trace_id))
    assert by_envoy is (call.sampled and call.trace_id == ids.trace_id)
    assert (named == "-") is (call.trace_id != ids.trace_id)


@pytest.mark.parametrize("door", DOORS)
def test_nobody_can_tell_the_application_of_a_span(gateway: GatewayProcess, door: str) -> None:
    own = context()
    answer = DOORS[door](gateway.port, [(SPAN_HEADER, f"{own.trace_id}-{own.span_id}")])
    assert own.trace_id not in answer
    told(answer)


REFUSED: dict[str, tuple[str, str, bytes, str]] = {
    "404": ("GET", "/nowhere", b"", "404"),
    "405": ("DELETE", REST, b"", "405"),
    "413": ("POST", REST, b"x" * 5_000_000, "413"),
    "400": ("POST", REST, b"{", "400"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_request_has_a_span(
    gateway: GatewayProcess, receiver: OtlpReceiver, kind: str
) -> None:
    method, path, body, status = REFUSED[kind]
    parent = context()
    send(gateway.port, method, path, [JSON, traceparent(parent)], body)
    span = one_span(receiver, parent.trace_id)
    assert span.parent_id == parent.span_id
    assert span.attributes["http.response.status_code"] == status


def test_who_has_no_token_has_a_span(receiver: OtlpReceiver, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(Issuer().jwks())
    keys, parent = str(tmp_path / "jwks.json"), context()
    with guarded(tmp_path, jwks=keys, environment=receiver.environment) as gateway:
        answer = send(gateway.port, "POST", REST, [JSON, traceparent(parent)], b"{}")
        assert answer.status == 401
        span = one_span(receiver, parent.trace_id)
        assert span.attributes["http.response.status_code"] == "401"


def test_whether_it_lives_is_asked_without_a_span(
    gateway: GatewayProcess, receiver: OtlpReceiver
) -> None:
    probe, later = context(), context()
    send(gateway.port, "GET", "/healthz", [traceparent(probe)])
    ask_rest(gateway.port, [traceparent(later)])
    one_span(receiver, later.trace_id)
    assert not receiver.of_trace(probe.trace_id)


def test_what_a_client_writes_is_in_no_span(
    gateway: GatewayProcess, receiver: OtlpReceiver
) -> None:
    """In paths, queries, bodies and headers, and in what an error says of them."""
    names = ("user-agent", "x-request-id", "x-client-trace-id", "x-session-id", "origin")
    names += ("x-envoy-force-trace", "x-envoy-downstream-service-cluster", "x-forwarded-for")
    headers = [(name, CANARY) for name in names]
    headers += [("tracestate", f"a={CANARY}"), ("authorization", f"Bearer {CANARY}")]
    grpc_type = ("content-type", "application/grpc")
    odd_type = ("content-type", f"application/grpc+{CANARY}")
    late = ("grpc-timeout", CANARY)
    requests: list[tuple[str, str, Headers, bytes]] = [
        ("POST", f"{REST}?session={CANARY}", [JSON], b"{}"),
        ("POST", REST, [JSON], b'{"text": "CANARY", "CANARY": 1}'),
        ("GET", f"http://{CANARY}/v1/{CANARY}", [], b""),
        ("POST", f"/{CANARY}/{CANARY}", [grpc_type], bytes(5)),
        ("POST", f"/{CANARY}/{'x' * 20_000}", [grpc_type], bytes(5)),
        ("POST", PREDICT, [odd_type, late], bytes(5)),
    ]
    parents = [context() for _ in requests]
    for (method, path, more, body), parent in zip(requests, parents, strict=True):
        send(gateway.port, method, path, [*headers, *more, traceparent(parent)], body)
    for parent in parents:
        one_span(receiver, parent.trace_id)
    assert all(CANARY.encode() not in body for body in receiver.bodies)
    refused = one_span(receiver, parents[3].trace_id).attributes
    assert refused["grpc.status_code"] == "12"
    assert set(refused["grpc.message"]) == {"*"}


def test_a_method_that_nobody_knows_is_in_no_span(
    gateway: GatewayProcess, receiver: OtlpReceiver
) -> None:
    """Only HTTP/2 brings one."""
    httpx = pytest.importorskip("httpx")
    parent = context()
    with httpx.Client(http1=False, http2=True) as client:
        url = f"http://127.0.0.1:{gateway.port}/v1/models"
        client.request(CANARY, url, headers=dict([traceparent(parent)]))
    attributes = one_span(receiver, parent.trace_id).attributes
    assert set(attributes["http.method"]) == set(attributes["http.request.method"]) == {"*"}
    assert all(CANARY.encode() not in body for body in receiver.bodies)


@pytest.mark.parametrize("asks_parent", [True, False], ids=["its caller", "the ratio"])
def test_envoy_decides_as_every_program_does(
    receiver: OtlpReceiver, tmp_path: Path, asks_parent: bool
) -> None:
    sampler = Sampler(0.25, asks_parent=asks_parent)
    environment = receiver.environment | {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio" if asks_parent else "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.25",
    }
    contexts = [context(sampled=index % 2 == 0) for index in range(3000)]
    settings = echo_settings()
    with GatewayProcess(
        log=tmp_path / "log", settings=settings, environment=environment
    ) as gateway:
        with closing(HTTPConnection("127.0.0.1", gateway.port)) as connection:
            for parent in contexts:
                connection.request("GET", "/nowhere", headers=dict([traceparent(parent)]))
                connection.getresponse().read()
        expected = {one.trace_id for one in contexts if sampler.samples(one.trace_id, one)}
        wait_until(lambda: expected <= {span.trace_id for span in list(receiver.spans)})
    sent = {span.trace_id for span in receiver.spans} & {one.trace_id for one in contexts}
    assert sent == expected
    assert 0 < len(expected) < len(contexts)


@pytest.mark.parametrize("fault", ["down", "silent", "refusing", "no such name"])
def test_nothing_waits_for_the_receiver_and_what_is_lost_is_counted(
    tmp_path: Path, fault: str
) -> None:
    with receiving_spans() as receiver:
        environment = receiver.environment | {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.5"}
        if fault == "down":
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
        elif fault == "silent":
            receiver.silent.set()
        elif fault == "refusing":
            receiver.status = 400
        else:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://nowhere.invalid:4318"
        log = tmp_path / "log"
        with GatewayProcess(log=log, settings=echo_settings(), environment=environment) as gateway:
            assert told(ask_rest(gateway.port))
            wait_until(lambda: lost(gateway) > 0)
            assert told(ask_rest(gateway.port))


def test_so_many_wait_at_the_most(tmp_path: Path) -> None:
    with receiving_spans() as receiver:
        receiver.silent.set()
        environment = receiver.environment
        log = tmp_path / "log"
        with GatewayProcess(log=log, settings=echo_settings(), environment=environment) as gateway:
            overflow = "cluster.otlp.upstream_rq_pending_overflow"
            wait_until(lambda: answers(gateway) and stat(gateway, overflow) > 0, timeout_s=100)


def answers(gateway: GatewayProcess) -> bool:
    return all(send(gateway.port, "GET", "/nowhere").status == 404 for _ in range(BATCH))


def lost(gateway: GatewayProcess) -> int:
    """Sendings of spans that nobody took."""
    completed, taken = "cluster.otlp.upstream_rq_completed", "cluster.otlp.upstream_rq_2xx"
    return stat(gateway, completed) - stat(gateway, taken)


def stat(gateway: GatewayProcess, name: str) -> int:
    reply = send(gateway.settings.admin_port, "GET", f"/stats?filter=^{name}$")
    return int(reply.body.decode().partition(": ")[2] or 0)


def test_headers_go_with_spans(receiver: OtlpReceiver, tmp_path: Path) -> None:
    environment = receiver.environment | {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=all",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=a%20key%25d,x-tenant=t",
    }
    log = tmp_path / "log"
    with GatewayProcess(log=log, settings=echo_settings(), environment=environment) as gateway:
        one_span(receiver, told(ask_rest(gateway.port))[0])
    assert {"api-key": "a key%d", "x-tenant": "t"}.items() <= receiver.headers.items()


def test_a_receiver_by_tls_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    with receiving_spans(tls=tls) as receiver:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://localhost:{receiver.port}"}
        trusting = endpoint | {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate)}
        log = tmp_path / "log"
        with GatewayProcess(log=log, settings=echo_settings(), environment=trusting) as gateway:
            one_span(receiver, told(ask_rest(gateway.port))[0])
        with GatewayProcess(log=log, settings=echo_settings(), environment=endpoint) as gateway:
            trace_id, _ = told(ask_rest(gateway.port))
            wait_until(lambda: lost(gateway) > 0)
            assert not receiver.of_trace(trace_id)
