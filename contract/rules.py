"""The rules of the contract's fields: protos/predict/v1 states them, with buf.validate."""

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The rules of a field; empty if it has none."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules
