"""What a right REST request becomes, and what its answer looks like."""

import json
from typing import Any

import pytest

from gateway.envoy.config import MAX_BODY_BYTES
from tests.integration.gateway.envoy.gateway_process import GatewayProcess

PREDICT = "/v1/models/sentiment:predict"
LATER = "/v1/models/sentiment/predictions"


def received(prediction: dict[str, Any]) -> Any:
    """The request as the application saw it."""
    return json.loads(prediction["featuresUri"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"text":"plain"}', "plain"),
        (b' { "text" : "spaced" }\r\n', "spaced"),
        ('{"text":"é 你好 😀"}'.encode(), "é 你好 😀"),
        (b'{"text":"\\u00e9 \\u4f60 \\ud83d\\ude00"}', "é 你 😀"),
        (b'{"text":"\\"\\\\\\/\\b\\f\\n\\r\\t\\\\u0041"}', '"\\/\b\f\n\r\t\\u0041'),
        (b'{"text":"\x7f\xef\xbf\xbf"}', "\x7f\uffff"),
        (b'{"t\\u0065xt":"escaped name"}', "escaped name"),
        (b'{"text":null}', ""),
        (b"{}", ""),
        (b"", ""),
    ],
)
def test_a_text_arrives_as_it_was_sent(gateway: GatewayProcess, body: bytes, text: str) -> None:
    answer = gateway.request("POST", PREDICT, body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["text"] == text
    assert received(answer.json).get("text", "") == text


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": ""},
        {"content-type": "application/x-www-form-urlencoded"},  # as `curl -d` says
        {"content-type": "Application/JSON; charset=utf-8"},
    ],
    ids=str,
)
def test_json_is_taken_for_json_whatever_it_is_called(
    gateway: GatewayProcess, headers: dict[str, str]
) -> None:
    answer = gateway.request("POST", PREDICT, b'{"text":"a"}', headers)
    assert (answer.status, answer.json["text"]) == (200, "a")


@pytest.mark.parametrize("name", ["requestId", "request_id"])
def test_both_names_of_a_field_are_accepted(gateway: GatewayProcess, name: str) -> None:
    answer = gateway.request("POST", PREDICT, {"text": "a", name: "r"})
    assert received(answer.json) == {"model": "sentiment", "text": "a", "requestId": "r"}


def test_nested_entries_arrive_in_order(gateway: GatewayProcess) -> None:
    entries = [{"text": f"text {i}", "request_id": str(i)} for i in range(256)]
    answer = gateway.request("POST", "/v1/models/sentiment:batchPredict", {"entries": entries})
    texts = [result["prediction"]["text"] for result in answer.json["results"]]
    assert texts == [entry["text"] for entry in entries]


@pytest.mark.parametrize("ttl", ["60s", "1.500s", "0.000000001s"])
def test_a_duration_arrives(gateway: GatewayProcess, ttl: str) -> None:
    answer = gateway.request("POST", LATER, {"text": "a", "ttl": ttl})
    assert received(answer.json)["ttl"] == ttl


def test_query_parameters_arrive_by_both_names(gateway: GatewayProcess) -> None:
    query = (
        "pageSize=3&page_token=a%2Bb+c&model=genre&state=PREDICTION_STATE_FAILED"
        "&startTime=2028-02-29T23:59:59.5%2B01:00&end_time=2030-01-01T00:00:00Z"
    )
    answer = gateway.request("GET", f"/v1/predictions?{query}")
    assert json.loads(answer.json["nextPageToken"]) == {
        "pageSize": 3,
        "pageToken": "a+b c",
        "model": "genre",
        "state": "PREDICTION_STATE_FAILED",
        "startTime": "2028-02-29T22:59:59.500Z",
        "endTime": "2030-01-01T00:00:00Z",
    }


def test_a_path_variable_is_decoded(gateway: GatewayProcess) -> None:
    answer = gateway.request("GET", "/v1/predictions/a%2Fb%3A%C3%A9")
    assert received(answer.json) == {"id": "a/b:é"}


def test_a_cancel_needs_no_body(gateway: GatewayProcess) -> None:
    answer = gateway.request("POST", "/v1/predictions/x:cancel")
    assert received(answer.json) == {"id": "x"}


def test_an_answer_prints_zeros_and_omits_what_is_unset(gateway: GatewayProcess) -> None:
    prediction = gateway.request("POST", PREDICT, {"text": "a"}).json
    assert prediction["state"] == "PREDICTION_STATE_SUCCEEDED"
    assert prediction["output"]["confidence"] == 0
    assert "value" not in prediction["output"]
    assert "completeTime" not in prediction


def test_an_answer_has_no_headers_of_grpc(gateway: GatewayProcess) -> None:
    answer = gateway.request("POST", PREDICT, {"text": "a"})
    assert not [name for name in answer.headers if name.startswith("grpc-")]


def test_an_empty_list_is_printed(gateway: GatewayProcess) -> None:
    assert gateway.request("GET", "/v1/models").json["models"] == []


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_body_of_exactly_the_limit_is_answered(gateway: GatewayProcess, chunked: bool) -> None:
    text = "x" * (MAX_BODY_BYTES - 1000)
    body = json.dumps({"text": text}).encode().ljust(MAX_BODY_BYTES)
    halves = iter([body[:1000], body[1000:]])
    answer = gateway.request("POST", PREDICT, halves if chunked else body)
    assert answer.json["text"] == text


def test_a_watch_is_a_stream_of_server_sent_events(gateway: GatewayProcess) -> None:
    answer = gateway.request("GET", "/v1/predictions/x:watch")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    events = answer.body.decode().removesuffix("\n\n").split("\n\n")
    assert all(event.startswith("data: ") for event in events)
    predictions = [json.loads(event[6:])["prediction"] for event in events]
    assert [p["id"] for p in predictions] == ["x", "x"]
    assert [p["state"] for p in predictions] == [
        "PREDICTION_STATE_RUNNING",
        "PREDICTION_STATE_SUCCEEDED",
    ]


def test_the_caller_s_deadline_reaches_the_application(gateway: GatewayProcess) -> None:
    headers = {"grpc-timeout": "100m"}
    answer = gateway.request("GET", "/v1/predictions/x:wait?timeout=20s", headers=headers)
    assert (answer.status, answer.json["code"]) == (504, 4)


def test_a_client_cannot_speak_for_envoy(gateway: GatewayProcess) -> None:
    spoofed = {
        "x-envoy-original-path": "/spoofed",
        "x-envoy-external-address": "spoofed",
        "x-envoy-internal": "spoofed",
        "grpc-encoding": "spoofed",
        "grpc-accept-encoding": "gzip",
    }
    answer = gateway.request("POST", PREDICT, {"text": "a"}, headers=spoofed)
    assert answer.json["text"] == "a"
    metadata = answer.json["output"]["label"]
    assert "spoofed" not in metadata
    assert "grpc-accept-encoding" not in metadata
