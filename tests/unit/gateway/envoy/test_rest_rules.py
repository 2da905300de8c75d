"""The rules of the REST front filter, as they come out of the contract."""

import re

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from gateway.envoy.descriptors import load_descriptors
from gateway.envoy.rest_rules import rest_rules


def one_rpc(rule: http_pb2.HttpRule, **field: object) -> FileDescriptorSet:
    """A contract with one rpc, whose request and response have one field."""
    files = FileDescriptorSet()
    file = files.file.add(name="a.proto", package="a", syntax="proto3")
    shape = {"name": "x", "number": 1, "type": FieldDescriptorProto.TYPE_STRING} | field
    file.message_type.add(name="M").field.add(**shape)
    method = file.service.add(name="S").method.add(name="R", input_type=".a.M", output_type=".a.M")
    method.options.Extensions[annotations_pb2.http].CopyFrom(rule)
    return files


def test_every_binding_of_the_contract_is_a_route() -> None:
    routes = rest_rules(load_descriptors(), max_body_bytes=1)["routes"]
    assert {(route["pattern"], route["allow"]) for route in routes} == {
        ("^/v1/models/([^/:]+):predict$", "POST"),
        ("^/v1/models/([^/:]+):batchPredict$", "POST"),
        ("^/v1/models/([^/:]+)/predictions$", "POST"),
        ("^/v1/predictions/([^/:]+)$", "GET"),
        ("^/v1/predictions$", "GET"),
        ("^/v1/predictions/([^/:]+):wait$", "GET"),
        ("^/v1/predictions/([^/:]+):watch$", "GET"),
        ("^/v1/predictions/([^/:]+):cancel$", "POST"),
        ("^/v1/models$", "GET"),
        ("^/v1/models/([^/:]+)$", "GET"),
        ("^/v1/models/([^/:]+):setTraffic$", "POST"),
        ("^/v1/models/([^/:]+)/releases$", "GET, POST"),
        ("^/v1/releases/([^/:]+)$", "GET"),
        ("^/v1/releases/([^/:]+):pause$", "POST"),
        ("^/v1/releases/([^/:]+):resume$", "POST"),
        ("^/v1/releases/([^/:]+):cancel$", "POST"),
    }


def test_a_binding_names_its_message_its_variables_and_its_answer() -> None:
    routes = rest_rules(load_descriptors(), max_body_bytes=1)["routes"]
    predict = next(route for route in routes if route["pattern"].endswith(":predict$"))
    assert predict["methods"]["POST"] == {
        "message": "predict.v1.PredictRequest",
        "bound": ["model"],
        "body": True,
        "response_body": "prediction",
    }


def test_a_message_has_its_fields_by_both_names() -> None:
    messages = rest_rules(load_descriptors(), max_body_bytes=1)["messages"]
    request = messages["predict.v1.CreatePredictionRequest"]
    assert request["requestId"] == request["request_id"] == {"name": "request_id", "kind": "string"}
    assert request["ttl"] == {"name": "ttl", "kind": "duration"}
    entries = messages["predict.v1.BatchPredictRequest"]["entries"]
    assert entries["each"] == {"kind": "message", "message": "predict.v1.BatchPredictEntry"}
    assert set(messages["predict.v1.BatchPredictEntry"]) == {"text", "request_id", "requestId"}


def test_an_enum_is_known_by_names_and_numbers() -> None:
    messages = rest_rules(load_descriptors(), max_body_bytes=1)["messages"]
    values = messages["predict.v1.ListPredictionsRequest"]["state"]["values"]
    assert values["PREDICTION_STATE_FAILED"]
    assert values["4"]
    assert len(values) == 14


def test_two_methods_of_one_path_share_a_route() -> None:
    files = one_rpc(http_pb2.HttpRule(get="/v1/a"))
    other = files.file[0].service[0].method.add(name="Q", input_type=".a.M", output_type=".a.M")
    other.options.Extensions[annotations_pb2.http].CopyFrom(http_pb2.HttpRule(post="/v1/a"))
    [route] = rest_rules(files, max_body_bytes=1)["routes"]
    assert route["allow"] == "GET, POST"


def test_the_signs_of_a_path_are_literal_in_its_pattern() -> None:
    [route] = rest_rules(one_rpc(http_pb2.HttpRule(get="/v1.0/a-b_c/{x}")), max_body_bytes=1)[
        "routes"
    ]
    assert route["pattern"] == "^/v1%.0/a%-b%_c/([^/:]+)$"


@pytest.mark.parametrize(
    "rule",
    [
        http_pb2.HttpRule(get="/v1/{x=a/*}"),
        http_pb2.HttpRule(get="/v1/*"),
        http_pb2.HttpRule(get="/v1/{x.y}"),
        http_pb2.HttpRule(post="/v1/a", body="x"),
        http_pb2.HttpRule(custom=http_pb2.CustomHttpPattern(kind="HEAD", path="/v1/a")),
        http_pb2.HttpRule(get="/v1/a", additional_bindings=[http_pb2.HttpRule(get="/v1/b")]),
        http_pb2.HttpRule(get="/v1/a", response_body="y"),
    ],
    ids=str,
)
def test_a_binding_that_the_filter_cannot_check_is_refused(rule: http_pb2.HttpRule) -> None:
    with pytest.raises(ValueError, match=re.escape("/v1/")):
        rest_rules(one_rpc(rule), max_body_bytes=1)


def test_a_field_that_the_filter_cannot_check_is_refused() -> None:
    files = one_rpc(http_pb2.HttpRule(get="/v1/a"), type=FieldDescriptorProto.TYPE_BYTES)
    with pytest.raises(ValueError, match=r"a\.M\.x"):
        rest_rules(files, max_body_bytes=1)
