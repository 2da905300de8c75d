"""Requests against the rules of their fields, and against what those cannot say.

protos/predict/v1 states the rules with buf.validate, and protovalidate judges them. Each check
raises InvalidArgument with the field and a stable reason.
"""

from collections.abc import Callable
from typing import Any

import protovalidate
from buf.validate.validate_pb2 import FieldRules
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument
from contract.reasons import reason_of_rule
from contract.rules import rules_of
from gateway.plain_rules import plain_check

MAX_BATCH_TEXT_BYTES = 2 * 1024 * 1024  # the answers, with the texts in them, stay below 4 MiB

_VALIDATOR = protovalidate.Validator()
_PLAIN: dict[type[Message], Callable[[Message], bool]] = {}


def check(message: Message) -> None:
    """Refuse a message for the first rule of a field that it violates."""
    keeps_rules = _PLAIN.get(type(message))
    if keeps_rules is not None and keeps_rules(message):
        return
    try:
        _VALIDATOR.validate(message, fail_fast=True)
    except protovalidate.ValidationError as error:
        refusal = _refusal(message, error.violations[0])
    else:
        return
    raise refusal  # not from the error, which holds the values


def learn(kind: type[Message]) -> None:
    """Read the rules of a message, so that the first request need not wait for it.

    Raises protovalidate.CompilationError for rules that make no sense.
    """
    violations = _VALIDATOR.collect_violations(kind())
    paths = [_elements(violation.proto.field) for violation in violations]
    needed = {path[0].field_name for path in paths if path}
    _PLAIN[kind] = plain_check(kind.DESCRIPTOR, needed=needed)


def _refusal(message: Message, violation: protovalidate.Violation) -> InvalidArgument:
    path, field = _blamed(message, violation)
    rules = FieldRules() if field is None else rules_of(field)
    rule = [element.field_name for element in _elements(violation.proto.rule)]
    if rule[:2] == ["repeated", "items"]:
        rules, rule = rules.repeated.items, rule[2:]
    if rule[:2] in (["map", "keys"], ["map", "values"]):
        rule = rule[:2]  # which of theirs it is, its reason does not tell
    # What belongs to no field has no path of its rule.
    name = violation.proto.rule_id if rule[:1] in ([], ["cel"]) else ".".join(rule)
    return InvalidArgument(
        reason_of_rule(name),
        path,
        _WORDS.get(name, violation.proto.message),
        **_metadata(name, rules, field, violation.field_value),
    )


_WORDS = {
    "required": "is required",
    "string.min_bytes": "is empty",
    "string.not_contains": "has a NUL character",  # protovalidate's words have it too
    "map.max_pairs": "are too many",
    "map.keys": "have a name that they may not have",
    "map.values": "have a value that they may not have",
}
"""What is said of a rule for people, where protovalidate's words would not do."""


def _blamed(message: Message, violation: protovalidate.Violation) -> tuple[str, Any]:
    """The path of what is to blame, such as "shares[0].percent", and the descriptor of the field.

    That is None for a oneof, and for a whole message, whose path is that of the field it is in.
    """
    steps, field = [], None
    kind: Any = message.DESCRIPTOR
    for element in _elements(violation.proto.field):
        field = kind.fields_by_name.get(element.field_name)
        kind = field and field.message_type
        subscript = element.subscript  # the key of a map may be any text of the client's
        index = f"[{subscript.value}]" if subscript and subscript.field == "index" else ""
        steps.append(element.field_name + index)
    return ".".join(steps), field


def _elements(path: protovalidate.FieldPathPb | None) -> list[protovalidate.FieldPathElementPb]:
    return path.elements if path is not None else []


def _metadata(rule: str, rules: FieldRules, field: Any, value: Any) -> dict[str, Any]:
    """The numbers of a rule, as the reason of its violation has them."""
    kind, _, name = rule.partition(".")
    match name:
        case "max_bytes":
            return {"bytes": len(value.encode()), "max_bytes": rules.string.max_bytes}
        case "max_len":
            return {"min": rules.string.min_len, "max": rules.string.max_len}
        case "min_items" | "max_items":
            return {"size": len(value), "max_size": rules.repeated.max_items}
        case "defined_only" | "not_in":
            return {"expected": field.enum_type.name}
        case "gt" | "gte" | "lt" | "lte":
            return _bounds(getattr(rules, kind))
    return {}


def _bounds(rules: Any) -> dict[str, str]:
    """Those that the rules of a number, a duration or a time have."""
    bounds = {}
    for rule, bound in rules.ListFields():
        if rule.name in _BOUNDS:
            key, word = _BOUNDS[rule.name]
            bounds[key] = word + _written(bound)
    return bounds


_BOUNDS = {"gt": ("min", "above "), "gte": ("min", ""), "lt": ("max", "below "), "lte": ("max", "")}


def _written(bound: float | Duration | Timestamp) -> str:
    return f"{bound:g}" if isinstance(bound, int | float) else bound.ToJsonString()


def check_batch_text(size_bytes: int) -> None:
    """Refuse a batch whose texts are too long together."""
    if size_bytes > MAX_BATCH_TEXT_BYTES:
        raise InvalidArgument(
            ErrorReason.ERROR_REASON_BATCH_SIZE,
            "entries",
            f"has {size_bytes} bytes of text; at most {MAX_BATCH_TEXT_BYTES} are allowed",
            bytes=size_bytes,
            max_bytes=MAX_BATCH_TEXT_BYTES,
        )
