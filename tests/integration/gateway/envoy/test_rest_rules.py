"""Every form of google.api.http: paths, methods, bodies, answers."""

import base64
import json
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.gateway.envoy import kinds
from tests.integration.gateway.envoy.kinds_gateway import KindsGateway

All = kinds.message("All")
ARRIVES: list[tuple[str, str, Any, dict[str, Any]]] = [
    # method, path, body, what reaches the application
    ("PUT", "/v1/all/x", {"aBool": True}, {"a_bool": True, "inner": {"a_string": "x"}}),
    ("PUT", "/v1/all/x", {"inner": {"anInt32": 5}}, {"inner": {"a_string": "x", "an_int32": 5}}),
    ("PATCH", "/v1/all/inner", {"anInt32": 5}, {"inner": {"an_int32": 5}}),
    ("PATCH", "/v1/all/inner?aBool=true", {}, {"inner": {}, "a_bool": True}),
    ("DELETE", "/v1/all/5?aBool=true", None, {"an_int32": 5, "a_bool": True}),
    ("REPORT", "/v1/all?inner.aBool=true", None, {"inner": {"a_bool": True}}),
    ("GET", "/v1/any-method?aBool=true", None, {"a_bool": True}),
    ("DELETE", "/v1/any-method?aBool=true", None, {"a_bool": True}),
    ("GET", "/v1/models/a/versions/b", None, {"a_string": "models/a/versions/b"}),
    ("GET", "/v1/models/%C3%A9/versions/a%20b", None, {"a_string": "models/é/versions/a b"}),
    ("GET", "/v1/trees", None, {"a_string": "trees"}),
    ("GET", "/v1/trees/a/b/c", None, {"a_string": "trees/a/b/c"}),
    ("GET", "/v1/trees/a/prune", None, {"a_string": "trees/a/prune"}),
    ("GET", "/v1/trees/a/prune?aBool=true", None, {"a_string": "trees/a/prune", "a_bool": True}),
    ("GET", "/v1/trees/a/b:prune", None, {"a_string": "trees/a/b"}),
    ("GET", "/v1/between/a/b/end", None, {"a_string": "a/b"}),
    ("GET", "/v1/between/end/end", None, {"a_string": "end"}),
    ("GET", "/v1/skip/anything/7", None, {"an_int32": 7}),
    (
        "GET",
        "/v1/values/true/-1.5/COLOR_BLUE/_-8=/2026-01-01T00%3A00%3A00Z/1.5s/aB.c,d/-7",
        None,
        {
            "a_bool": True,
            "a_double": -1.5,
            "a_color": 5,
            "some_bytes": b"\xff\xef",
            "time": {"seconds": 1767225600},
            "delay": {"seconds": 1, "nanos": 500000000},
            "mask": {"paths": ["a_b.c", "d"]},
            "int64_value": {"value": -7},
        },
    ),
    ("POST", "/v1/body/many", [{"aBool": True}, {}], {"many": [{"a_bool": True}, {}]}),
    ("POST", "/v1/body/many", [], {}),
    ("POST", "/v1/body/int32s?aBool=true", [1, "2"], {"int32s": [1, 2], "a_bool": True}),
    ("POST", "/v1/body/text/7", b'"caf\\u00e9"', {"a_string": "café", "inner": {"an_int32": 7}}),
    ("POST", "/v1/body/map", {"a": "b"}, {"string_map": {"a": "b"}}),
    ("POST", "/v1/body/value", b"null", {"a_value": {"null_value": 0}}),
    ("POST", "/v1/body/value", b"-1.5e3", {"a_value": {"number_value": -1500}}),
    ("POST", "/v1/body/value", b"true", {"a_value": {"bool_value": True}}),
    ("POST", "/v1/body/number", b"5", {"int64_value": {"value": 5}}),
    ("POST", "/v1/body/struct", {}, {"a_struct": {}}),
    ("POST", "/v1/body/inner/inner", {"aBool": True}, {"inner": {"inner": {"a_bool": True}}}),
]
REFUSED: list[tuple[str, str, Any, str, str]] = [
    # method, path, body, reason, what the metadata says first
    ("PUT", "/v1/all/x", {"inner": {"aString": "y"}}, "DUPLICATE_FIELD", "inner.a_string"),
    ("PUT", "/v1/all/x", {"inner": {"bogus": "y"}}, "UNKNOWN_FIELD", "inner.bogus"),
    ("PUT", "/v1/all/x?aBool=true", {}, "UNKNOWN_FIELD", "aBool"),
    ("PUT", "/v1/all/%FF", {}, "INVALID_UTF8", "inner.a_string"),
    ("PATCH", "/v1/all/inner", {"bogus": 5}, "UNKNOWN_FIELD", "inner.bogus"),
    ("PATCH", "/v1/all/inner", {"anInt32": "x"}, "WRONG_TYPE", "inner.an_int32"),
    ("PATCH", "/v1/all/inner", {"anInt32": {}}, "WRONG_TYPE", "inner.an_int32"),
    ("PATCH", "/v1/all/inner?inner.aBool=true", {}, "UNKNOWN_FIELD", "inner.aBool"),
    ("PATCH", "/v1/all/inner?inner=x", {}, "UNKNOWN_FIELD", "inner"),
    ("DELETE", "/v1/all/x", None, "WRONG_TYPE", "an_int32"),
    ("DELETE", "/v1/all/5?anInt32=5", None, "DUPLICATE_FIELD", "an_int32"),
    ("DELETE", "/v1/all/5", {}, "UNKNOWN_FIELD", ""),
    ("GET", "/v1/values/1/1/1/YQ/x/1s/a/1", None, "WRONG_TYPE", "a_bool"),
    ("GET", "/v1/values/true/0x1/1/YQ/x/1s/a/1", None, "WRONG_TYPE", "a_double"),
    (
        "GET",
        "/v1/values/true/1/RED/YQ/2026-01-01T00%3A00%3A00Z/1s/a/1",
        None,
        "WRONG_TYPE",
        "a_color",
    ),
    ("GET", "/v1/skip/anything/%FF", None, "INVALID_UTF8", "an_int32"),
    ("GET", "/v1/models/a/versions/b/c", None, "PATH_NOT_FOUND", "/v1/models/a/versions/b/c"),
    ("GET", "/v1/models/a/versions", None, "PATH_NOT_FOUND", "/v1/models/a/versions"),
    (
        "GET",
        "/v1/models/a/versions/b:prune",
        None,
        "PATH_NOT_FOUND",
        "/v1/models/a/versions/b:prune",
    ),
    ("GET", "/v1/treesx", None, "PATH_NOT_FOUND", "/v1/treesx"),
    ("GET", "/v1/trees:prune", None, "PATH_NOT_FOUND", "/v1/trees:prune"),
    ("GET", "/v1/between/end", None, "PATH_NOT_FOUND", "/v1/between/end"),
    ("POST", "/v1/trees/a", {}, "METHOD_NOT_ALLOWED", "POST"),
    ("POST", "/v1/body/many", {"aBool": True}, "WRONG_TYPE", "many"),
    ("POST", "/v1/body/many", [{}, {"bogus": 1}], "UNKNOWN_FIELD", "many[1].bogus"),
    ("POST", "/v1/body/int32s", ["x"], "WRONG_TYPE", "int32s"),
    ("POST", "/v1/body/text/7", b"7", "WRONG_TYPE", "a_string"),
    ("POST", "/v1/body/text/7", b'"\xff"', "INVALID_UTF8", "a_string"),
    ("POST", "/v1/body/text/7?inner.anInt32=1", b'""', "DUPLICATE_FIELD", "inner.an_int32"),
    ("POST", "/v1/body/map", b'{"a":"b","a":"c"}', "DUPLICATE_FIELD", "string_map.a"),
    ("POST", "/v1/body/number", b'"x"', "WRONG_TYPE", "int64_value"),
    ("POST", "/v1/body/inner/inner", {"bogus": 1}, "UNKNOWN_FIELD", "inner.inner.bogus"),
    ("POST", "/v1/root/struct", b'{"a":1,"a":2}', "DUPLICATE_FIELD", "a"),
    ("POST", "/v1/root/struct", [], "WRONG_TYPE", ""),
    ("POST", "/v1/root/time", {"seconds": 5}, "WRONG_TYPE", ""),
    ("GET", "/v1/root/time?seconds=5", None, "UNKNOWN_FIELD", "seconds"),
    ("POST", "/v1/root/empty", {"a": 1}, "UNKNOWN_FIELD", "a"),
    ("POST", "/v1/stream", [{}, {"bogus": 1}], "UNKNOWN_FIELD", "[1].bogus"),
    ("POST", "/v1/stream", {}, "WRONG_TYPE", ""),
]


