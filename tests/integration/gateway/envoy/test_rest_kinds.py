"""A REST request with a field of every type of proto3, and with every fault that one can have."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf.json_format import Parse

from tests.integration.gateway.envoy import kinds
from tests.integration.gateway.envoy.kinds_gateway import KindsGateway

ANY = "type.googleapis.com"
ACCEPTED: list[dict[str, Any]] = [
    {"aDouble": -1.5e-300},
    {"aDouble": "-Infinity"},
    {"aDouble": 123456789012345678901234567890},
    {"aFloat": "NaN"},
    {"aFloat": 16777217},
    {"anInt32": -(2**31)},
    {"anInt32": "7"},
    {"anInt32": 1e2},
    {"anInt64": "-9223372036854775808"},
    {"anInt64": -(2**63)},
    {"anInt64": 9007199254740993},
    {"aUint32": 2**32 - 1},
    {"aUint64": "18446744073709551615"},
    {"aSint32": -1, "aSint64": "-1", "aFixed32": 1, "aFixed64": 1, "aSfixed32": -1},
    {"a_sfixed64": -5},
    {"aBool": True},
    {"aString": "\u0000 é 你好 😀"},
    {"someBytes": "_-8"},
    {"someBytes": "/+8="},
    {"aColor": "COLOR_NEGATIVE"},
    {"aColor": 7},
    {"maybeInt32": 0, "maybeString": ""},
    {"inner": {"inner": {"many": [{"aString": "a"}, {}]}}},
    {"otherName": "a"},
    {"renamed": "a"},
    {"doubleValue": 0, "int64Value": "0", "boolValue": False, "stringValue": "", "bytesValue": ""},
    {"floatValue": 1.5, "uint64Value": 5, "int32Value": "-5", "uint32Value": 5},
    {"mask": "aB,c.dE"},
    {"mask": ""},
    {"aStruct": {"a": [1, None, {"b": True}], "b" * 500: "", "": {}}},
    {"aValue": None},
    {"aValue": [[], {}, "x", 1e300]},
    {"aList": [None, [1], {"a": None}]},
    {"empty": {}},
    {"time": "0001-01-01T00:00:00Z"},
    {"time": "9999-12-31T23:59:59.999999999Z"},
    {"time": "2000-02-29T00:00:00-23:59"},
    {"delay": "-315576000000.999999999s"},
    {"aNull": None, "nothing": None},
    {"text": None, "number": "5"},
    {"paint": "COLOR_RED"},
    {"message": {"message": {"text": ""}}},
    {"int32s": [1, "2", -3], "strings": ["", "a"], "byteses": ["YQ=="], "colors": [1, "COLOR_RED"]},
    {
        "times": ["2026-01-01T00:00:00Z"],
        "int64Values": ["1", 2],
        "values": [None, [1]],
        "masks": ["a"],
    },
    {"stringMap": {"": "", "a" * 200 + "1": "x", "a" * 200 + "2": "y"}},
    {"int32Map": {"-1": {"aBool": True}}, "boolMap": {"true": 1, "false": "2"}},
    {"uint64Map": {"18446744073709551615": "COLOR_BLUE"}, "sint32Map": {"1": "NaN"}},
    {"fixed64Map": {"1": "1s"}, "valueMap": {"a": None}, "uint32Map": {"0": "YQ"}},
    {"anAny": {}},
    {"anAny": {"@type": f"{ANY}/kinds.v1.All", "anInt32": 1, "inner": {}}},
    {"anAny": {"anInt32": 1, "many": [{}], "@type": f"{ANY}/kinds.v1.All"}},
    {"anAny": {"value": "aB", "@type": f"{ANY}/google.protobuf.FieldMask"}},
    {"anAny": {"@type": f"{ANY}/google.protobuf.Value", "value": [1, {}]}},
    {"anAny": {"@type": f"{ANY}/google.protobuf.Any", "value": {"@type": f"{ANY}/kinds.v1.Parts"}}},
    {"anAny": {"@type": f"{ANY}/google.protobuf.Empty"}},
    dict.fromkeys(["aString", "aBool", "time", "int32s", "stringMap", "inner", "anAny", "mask"]),
]
REFUSED: list[tuple[Any, str, str]] = [
    # body, reason, field
    ({"aString": 1}, "WRONG_TYPE", "a_string"),
    ({"aString": {}}, "WRONG_TYPE", "a_string"),
    ({"aString": ["a"]}, "WRONG_TYPE", "a_string"),
    ({"aBool": "true"}, "WRONG_TYPE", "a_bool"),
    ({"aBool": 1}, "WRONG_TYPE", "a_bool"),
    ({"boolValue": "false"}, "WRONG_TYPE", "bool_value"),
    ({"anInt32": 2**31}, "WRONG_TYPE", "an_int32"),
    ({"anInt32": 1.5}, "WRONG_TYPE", "an_int32"),
    ({"anInt32": "x"}, "WRONG_TYPE", "an_int32"),
    ({"anInt32": ""}, "WRONG_TYPE", "an_int32"),
    ({"anInt32": " 1"}, "WRONG_TYPE", "an_int32"),
    ({"anInt32": "0x10"}, "WRONG_TYPE", "an_int32"),
    ({"aUint32": -1}, "WRONG_TYPE", "a_uint32"),
    ({"anInt64": 1e19}, "WRONG_TYPE", "an_int64"),
    ({"anInt64": -(2**63) - 1}, "WRONG_TYPE", "an_int64"),
    ({"aSfixed64": -(2**63) - 1000}, "WRONG_TYPE", "a_sfixed64"),
    ({"int64Value": "9223372036854775808"}, "WRONG_TYPE", "int64_value"),
    ({"aUint64": 2**64}, "WRONG_TYPE", "a_uint64"),
    ({"aDouble": "one"}, "WRONG_TYPE", "a_double"),
    ({"aDouble": "0x10"}, "WRONG_TYPE", "a_double"),
    ({"aDouble": True}, "WRONG_TYPE", "a_double"),
    ({"aFloat": 1e39}, "WRONG_TYPE", "a_float"),
    ({"floatValue": "0X1"}, "WRONG_TYPE", "float_value"),
    ({"someBytes": "*"}, "WRONG_TYPE", "some_bytes"),
    ({"someBytes": "Y Q="}, "WRONG_TYPE", "some_bytes"),
    ({"bytesValue": "a\nb"}, "WRONG_TYPE", "bytes_value"),
    ({"aColor": "RED"}, "WRONG_TYPE", "a_color"),
    ({"aColor": "color_red"}, "WRONG_TYPE", "a_color"),
    ({"aColor": 2**31}, "WRONG_TYPE", "a_color"),
    ({"delay": "1"}, "WRONG_TYPE", "delay"),
    ({"delay": 1}, "WRONG_TYPE", "delay"),
    ({"delay": {"seconds": 1}}, "WRONG_TYPE", "delay"),
    ({"delay": {}}, "WRONG_TYPE", "delay"),
    ({"time": "1900-02-29T00:00:00Z"}, "WRONG_TYPE", "time"),
    ({"time": "2026-01-01T00:00:60Z"}, "WRONG_TYPE", "time"),
    ({"time": "2026-01-01T00:00:00+24:00"}, "WRONG_TYPE", "time"),
    ({"time": 0}, "WRONG_TYPE", "time"),
    ({"mask": "a_b"}, "WRONG_TYPE", "mask"),
    ({"mask": "A"}, "WRONG_TYPE", "mask"),
    ({"mask": "a,"}, "WRONG_TYPE", "mask"),
    ({"mask": "a(b,c)"}, "WRONG_TYPE", "mask"),
    ({"mask": {"paths": []}}, "WRONG_TYPE", "mask"),
    ({"aStruct": []}, "WRONG_TYPE", "a_struct"),
    ({"aList": {}}, "WRONG_TYPE", "a_list"),
    ({"aNull": "x"}, "WRONG_TYPE", "a_null"),
    ({"empty": {"a": 1}}, "UNKNOWN_FIELD", "empty.a"),
    ({"int64Value": {"value": 1}}, "WRONG_TYPE", "int64_value"),
    ({"inner": "a"}, "WRONG_TYPE", "inner"),
    ({"inner": []}, "WRONG_TYPE", "inner"),
    ({"inner": {"inner": {"bogus": 1}}}, "UNKNOWN_FIELD", "inner.inner.bogus"),
    ({"int32s": 1}, "WRONG_TYPE", "int32s"),
    ({"int32s": [1, "x"]}, "WRONG_TYPE", "int32s"),
    ({"int32s": [[1]]}, "WRONG_TYPE", "int32s[0]"),
    ({"int32s": [1, None]}, "WRONG_TYPE", "int32s[1]"),
    ({"many": [{}, {"inner": {"anInt32": {}}}]}, "WRONG_TYPE", "many[1].inner.an_int32"),
    ({"many": [{}, {"inner": {"anInt32": "x"}}]}, "WRONG_TYPE", "many[1].inner.an_int32"),
    ({"many": [{}, {"int64Values": ["1", "x"]}]}, "WRONG_TYPE", "many[1].int64_values"),
    ({"stringMap": []}, "WRONG_TYPE", "string_map"),
    ({"stringMap": {"a": {}}}, "WRONG_TYPE", "string_map.a"),
    ({"stringMap": {"a": None}}, "WRONG_TYPE", "string_map.a"),
    ({"stringMap": {"a": 1}}, "WRONG_TYPE", "string_map"),
    ({"int32Map": {"x": {}}}, "WRONG_TYPE", "int32_map"),
    ({"int32Map": {"1": {"bogus": 1}}}, "UNKNOWN_FIELD", "int32_map.1.bogus"),
    ({"boolMap": {"True": 1}}, "WRONG_TYPE", "bool_map.True"),
    ({"sfixed32Map": {"1": "true"}}, "WRONG_TYPE", "sfixed32_map.1"),
    ({"text": "a", "number": 1}, "DUPLICATE_FIELD", "number"),
    ({"inner": {"message": {}, "text": "a"}}, "DUPLICATE_FIELD", "inner.text"),
    ({"other_name": "a"}, "UNKNOWN_FIELD", "other_name"),
    ({"@type": "a"}, "UNKNOWN_FIELD", "@type"),
    ({"anAny": {"anInt32": 1}}, "WRONG_TYPE", "an_any"),
    ({"anAny": {"@type": f"{ANY}/kinds.v1.Nothing"}}, "WRONG_TYPE", "an_any"),
    ({"anAny": {"@type": 1}}, "WRONG_TYPE", "an_any"),
    ({"anAny": {"bogus": 1, "@type": f"{ANY}/kinds.v1.All"}}, "UNKNOWN_FIELD", "an_any.bogus"),
    (
        {"anAny": {"@type": f"{ANY}/google.protobuf.BoolValue", "value": "true"}},
        *("WRONG_TYPE", "an_any.value"),
    ),
    (b'{"aStruct":{"a":1,"b":{"c":1,"\\u0063":2}}}', "DUPLICATE_FIELD", "a_struct.b.c"),
    (b'{"aValue":{"a":1,"a":1}}', "DUPLICATE_FIELD", "a_value.a"),
    (b'{"stringMap":{"a":"1","a":"2"}}', "DUPLICATE_FIELD", "string_map.a"),
    (b'{"otherName":"a","renamed":"b"}', "DUPLICATE_FIELD", "renamed"),
    (b'{"anAny":{"@type":"x","@type":"x"}}', "DUPLICATE_FIELD", "an_any.@type"),
    (b'{"aValue":1e400}', "WRONG_TYPE", "a_value"),
    (b'{"aDouble":1' + b"0" * 309 + b"}", "WRONG_TYPE", "a_double"),
    (b'{"aStruct":{"\xff":1}}', "INVALID_UTF8", "a_struct"),
    (b'{"aValue":["\\ud800"]}', "INVALID_UTF8", "a_value[0]"),
]
# What Python's json_format takes and Protobuf JSON, or Envoy, does not.
BEYOND: list[tuple[dict[str, Any], str]] = [
    ({"aDouble": False}, "a_double"),
    ({"aDouble": " 1"}, "a_double"),
    ({"aDouble": "inf"}, "a_double"),
    ({"aFloat": "1e39"}, "a_float"),
    ({"anInt32": "1.0"}, "an_int32"),
    ({"anInt32": "1_0"}, "an_int32"),
    ({"aUint32": "-0"}, "a_uint32"),
    ({"someBytes": "YQ="}, "some_bytes"),
    ({"someBytes": "a,b*"}, "some_bytes"),
    ({"aColor": 1.5}, "a_color"),
    ({"aColor": "7"}, "a_color"),
    ({"inner": ""}, "inner"),
    ({"time": "2026-01-01T00:00:00+24:00"}, "time"),
    ({"delay": "1.0000000001s"}, "delay"),
    ({"mask": "aB, c"}, "mask"),
    ({"anAny": {"@type": "kinds.v1.Parts"}}, "an_any"),
]
QUERIES = [
    # query, the same as JSON
    ("a_bool=true&aDouble=1e3&aColor=5&anInt64=-1&delay=1s", None),
    (
        "inner.inner.otherName=x&inner.an_int32=5",
        {"inner": {"anInt32": 5, "inner": {"renamed": "x"}}},
    ),
    ("int32s=1&int32s=2&strings=&strings=a", {"int32s": [1, 2], "strings": ["", "a"]}),
    (f"time={quote('2026-01-01T00:00:00+01:00')}", {"time": "2026-01-01T00:00:00+01:00"}),
    ("mask=a,bC.d&int64Value=7&boolValue=false&bytesValue=YQ", None),
    (
        "aString=a%26b+c%2B&maybeString=&text=%C3%A9",
        {"aString": "a&b c+", "maybeString": "", "text": "é"},
    ),
    ("a%5Fstring=x&&aNull=NULL_VALUE&", {"aString": "x"}),
    ("aString", {}),
]
BAD_QUERIES = [
    # query, reason, field
    ("aBool=1", "WRONG_TYPE", "a_bool"),
    ("aBool=True", "WRONG_TYPE", "a_bool"),
    ("aBool", "WRONG_TYPE", "a_bool"),
    ("strings", "WRONG_TYPE", "strings"),
    ("anInt32=x", "WRONG_TYPE", "an_int32"),
    ("inner.anInt32=x", "WRONG_TYPE", "inner.an_int32"),
    ("int32s=1&int32s=x", "WRONG_TYPE", "int32s"),
    ("doubleValue=0x10", "WRONG_TYPE", "double_value"),
    ("time=2026-01-01T00:00:60Z", "WRONG_TYPE", "time"),
    ("mask=a_b", "WRONG_TYPE", "mask"),
    ("inner=1", "WRONG_TYPE", "inner"),
    ("stringMap=1", "WRONG_TYPE", "string_map"),
    ("aStruct=1", "WRONG_TYPE", "a_struct"),
    ("anAny=1", "WRONG_TYPE", "an_any"),
    ("many=1", "WRONG_TYPE", "many"),
    ("many.aBool=true", "UNKNOWN_FIELD", "many.aBool"),
    ("stringMap.a=b", "UNKNOWN_FIELD", "stringMap.a"),
    ("time.seconds=1", "UNKNOWN_FIELD", "time.seconds"),
    ("anAny.value=1", "UNKNOWN_FIELD", "anAny.value"),
    ("inner..aBool=true", "UNKNOWN_FIELD", "inner..aBool"),
    ("aBool.x=true", "UNKNOWN_FIELD", "aBool.x"),
    (".aBool=true", "UNKNOWN_FIELD", ".aBool"),
    ("=x", "UNKNOWN_FIELD", ""),
    ("inner.aBool=true&inner.a_bool=true", "DUPLICATE_FIELD", "inner.a_bool"),
    ("text=a&number=1", "DUPLICATE_FIELD", "number"),
    ("inner.aString=%FF", "INVALID_UTF8", "inner.a_string"),
    ("strings=a&strings=%C0%AF", "INVALID_UTF8", "strings"),
]


def parsed(document: str) -> Any:
    return Parse(document, kinds.message("All")(), descriptor_pool=kinds.pool())


@pytest.mark.parametrize("body", ACCEPTED, ids=str)
def test_what_protobuf_reads_arrives(kinds_gateway: KindsGateway, body: dict[str, Any]) -> None:
    document = json.dumps(body, ensure_ascii=False)
    received = kinds_gateway.received("POST", "/v1/all", document.encode())
    # NaN is not equal to itself, its bytes are.
    assert kinds.canonical(received) == kinds.canonical(parsed(document))


@pytest.mark.parametrize(("body", "reason", "field"), REFUSED, ids=str)
def test_a_fault_is_refused_by_its_field(
    kinds_gateway: KindsGateway, body: Any, reason: str, field: str
) -> None:
    refusal = kinds_gateway.refusal("POST", "/v1/all", body)
    assert (refusal["reason"], refusal["metadata"]["field"]) == (reason, field)
    assert bool(refusal["metadata"].get("expected")) == (reason == "WRONG_TYPE")


@pytest.mark.parametrize(("body", "field"), BEYOND, ids=str)
def test_what_only_python_takes_is_refused(
    kinds_gateway: KindsGateway, body: dict[str, Any], field: str
) -> None:
    assert parsed(json.dumps(body)) is not None
    refusal = kinds_gateway.refusal("POST", "/v1/all", body)
    assert (refusal["reason"], refusal["metadata"]["field"]) == ("WRONG_TYPE", field)


def test_a_refusal_does_not_tell_the_value(kinds_gateway: KindsGateway) -> None:
    told = "for type told: invalid value "
    for body in ({"anInt32": told}, {"someBytes": told * 2000}, {"time": told}):
        answer = kinds_gateway.request("POST", "/v1/all", body)
        assert (answer.status, answer.reason) == (400, "WRONG_TYPE")
        assert b"told" not in answer.body
        assert len(answer.body) == int(answer.headers["content-length"])


@pytest.mark.parametrize("name", ["inner", "aStruct", "aValue"])
def test_the_depth_has_the_bound_of_protobuf(kinds_gateway: KindsGateway, name: str) -> None:
    # A Struct's messages are three for each object of JSON.
    deep = 99 if name == "inner" else 30
    document = '{"%s":' * deep % ((name,) + (name,) * (deep - 1)) + "{}" + "}" * deep
    assert kinds_gateway.received("POST", "/v1/all", document.encode()) == parsed(document)
    document = f'{{"{name}":' * 100 + "{}" + "}" * 100
    assert kinds_gateway.refusal("POST", "/v1/all", document.encode())["reason"] == "MALFORMED_JSON"


def test_any_in_any_is_read_in_one_time(kinds_gateway: KindsGateway) -> None:
    """The type may stand last at every level: to read each level again would double it."""
    document = '{"aString":"x","@type":"T"}'
    for _ in range(40):
        document = f'{{"anAny":{document},"@type":"T"}}'
    document = f'{{"anAny":{document}}}'.replace('"T"', f'"{ANY}/kinds.v1.All"')
    assert kinds_gateway.received("POST", "/v1/all", document.encode()) == parsed(document)


@pytest.mark.parametrize(("query", "same"), QUERIES)
def test_a_query_gives_fields(
    kinds_gateway: KindsGateway, query: str, same: dict[str, Any] | None
) -> None:
    if same is None:
        pairs = [pair.split("=") for pair in query.split("&")]
        same = {name: {"true": True, "false": False}.get(text, text) for name, text in pairs}
        same = {name: int(text) if name == "aColor" else text for name, text in same.items()}
    assert kinds_gateway.received("GET", f"/v1/all?{query}") == parsed(json.dumps(same))


@pytest.mark.parametrize(("query", "reason", "field"), BAD_QUERIES)
def test_a_query_is_refused_by_its_field(
    kinds_gateway: KindsGateway, query: str, reason: str, field: str
) -> None:
    refusal = kinds_gateway.refusal("GET", f"/v1/all?{query}")
    assert (refusal["reason"], refusal["metadata"]["field"]) == (reason, field)
