"""The fields of messages as JSON names them, as data for the REST front filter."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

ANY = "google.protobuf.Any"
TYPE_URL = "type.googleapis.com/"
"""What a "@type" begins with: the transcoder knows no other."""

OBJECT = {"opens": ord("{"), "expected": "an object"}
ARRAY = {"opens": ord("["), "expected": "an array"}
_ANYTHING = {"any": True, "expected": "a value"}
_INT32 = {"expected": "an integer of 32 bits"}
_INT64 = {"expected": "an integer of 64 bits", "check": "int64"}
_UINT32 = {"expected": "an integer of 32 bits, not below 0"}
_UINT64 = {"expected": "an integer of 64 bits, not below 0"}
_FLOAT = {"expected": "a number", "check": "float"}
# What a value must be, for people, and where the transcoder's own check is not enough.
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"expected": "a string", "text": True},
    FieldDescriptor.TYPE_BOOL: {"expected": "true or false", "check": "bool"},
    FieldDescriptor.TYPE_BYTES: {"expected": "bytes in base64", "check": "bytes"},
    **dict.fromkeys((FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT), _FLOAT),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), _UINT32),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64), _UINT64),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
}
# The messages that JSON writes in a way of their own, beside the wrappers.
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Duration": {"expected": 'a duration in seconds such as "1.5s"'},
    "google.protobuf.Timestamp": {
        "expected": 'a time of RFC 3339 such as "2030-01-31T12:00:00Z"',
        "check": "timestamp",
    },
    "google.protobuf.FieldMask": {
        "expected": 'names of fields such as "name,output.topLabel"',
        "check": "field_mask",
    },
    "google.protobuf.Struct": {"entry": _ANYTHING, **OBJECT},
    "google.protobuf.ListValue": {"each": _ANYTHING, **ARRAY},
    "google.protobuf.Value": _ANYTHING,
}
_WRAPPERS = "google/protobuf/wrappers.proto"


class RestFields:
    """The rules of values, and the fields of every message that they are made of."""

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        """files: where an Any may find its types."""
        self._files = files
        self._messages: dict[str, dict[str, Any]] = {}
        self._types: dict[str, dict[str, Any]] = {}

    def rules(self) -> dict[str, Any]:
        """The fields of messages by both names that JSON may give them, and the members of an Any
        by the type that it holds.
        """
        if ANY in self._messages:
            for file in self._files:
                for message in file.message_types_by_name.values():
                    self._add_type(message)
        return {"messages": self._messages, "types": self._types}

    def message(self, message: Descriptor) -> dict[str, Any]:
        """The rule of a value that is a message."""
        if message.file.name == _WRAPPERS:
            return self._one(message.fields_by_name["value"])
        if message.full_name in _WELL_KNOWN:
            return _WELL_KNOWN[message.full_name]
        self._add(message)
        return {"message": message.full_name, **OBJECT}

    def field(self, field: FieldDescriptor) -> dict[str, Any]:
        """The rule of a field, with its name."""
        entry = field.message_type
        if entry and entry.GetOptions().map_entry:
            rule = {"entry": self._one(entry.fields_by_name["value"]), **OBJECT}
            if entry.fields_by_name["key"].type == FieldDescriptor.TYPE_BOOL:
                rule["keys"] = "bool"
        elif field.is_repeated:
            rule = {"each": self._one(field), **ARRAY}
        else:
            rule = self._one(field)
        return {"name": field.name, **rule}

    def _one(self, field: FieldDescriptor) -> dict[str, Any]:
        """The rule of one value of a field."""
        if field.enum_type:
            return {"expected": _names(field.enum_type)}
        if field.message_type:
            return self.message(field.message_type)
        return _SCALARS[field.type]

    def _add(self, message: Descriptor) -> None:
        if message.full_name in self._messages:
            return
        fields = self._messages[message.full_name] = {}
        if message.full_name != ANY:
            for field in message.fields:
                fields[field.json_name] = fields[field.name] = self.field(field)

    def _add_type(self, message: Descriptor) -> None:
        """Add a message, and those that are declared in it, as what an Any may hold."""
        if message.GetOptions().map_entry:
            return
        rule = self.message(message)
        if message.full_name != ANY and "message" in rule:
            members = self._messages[message.full_name]
        else:
            members = {"value": {"name": "value", **rule}}
        self._types[TYPE_URL + message.full_name] = {"@type": {"name": "@type"}, **members}
        for nested in message.nested_types:
            self._add_type(nested)


def find_field(message: Descriptor, path: str) -> FieldDescriptor:
    """The field that names with dots lead to. Raises ValueError if there is none."""
    *outer, last = path.split(".")
    within = message
    for name in outer:
        field = within.fields_by_name.get(name)
        if field is None or field.is_repeated or not field.message_type:
            raise ValueError(f"{path}: {within.full_name} has no message {name}")
        within = field.message_type
    if last not in within.fields_by_name:
        raise ValueError(f"{path}: {within.full_name} has no field {last}")
    return within.fields_by_name[last]


def _names(enum: EnumDescriptor) -> str:
    if enum.full_name == "google.protobuf.NullValue":
        return "null"
    return f"one of {', '.join(value.name for value in enum.values)}"
