"""The rules of the contract's fields: protos/predict/v1 states them, with buf.validate."""

from typing import Any, Protocol

from buf.validate import validate_pb2


class Field(Protocol):
    """A FieldDescriptor of any of Protobuf's implementations."""

    def GetOptions(self) -> Any: ...


def rules_of(field: Field) -> validate_pb2.FieldRules:
    """The rules of a field; empty if it has none."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules
