"""What the REST front filter refuses: the status, the reason and the field of each."""

from typing import Any

import pytest
from predict.v1.error_reason_pb2 import ErrorReason

from gateway.envoy.config import MAX_BODY_BYTES
from tests.integration.gateway.envoy.gateway_process import GatewayProcess

PREDICT = "/v1/models/sentiment:predict"
BATCH = "/v1/models/sentiment:batchPredict"
LATER = "/v1/models/sentiment/predictions"

BODIES = [
    # path, body, reason, field
    (PREDICT, b'{"txt":"a"}', "UNKNOWN_FIELD", "txt"),
    (PREDICT, b'{"Text":"a"}', "UNKNOWN_FIELD", "Text"),
    (PREDICT, b'{"t\\u0065xts":1}', "UNKNOWN_FIELD", "texts"),
    (PREDICT, b'{"a\\"b":1}', "UNKNOWN_FIELD", 'a"b'),
    (PREDICT, b'{"' + b"a" * 500 + b'":1}', "UNKNOWN_FIELD", "a" * 128 + "..."),
    (
        BATCH,
        b'{"entries":[{"text":"a"},{"text":"b"},{"txt":"c"}]}',
        "UNKNOWN_FIELD",
        "entries[2].txt",
    ),
    (PREDICT, b'{"text":"a","text":"b"}', "DUPLICATE_FIELD", "text"),
    (PREDICT, b'{"text":"a","t\\u0065xt":"b"}', "DUPLICATE_FIELD", "text"),
    (PREDICT, b'{"request_id":"a","requestId":"b"}', "DUPLICATE_FIELD", "request_id"),
    (BATCH, b'{"entries":[{"text":"a","text":"a"}]}', "DUPLICATE_FIELD", "entries[0].text"),
    (PREDICT, b'{"text":"a","model":"genre"}', "DUPLICATE_FIELD", "model"),
    (PREDICT, b'{"text":1}', "WRONG_TYPE", "text"),
    (PREDICT, b'{"text":true}', "WRONG_TYPE", "text"),
    (PREDICT, b'{"text":["a"]}', "WRONG_TYPE", "text"),
    (PREDICT, b'{"text":{"a":"b"}}', "WRONG_TYPE", "text"),
    (BATCH, b'{"entries":{"text":"a"}}', "WRONG_TYPE", "entries"),
    (BATCH, b'{"entries":"a"}', "WRONG_TYPE", "entries"),
    (BATCH, b'{"entries":["a"]}', "WRONG_TYPE", "entries[0]"),
    (BATCH, b'{"entries":[{"text":"a"},null]}', "WRONG_TYPE", "entries[1]"),
    (BATCH, b'{"entries":[{"text":"a"},[]]}', "WRONG_TYPE", "entries[1]"),
    (LATER, b'{"ttl":60}', "WRONG_TYPE", "ttl"),
    (LATER, b'{"ttl":"60"}', "WRONG_TYPE", "ttl"),
    (LATER, b'{"ttl":"1.0000000001s"}', "WRONG_TYPE", "ttl"),
    (PREDICT, b"[]", "WRONG_TYPE", ""),
    (PREDICT, b'"text"', "WRONG_TYPE", ""),
    (PREDICT, b"null", "WRONG_TYPE", ""),
    (PREDICT, b'{"text":"\xff"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"\xc0\xaf"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"\xed\xa0\x80"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"\xf4\x90\x80\x80"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"a\xe2\x82"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"\\ud800"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"\\udc00\\ud800"}', "INVALID_UTF8", "text"),
    (PREDICT, b'{"text":"\\ud800\\u0041"}', "INVALID_UTF8", "text"),
    (BATCH, b'{"entries":[{"text":"a"},{"text":"\xff"}]}', "INVALID_UTF8", "entries[1].text"),
    (PREDICT, b'{"\xff":1}', "INVALID_UTF8", ""),
]

MALFORMED = [
    # body, position in bytes
    (b"{", 1),
    (b" ", 1),
    (b"text", 0),
    (b'{"text"}', 7),
    (b'{"text":}', 8),
    (b'{"text":"a"', 11),
    (b'{"text":"a",}', 12),
    (b'{"text":"a" "b"}', 12),
    (b'{"text":"a"}}', 12),
    (b'{"text":"a"}{}', 12),
    (b"{'text':'a'}", 1),
    (b'{"text":"a\n"}', 10),
    (b'{"text":"\\x41"}', 9),
    (b'{"text":"\\u12"}', 9),
    (b'{"text":"a', 10),
    (b'{"text":01}', 8),
    (b'{"text":1.}', 9),
    (b'{"text":+1}', 8),
    (b'{"text":NaN}', 8),
    (b'{"text":nul}', 8),
    (b'{"a":' * 100 + b"{}" + b"}" * 100, 500),
    (b"[" * 100_000, 100),
    (b'\xef\xbb\xbf{"text":"a"}', 0),
    # Broken JSON comes before everything else that is wrong.
    (b'{"txt":1,"text":2,"text":"\xff"', 28),
]

