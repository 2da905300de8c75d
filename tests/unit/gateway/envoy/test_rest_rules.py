"""The rules of the REST front filter, as they come out of the contract."""

import re
from typing import Any

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from gateway.envoy.descriptors import load_descriptors
from gateway.envoy.rest_rules import rest_rules


def one_rpc(*rules: http_pb2.HttpRule) -> FileDescriptorSet:
    """A contract with an rpc for each rule; their messages have two strings, one of them a list."""
    files = FileDescriptorSet()
    file = files.file.add(name="a.proto", package="a", syntax="proto3")
    message = file.message_type.add(name="M")
    for number, name in enumerate(("x", "many"), start=1):
        label = FieldDescriptorProto.LABEL_REPEATED if name == "many" else None
        text = FieldDescriptorProto.TYPE_STRING
        message.field.add(name=name, json_name=name, number=number, type=text, label=label)
    service = file.service.add(name="S")
    for number, rule in enumerate(rules):
        method = service.method.add(name=f"R{number}", input_type=".a.M", output_type=".a.M")
        method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    return files


def rules_of(files: FileDescriptorSet) -> dict[str, Any]:
    return rest_rules(files, {}, max_body_bytes=1)


def test_what_is_mounted_has_no_other_methods() -> None:
    rules = rest_rules(one_rpc(), {"/v2/x": ("GET", "HEAD")}, max_body_bytes=1)
    assert rules["routes"] == [{"pattern": "^/v2/x/[^:]*$", "methods": {}, "allow": "GET, HEAD"}]


def test_every_binding_of_the_contract_is_a_route() -> None:
    routes = rules_of(load_descriptors())["routes"]
    assert {(route["pattern"], route["allow"]) for route in routes} == {
        ("^/v1/models/[^/:]+:predict/$", "POST"),
        ("^/v1/models/[^/:]+:batchPredict/$", "POST"),
        ("^/v1/models/[^/:]+/predictions/$", "POST"),
        ("^/v1/predictions/[^/:]+/$", "DELETE, GET"),
        ("^/v1/predictions/$", "GET"),
        ("^/v1/predictions/[^/:]+:wait/$", "GET"),
        ("^/v1/predictions/[^/:]+:watch/$", "GET"),
        ("^/v1/predictions/[^/:]+:cancel/$", "POST"),
        ("^/v1/models/$", "GET"),
        ("^/v1/models/[^/:]+/$", "GET"),
        ("^/v1/models/[^/:]+:setTraffic/$", "POST"),
        ("^/v1/models/[^/:]+/releases/$", "GET, POST"),
        ("^/v1/releases/[^/:]+/$", "GET"),
        ("^/v1/releases/[^/:]+:pause/$", "POST"),
        ("^/v1/releases/[^/:]+:resume/$", "POST"),
        ("^/v1/releases/[^/:]+:cancel/$", "POST"),
        ("^/v1/models/[^/:]+/qualityMetrics/$", "GET"),
        ("^/v1/models/[^/:]+/references/$", "GET"),
        ("^/v1/models/[^/:]+/versions/[^/:]+/reference/$", "GET"),
        ("^/v1/predictions/[^/:]+/labels/$", "POST"),
        ("^/v1/labels:batchAttach/$", "POST"),
        ("^/v1/labels/[^/:]+/$", "DELETE"),
        ("^/v1/labels/$", "GET"),
        ("^/v1/models/[^/:]+:listUnlabeled/$", "GET"),
    }


def test_a_binding_says_what_path_and_body_give_and_what_the_answer_is() -> None:
    rules = rules_of(load_descriptors())
    [route] = [route for route in rules["routes"] if ":predict/" in route["pattern"]]
    predict = rules["bindings"][route["methods"]["POST"] - 1]
    assert predict["message"] == "predict.v1.PredictRequest"
    assert [variable["path"] for variable in predict["variables"]] == ["model"]
    assert predict["root"]["field"]["message"] == "predict.v1.PredictRequest"
    assert predict["root"]["taken"] == {"model": True}
    assert predict["response"]["name"] == '"prediction":'
    assert "query" not in predict


def test_a_message_has_its_fields_by_both_names() -> None:
    messages = rules_of(load_descriptors())["messages"]
    request = messages["predict.v1.CreatePredictionRequest"]
    assert request["requestId"] == request["request_id"]
    assert request["requestId"]["name"] == "request_id"
    entries = messages["predict.v1.BatchPredictRequest"]["entries"]
    assert entries["each"]["message"] == "predict.v1.BatchPredictEntry"
    entry = {"text", "request_id", "requestId", "tags"}
    assert set(messages["predict.v1.BatchPredictEntry"]) == entry


def test_only_messages_that_requests_consist_of_are_known() -> None:
    rules = rules_of(load_descriptors())
    assert "predict.v1.PredictResponse" not in rules["messages"]
    assert rules["types"] == {}


def test_methods_of_one_path_share_a_route() -> None:
    additional = http_pb2.HttpRule(custom=http_pb2.CustomHttpPattern(kind="REPORT", path="/v1/{x}"))
    rule = http_pb2.HttpRule(get="/v1/{x}", additional_bindings=[additional])
    rules = rules_of(one_rpc(rule, http_pb2.HttpRule(post="/v1/{x}", body="*")))
    [route] = rules["routes"]
    assert route["allow"] == "GET, POST, REPORT"
    assert route["methods"] == {"GET": 1, "REPORT": 2, "POST": 3}


@pytest.mark.parametrize(
    "rule",
    [
        http_pb2.HttpRule(),
        http_pb2.HttpRule(get="/v1/{x"),
        http_pb2.HttpRule(get="/v1/{y}"),
        http_pb2.HttpRule(get="/v1/{x.y}"),
        http_pb2.HttpRule(get="/v1/{many}"),
        http_pb2.HttpRule(get="/v1/{x}/{x}"),
        http_pb2.HttpRule(post="/v1/a", body="y"),
        http_pb2.HttpRule(post="/v1/{x}", body="x"),
        http_pb2.HttpRule(get="/v1/a", response_body="y"),
        http_pb2.HttpRule(get="/v1/a", additional_bindings=[http_pb2.HttpRule(get="/v1/a")]),
        http_pb2.HttpRule(
            get="/v1/a",
            additional_bindings=[
                http_pb2.HttpRule(get="/v1/b", additional_bindings=[http_pb2.HttpRule(get="/v1/c")])
            ],
        ),
    ],
    ids=str,
)
def test_a_rule_that_cannot_be_is_refused_with_its_rpc(rule: http_pb2.HttpRule) -> None:
    with pytest.raises(ValueError, match=re.escape("a.S.R0: ")):
        rules_of(one_rpc(rule))


def test_two_rpcs_that_the_transcoder_takes_for_one_are_refused() -> None:
    """It takes the "/" before the last segment for the ":" of a verb."""
    rules = (http_pb2.HttpRule(get="/v1/{x}:do"), http_pb2.HttpRule(get="/v1/*/do"))
    with pytest.raises(ValueError, match=r"a\.S\.R1: GET"):
        rules_of(one_rpc(*rules))