@pytest.mark.parametrize(("method", "path", "body", "fields"), ARRIVES)
def test_a_request_arrives(
    kinds_gateway: KindsGateway, method: str, path: str, body: Any, fields: dict[str, Any]
) -> None:
    assert kinds_gateway.received(method, path, body) == All(**fields)


@pytest.mark.parametrize(("method", "path", "body", "reason", "place"), REFUSED)
def test_a_request_is_refused(
    kinds_gateway: KindsGateway, method: str, path: str, body: Any, reason: str, place: str
) -> None:
    refusal = kinds_gateway.refusal(method, path, body)
    metadata = refusal["metadata"]
    first = metadata.get("field", metadata.get("path", metadata.get("method")))
    assert (refusal["reason"], first) == (reason, place)


def test_a_path_names_all_of_its_methods(kinds_gateway: KindsGateway) -> None:
    answer = kinds_gateway.request("DELETE", "/v1/all")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, REPORT")


def test_a_stream_of_requests_is_an_array(kinds_gateway: KindsGateway) -> None:
    answer = kinds_gateway.request("POST", "/v1/stream", [{"anInt32": 1}, {"anInt32": 2}])
    messages = [All.FromString(base64.b64decode(m)) for m in answer.json["messages"]]
    assert messages == [All(an_int32=1), All(an_int32=2)]


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("struct", {"a": 1}, Struct(fields={"a": {"number_value": 1}})),
        ("time", b'"2026-01-01T00:00:00Z"', Timestamp(seconds=1767225600)),
        ("empty", {}, Empty()),
    ],
)
def test_a_whole_request_may_be_a_well_known_type(
    kinds_gateway: KindsGateway, name: str, body: Any, message: Any
) -> None:
    answer = kinds_gateway.request("POST", f"/v1/root/{name}", body)
    [received] = answer.json["messages"]
    assert type(message).FromString(base64.b64decode(received)) == message


