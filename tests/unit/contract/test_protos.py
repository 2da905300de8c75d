"""What a reviewer of the contract looks for, in every message and rpc of it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from predict.v1 import (
    error_traits_pb2,
    feedback_service_pb2,
    label_pb2,
    model_pb2,
    model_service_pb2,
    monitoring_service_pb2,
    prediction_pb2,
    prediction_service_pb2,
    quality_metric_pb2,
)
from predict.v1.error_reason_pb2 import ErrorReason

from contract.reasons import all_reasons, metadata_keys, reason_name, reason_of_rule
from contract.rules import rules_of

METHODS: list[MethodDescriptor] = [
    method
    for file in (
        *(prediction_service_pb2, model_service_pb2),
        *(feedback_service_pb2, monitoring_service_pb2),
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
NEEDS_A_VALUE = {
    *("required", "string.min_bytes", "string.uuid", "repeated.min_items"),
    *("double.gte", "int32.gte"),
}
RESOURCES: list[Any] = [
    prediction_pb2.Prediction.DESCRIPTOR,
    model_pb2.Model.DESCRIPTOR,
    model_pb2.Release.DESCRIPTOR,
    label_pb2.Label.DESCRIPTOR,
    quality_metric_pb2.QualityMetric.DESCRIPTOR,
    quality_metric_pb2.Reference.DESCRIPTOR,
]


def with_nested(message: Descriptor) -> Iterator[Descriptor]:
    yield message
    for field in message.fields:
        nested = field.message_type
        if (
            nested is not None
            and nested.file.package == "predict.v1"
            and not nested.GetOptions().map_entry
        ):
            yield from with_nested(nested)


def fields_of(roots: list[Any]) -> dict[str, FieldDescriptor]:
    messages = {m.full_name: m for root in roots for m in with_nested(root)}
    return {field.full_name: field for m in messages.values() for field in m.fields}


REQUEST_FIELDS = fields_of([method.input_type for method in METHODS])


def rule_names(rules: Message) -> Iterator[str]:
    """Of all that a field's rules can be violated for, as the reasons name them."""
    for option, value in rules.ListFields():
        if option.name == "cel":
            yield from (rule.id for rule in value)
        elif option.message_type is None:
            if option.name != "ignore":
                yield option.name
        else:
            for rule, bound in value.ListFields():
                if rule.name == "items":
                    yield from rule_names(bound)
                else:  # those of a map's keys are one, and those of its values
                    yield f"{option.name}.{rule.name}"


@pytest.mark.parametrize("field", REQUEST_FIELDS.values(), ids=REQUEST_FIELDS)
def test_every_rule_has_a_reason_for_its_violation(field: FieldDescriptor) -> None:
    for rule in rule_names(rules_of(field)):
        reason_of_rule(rule)


def test_no_rule_has_two_reasons() -> None:
    named = [
        rule
        for value in ErrorReason.DESCRIPTOR.values
        for rule in value.GetOptions().Extensions[error_traits_pb2.traits].rules
    ]
    used = {rule for field in REQUEST_FIELDS.values() for rule in rule_names(rules_of(field))}
    assert len(named) == len(set(named))
    assert set(named) <= used


def test_fields_of_the_same_name_have_the_same_rules() -> None:
    by_name = defaultdict(set)
    for name in ("text", "request_id", "page_size", "reason", "actor", "etag", "id"):
        for field in REQUEST_FIELDS.values():
            if field.name == name:
                by_name[name].add(rules_of(field).SerializeToString(deterministic=True))
    assert {name: len(rules) for name, rules in by_name.items()} == dict.fromkeys(by_name, 1)
    for name in ("model", "version"):  # where they may be left out as where they may not
        patterns = {
            rules_of(field).string.pattern
            for field in REQUEST_FIELDS.values()
            if field.name == name
        }
        assert len(patterns) == 1


def test_every_field_of_requests_and_resources_says_how_it_behaves() -> None:
    fields = REQUEST_FIELDS | fields_of(RESOURCES)
    silent = [
        name
        for name, field in fields.items()
        if not field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    ]
    assert silent == []


def test_what_is_required_cannot_be_left_out() -> None:
    lax = [
        name
        for name, field in REQUEST_FIELDS.items()
        if field_behavior_pb2.REQUIRED
        in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        and NEEDS_A_VALUE.isdisjoint(rule_names(rules_of(field)))
        and rules_of(field).ignore != validate_pb2.IGNORE_ALWAYS
    ]
    assert lax == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_rpcs_that_only_read_say_so(method: MethodDescriptor) -> None:
    reads = method.name.startswith(("Get", "List", "Wait", "Watch"))
    level = method.GetOptions().idempotency_level
    assert (level == MethodOptions.NO_SIDE_EFFECTS) is reads


def test_metadata_of_errors_is_named_as_fields_are() -> None:
    for reason in all_reasons():
        always, more = metadata_keys(reason)
        assert not always & more, reason_name(reason)
        assert all(key.isidentifier() and key.islower() for key in always | more)
