"""What passes without protovalidate: never what it would refuse, and what most clients send."""

import random
from typing import Any

import protovalidate
import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb

from gateway.plain_rules import plain_check

JUDGE = protovalidate.Validator()
UUID = "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506"
STRINGS = [
    *("", "a", "sentiment", "a-1", "A", "1", "-", "a" * 63, "a" * 64, "sentiment\n", "\nsentiment"),
    *(UUID, UUID.upper(), f"{UUID}\n", f"{{{UUID}}}", UUID.replace("-", ""), UUID[:-1]),
    *("0", "007", "3", "9" * 18, "9" * 19, "3\n", "\u0663", "one text", "a\0b", "\0", " ", "\t\n"),
    *("\u2003\u3000", "\u200b", "\x85", "x" * 65_536, "x" * 65_537, "é" * 32_768, "é" * 32_769),
]
NUMBERS = [0, 1, -1, 2, 3, 99, 1001, 2**31 - 1, -(2**31)]
KINDS = [
    GetMessageClass(method.input_type)
    for file in (pb, models)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def check_of(kind: type[Message]) -> Any:
    empty = JUDGE.collect_violations(kind())
    needed = {violation.proto.field.elements[0].field_name for violation in empty}  # type: ignore[union-attr]
    return plain_check(kind.DESCRIPTOR, needed=needed)


def is_refused(message: Message) -> bool:
    return bool(JUDGE.collect_violations(message, fail_fast=True))


def filled(message: Message, rng: random.Random, odds: float) -> Message:
    """With random values in about so many of its fields."""
    for field in message.DESCRIPTOR.fields:
        if rng.random() > odds:
            continue
        if field.message_type is not None:
            if field.message_type.GetOptions().map_entry:
                getattr(message, field.name)[rng.choice(STRINGS)] = rng.choice(STRINGS)
            elif field.is_repeated:
                filled(getattr(message, field.name).add(), rng, odds)
            else:
                filled(getattr(message, field.name), rng, odds).SetInParent()
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            setattr(message, field.name, rng.choice(STRINGS))
        elif field.is_repeated:
            getattr(message, field.name).append(rng.choice(NUMBERS))
        else:
            setattr(message, field.name, rng.choice(NUMBERS))
    return message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_nothing_passes_that_would_be_refused(kind: type[Message]) -> None:
    is_plain, rng = check_of(kind), random.Random(kind.DESCRIPTOR.name)  # noqa: S311
    for _ in range(3000):
        message = filled(kind(), rng, rng.choice([0.3, 0.6, 1.0]))
        assert not (is_plain(message) and is_refused(message)), message


PREDICT = {"model": "sentiment", "text": "one text"}


@pytest.mark.parametrize("field", ["model", "text", "request_id", "version"])
@pytest.mark.parametrize("value", STRINGS, ids=lambda value: repr(value[:40]))
def test_of_predict_all_passes_that_is_good(field: str, value: str) -> None:
    message = pb.PredictRequest(**{**PREDICT, field: value})
    assert check_of(pb.PredictRequest)(message) is not is_refused(message)


@pytest.mark.parametrize(
    "message",
    [
        pb.PredictRequest(**PREDICT, request_id=UUID, version="3", view=1),
        pb.CreatePredictionRequest(**PREDICT, request_id=UUID, version="3"),
        pb.GetPredictionRequest(id=UUID),
        pb.WaitPredictionRequest(id=UUID),
        pb.WatchPredictionRequest(id=UUID),
        models.GetModelRequest(model="sentiment"),
        models.ListModelsRequest(),
    ],
    ids=lambda message: message.DESCRIPTOR.name,
)
def test_what_most_clients_send_passes(message: Message) -> None:
    assert check_of(type(message))(message)


def kind_of(
    name: str,
    rules: validate_pb2.FieldRules,
    *,
    optional: bool = False,
    repeated: bool = False,
    nested: bool = False,
    message: validate_pb2.MessageRules | None = None,
) -> type[Message]:
    """A message whose `field`, a string or the same message, has these rules."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="test", syntax="proto3")
    made = file.message_type.add(name=name)
    field = made.field.add(name="field", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    field.options.Extensions[validate_pb2.field].CopyFrom(rules)
    if nested:
        field.type, field.type_name = field.TYPE_MESSAGE, f".test.{name}"
    if repeated:
        field.label = field.LABEL_REPEATED
    if optional:
        field.proto3_optional, field.oneof_index = True, 0
        made.oneof_decl.add(name="_field")
    if message is not None:
        made.options.Extensions[validate_pb2.message].CopyFrom(message)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"test.{name}"))


def string(**rules: Any) -> validate_pb2.FieldRules:
    return validate_pb2.FieldRules(string=validate_pb2.StringRules(**rules))


def another(characters: str) -> validate_pb2.FieldRules:
    expression = f"this == '' || this.matches(r'{characters}')"
    rule = validate_pb2.Rule(id="x", message="is bad", expression=expression)
    return validate_pb2.FieldRules(cel=[rule])


OTHER_RULES = {
    "const": string(const="a"),
    "length": string(min_len=2),
    "bytes": string(min_bytes=2),
    "either": string(pattern="^a|b$"),
    "any": string(pattern="^a.c$"),
    "part": string(pattern="a"),
    "digit": string(pattern=r"^\d$"),
    "literal": string(pattern="^[a-z]{,3}$"),
    "spaces": another(r"[^\S]"),
    "digits": another(r"[^\D]"),
    "wide": another(r"[^\x{1F600}]"),
    "property": another(r"[^\p{Z}]"),
    "known": string(email=True),
    "ignored": validate_pb2.FieldRules(
        ignore=validate_pb2.IGNORE_ALWAYS, string=validate_pb2.StringRules(const="a")
    ),
    "cel": validate_pb2.FieldRules(
        cel=[validate_pb2.Rule(id="x", message="is bad", expression="this.matches(r'[^a]')")]
    ),
}


@pytest.mark.parametrize("name", OTHER_RULES)
def test_what_has_other_rules_is_for_protovalidate(name: str) -> None:
    kind = kind_of(name, OTHER_RULES[name])
    assert not any(check_of(kind)(kind(field=value)) for value in STRINGS if value)


def test_so_is_what_has_rules_of_the_whole_message() -> None:
    rule = validate_pb2.Rule(id="x", message="is bad", expression="this.field != 'a'")
    kind = kind_of("Whole", string(max_bytes=9), message=validate_pb2.MessageRules(cel=[rule]))
    assert not check_of(kind)(kind(field="a"))
    assert not check_of(kind)(kind(field="b"))


def test_so_is_what_may_be_set_and_empty() -> None:
    kind = kind_of("Optional", string(max_bytes=9), optional=True)
    assert check_of(kind)(kind())
    assert not check_of(kind)(kind(field=""))
    assert not check_of(kind)(kind(field="a"))


@pytest.mark.parametrize("nested", [True, False])
def test_so_is_what_must_be_set(nested: bool) -> None:
    rules = validate_pb2.FieldRules(required=True)
    kind = kind_of(f"Needed{nested}", rules, optional=not nested, nested=nested)
    assert is_refused(kind())
    assert not check_of(kind)(kind())


def test_so_is_what_there_are_several_of() -> None:
    rules = validate_pb2.FieldRules(repeated=validate_pb2.RepeatedRules(max_items=1))
    kind = kind_of("Several", rules, repeated=True)
    assert check_of(kind)(kind())
    assert not check_of(kind)(kind(field=["a"]))


@pytest.mark.parametrize("value", ["", "a", "aaaaaaaaaa"])
@pytest.mark.parametrize("needed", [True, False])
def test_what_is_known_is_judged_alike(value: str, needed: bool) -> None:
    kind = kind_of(f"Alike{needed}", string(max_bytes=9, min_bytes=int(needed)))
    message = kind(field=value)
    assert check_of(kind)(message) is not is_refused(message)