def test_an_http_body_is_any_bytes(kinds_gateway: KindsGateway) -> None:
    answer = kinds_gateway.request("POST", "/v1/raw", b"\xff{", content_type="image/png")
    [message] = answer.json["messages"]
    assert base64.b64decode(message) == b"\n\timage/png\x12\x02\xff{"


@pytest.mark.parametrize(
    ("part", "body", "answer"),
    [
        ("inner", {"inner": {"aString": 'a "{[,:\\', "many": [{}]}}, None),
        ("inner", {}, {}),
        ("texts", {"strings": ["a", 'b],"number":{', ""]}, ["a", 'b],"number":{', ""]),
        ("texts", {}, []),
        ("number", {"number": 5}, "5"),
        ("number", {}, None),
    ],
)
def test_the_answer_is_the_part_that_the_rule_names(
    kinds_gateway: KindsGateway, part: str, body: dict[str, Any], answer: Any
) -> None:
    given = kinds_gateway.request("POST", f"/v1/part/{part}", body).json
    if part == "inner" and body:
        assert given["aString"] == body["inner"]["aString"]
        assert len(given["many"]) == 1
    else:
        assert given == answer
    whole = kinds_gateway.request("POST", "/v1/part/all", body).json
    assert whole.get(part) == (given if part != "inner" or body else None)


def test_a_stream_of_answers_is_cut_as_well(kinds_gateway: KindsGateway) -> None:
    answer = kinds_gateway.request("POST", "/v1/part/stream", {"strings": ["a", "b\n\n"]})
    events = answer.body.decode().removesuffix("\n\n").split("\n\n")
    assert [event[:6] for event in events] == ["data: ", "data: "]
    assert [json.loads(event[6:])["aString"] for event in events] == ["a", "b\n\n"]
