"""What a REST request may hold, as data for the REST front filter, from the contract."""

import re
from typing import Any

from google.api import http_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from contract.reasons import DOMAIN, all_reasons, grpc_code, http_status, reason_name
from gateway.envoy.descriptors import rest_methods

SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_DOUBLE: "double",
}
WELL_KNOWN = {
    "google.protobuf.Duration": "duration",
    "google.protobuf.Timestamp": "timestamp",
}


def rest_rules(descriptors: FileDescriptorSet, *, max_body_bytes: int) -> dict[str, Any]:
    """The routes with their bindings, the fields of the messages that requests consist of, and
    what belongs to each reason to refuse one.

    Raises ValueError for a binding or a field of a kind that the filter does not know.
    """
    pool = DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    routes: dict[str, dict[str, Any]] = {}
    messages: dict[str, dict[str, Any]] = {}
    for _, method, rule in rest_methods(descriptors):
        request = pool.FindMessageTypeByName(method.input_type.removeprefix("."))
        response = pool.FindMessageTypeByName(method.output_type.removeprefix("."))
        verb, path = _verb_and_path(rule)
        route = routes.setdefault(path, {"pattern": _pattern(path), "methods": {}})
        route["methods"][verb] = _binding(rule, path, request, response)
        _add_message(messages, request)
    for route in routes.values():
        route["allow"] = ", ".join(sorted(route["methods"]))
    return {
        "max_body_bytes": max_body_bytes,
        "routes": [*routes.values()],
        "messages": messages,
        "domain": DOMAIN,
        "reasons": {
            reason_name(reason): {
                "http": str(http_status(reason)),
                "code": grpc_code(reason).value[0],
            }
            for reason in all_reasons()
        },
    }


def _verb_and_path(rule: http_pb2.HttpRule) -> tuple[str, str]:
    verb = rule.WhichOneof("pattern")
    if verb in (None, "custom") or rule.additional_bindings:
        raise ValueError(f"a REST binding is one path and one method: {rule}")
    return verb.upper(), getattr(rule, verb)


def _pattern(path: str) -> str:
    """The path as a Lua pattern that captures each variable; "{x}" is one segment."""
    parts = re.split(r"(\{[a-z_]+\})", path)
    if any("{" in part or "*" in part for part in parts[::2]):
        raise ValueError(f"a variable of a path is one segment: {path}")
    literals = (re.sub(r"[^a-zA-Z0-9/:]", r"%\g<0>", part) for part in parts[::2])
    return f"^{'([^/:]+)'.join(literals)}$"


def _binding(
    rule: http_pb2.HttpRule, path: str, request: Descriptor, response: Descriptor
) -> dict[str, Any]:
    if rule.body not in ("", "*"):
        raise ValueError(f"{path}: a body is the whole message or nothing")
    binding = {
        "message": request.full_name,
        "bound": re.findall(r"\{([a-z_]+)\}", path),
        "body": rule.body == "*",
    }
    if rule.response_body:
        # The filter cuts the field out of the text of the answer.
        if [field.name for field in response.fields] != [rule.response_body]:
            raise ValueError(f"{path}: {rule.response_body} must be the one field of the answer")
        binding["response_body"] = response.fields[0].json_name
    return binding


def _add_message(messages: dict[str, dict[str, Any]], message: Descriptor) -> None:
    """Add the fields of a message, by both names that JSON may give them, and of those in it."""
    if message.full_name in messages:
        return
    fields = messages[message.full_name] = {}
    for field in message.fields:
        entry = field.message_type if _is_map(field) else None
        value = entry.fields_by_name["value"] if entry else field
        rule = _value(value)
        if rule["kind"] == "message" and value.message_type:
            _add_message(messages, value.message_type)
        if field.is_repeated:
            rule = {"kind": "map" if entry else "list", "each": rule}
        fields[field.json_name] = fields[field.name] = {"name": field.name, **rule}


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _value(field: FieldDescriptor) -> dict[str, Any]:
    if field.enum_type:
        return {"kind": "enum", **_enum_rule(field.enum_type)}
    if not field.message_type and field.type in SCALARS:
        return {"kind": SCALARS[field.type]}
    name = field.message_type.full_name if field.message_type else ""
    if name in WELL_KNOWN:
        return {"kind": WELL_KNOWN[name]}
    if not name or name.startswith("google.protobuf."):
        raise ValueError(f"{field.full_name}: the REST front filter does not know this type")
    return {"kind": "message", "message": name}


def _enum_rule(enum: EnumDescriptor) -> dict[str, Any]:
    """The values by each name and each number that JSON may give."""
    texts = [text for value in enum.values for text in (value.name, str(value.number))]
    names = ", ".join(value.name for value in enum.values)
    return {"values": dict.fromkeys(texts, True), "expected": f"one of {names}"}