QUERIES = [
    # path with query, reason, field
    ("/v1/predictions?sort=asc", "UNKNOWN_FIELD", "sort"),
    ("/v1/predictions?start_time.seconds=1", "UNKNOWN_FIELD", "start_time.seconds"),
    ("/v1/predictions?%C3%A9=1", "UNKNOWN_FIELD", "é"),
    ("/v1/predictions?pageSize=abc", "WRONG_TYPE", "page_size"),
    ("/v1/predictions?page_size=1.5", "WRONG_TYPE", "page_size"),
    ("/v1/predictions?page_size=", "WRONG_TYPE", "page_size"),
    ("/v1/predictions?page_size=2147483648", "WRONG_TYPE", "page_size"),
    ("/v1/predictions?state=BOGUS", "WRONG_TYPE", "state"),
    ("/v1/predictions?startTime=x", "WRONG_TYPE", "start_time"),
    ("/v1/predictions?startTime=2026-02-29T00:00:00Z", "WRONG_TYPE", "start_time"),
    ("/v1/predictions?startTime=2026-01-01T24:00:00Z", "WRONG_TYPE", "start_time"),
    ("/v1/predictions?startTime=2026-01-01T00:00:00", "WRONG_TYPE", "start_time"),
    ("/v1/predictions?endTime=2026-01-01", "WRONG_TYPE", "end_time"),
    ("/v1/predictions?model=%FF", "INVALID_UTF8", "model"),
    ("/v1/predictions?pageSize=1&page_size=1", "DUPLICATE_FIELD", "page_size"),
    ("/v1/predictions/x:wait?timeout=abc", "WRONG_TYPE", "timeout"),
    ("/v1/predictions/x:wait?timeout=10", "WRONG_TYPE", "timeout"),
    ("/v1/predictions/x:wait?timeout=400000000000s", "WRONG_TYPE", "timeout"),
    ("/v1/predictions/x:wait?id=y", "DUPLICATE_FIELD", "id"),
    ("/v1/predictions/%FF", "INVALID_UTF8", "id"),
]

PATHS = [
    # method, path, status, reason
    ("GET", "/", 404, "PATH_NOT_FOUND"),
    ("GET", "/v1/prediction", 404, "PATH_NOT_FOUND"),
    ("GET", "/v1/models/", 404, "PATH_NOT_FOUND"),
    ("GET", "/v1/models/a/b", 404, "PATH_NOT_FOUND"),
    ("GET", "/v1/models/a:describe", 404, "PATH_NOT_FOUND"),
    ("POST", "/v1/models/:predict", 404, "PATH_NOT_FOUND"),
    ("POST", "/predict.v1.PredictionService/Predict", 404, "PATH_NOT_FOUND"),
    ("POST", "/v1/models", 405, "METHOD_NOT_ALLOWED"),
    ("GET", PREDICT, 405, "METHOD_NOT_ALLOWED"),
    ("PUT", "/v1/predictions/x", 405, "METHOD_NOT_ALLOWED"),
    ("PATCH", "/v1/predictions/x", 405, "METHOD_NOT_ALLOWED"),
]


def assert_refusal(body: Any, reason: str, metadata: dict[str, str], code: int = 3) -> None:
    """A google.rpc.Status whose ErrorInfo is this one, with a reason of the contract."""
    assert body["code"] == code
    assert body["message"]
    assert body["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "predict.v1",
        "metadata": metadata,
    }
    assert ErrorReason.Value(f"ERROR_REASON_{reason}")


def assert_field_refused(body: Any, reason: str, field: str) -> None:
    metadata = {"field": field}
    if reason == "WRONG_TYPE":
        metadata["expected"] = body["details"][0]["metadata"]["expected"]
    assert_refusal(body, reason, metadata)
    [violation] = body["details"][1]["fieldViolations"]
    assert (violation["field"], violation["reason"]) == (field, reason)
    assert violation["description"]


@pytest.mark.parametrize(("path", "body", "reason", "field"), BODIES)
def test_a_body_is_refused_for_its_field(
    gateway: GatewayProcess, path: str, body: bytes, reason: str, field: str
) -> None:
    answer = gateway.request("POST", path, body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert_field_refused(answer.json, reason, field)


@pytest.mark.parametrize(("body", "position"), MALFORMED)
def test_what_is_no_json_is_refused_with_the_position(
    gateway: GatewayProcess, body: bytes, position: int
) -> None:
    answer = gateway.request("POST", PREDICT, body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert_refusal(answer.json, "MALFORMED_JSON", {"position": str(position)})


@pytest.mark.parametrize(("path", "reason", "field"), QUERIES)
def test_a_query_or_path_is_refused_for_its_field(
    gateway: GatewayProcess, path: str, reason: str, field: str
) -> None:
    answer = gateway.request("GET", path)
    assert answer.status == 400
    assert_field_refused(answer.json, reason, field)


@pytest.mark.parametrize(("method", "path", "status", "reason"), PATHS)
def test_a_path_or_method_without_an_rpc_is_refused(
    gateway: GatewayProcess, method: str, path: str, status: int, reason: str
) -> None:
    answer = gateway.request(method, path)
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.json["code"] == {404: 5, 405: 12}[status]


def test_a_wrong_method_names_the_right_ones(gateway: GatewayProcess) -> None:
    answer = gateway.request("GET", PREDICT)
    assert answer.headers["allow"] == "POST"
    assert_refusal(answer.json, "METHOD_NOT_ALLOWED", {"method": "GET", "allow": "POST"}, code=12)


def test_a_post_takes_no_query(gateway: GatewayProcess) -> None:
    answer = gateway.request("POST", f"{PREDICT}?text=a", {})
    assert answer.status == 400
    assert_field_refused(answer.json, "UNKNOWN_FIELD", "text")


def test_a_get_takes_no_body(gateway: GatewayProcess) -> None:
    answer = gateway.request("GET", "/v1/models", {"page_size": 1})
    assert answer.status == 400
    assert_field_refused(answer.json, "UNKNOWN_FIELD", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/jsonx"},
        {"content-type": "application/grpc-web+json"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
    ids=str,
)
def test_a_body_that_is_not_plain_json_is_unsupported(
    gateway: GatewayProcess, headers: dict[str, str]
) -> None:
    answer = gateway.request("POST", PREDICT, b'{"text":"a"}', headers)
    assert answer.status == 415
    metadata = {"content_type": headers["content-type"]}
    assert_refusal(answer.json, "UNSUPPORTED_CONTENT_TYPE", metadata)


@pytest.mark.parametrize("kind", ["grpc-web; charset=utf-8", "grpc-web+json", "grpc-webx", "grpcx"])
def test_what_only_looks_like_grpc_is_rest(gateway: GatewayProcess, kind: str) -> None:
    answer = gateway.request("GET", "/v1/nothing", headers={"content-type": f"application/{kind}"})
    assert answer.status == 404
    assert_refusal(answer.json, "PATH_NOT_FOUND", {"path": "/v1/nothing"}, code=5)


@pytest.mark.parametrize("excess", [1, 1024 * 1024])
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_body_over_the_limit_is_too_large(
    gateway: GatewayProcess, chunked: bool, excess: int
) -> None:
    body = b'{"text":"a"}'.ljust(MAX_BODY_BYTES + excess)
    answer = gateway.request("POST", PREDICT, iter([body]) if chunked else body)
    assert answer.status == 413
    assert_refusal(answer.json, "MESSAGE_TOO_LARGE", {"max_bytes": str(MAX_BODY_BYTES)}, code=8)


def test_headers_over_the_limit_get_the_same_form(gateway: GatewayProcess) -> None:
    answer = gateway.request("GET", "/v1/models", headers={"x-long": "a" * 70_000})
    assert answer.status == 431
    assert_refusal(answer.json, "MESSAGE_TOO_LARGE", {"max_bytes": "65536"}, code=8)


def test_a_refusal_has_the_form_of_the_application_s_own_errors(gateway: GatewayProcess) -> None:
    refused = gateway.request("POST", PREDICT, {"txt": "a"})
    from_application = gateway.request("POST", PREDICT, {"text": "refuse"})
    assert from_application.json["message"] == "text: no"
    assert form(refused.json) == form(from_application.json)


def form(value: Any) -> Any:
    """The names in a JSON value, in their order, with the types of the details."""
    if isinstance(value, list):
        return [form(item) for item in value]
    if isinstance(value, dict):
        return [(name, item if name == "@type" else form(item)) for name, item in value.items()]
    return type(value)
