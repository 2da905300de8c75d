"""What the build makes of protovalidate's descriptor is what that descriptor says."""

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto


def test_the_printed_rules_are_those_of_protovalidate() -> None:
    printed = FileDescriptorProto.FromString(validate_pb2.DESCRIPTOR.serialized_pb)
    original = FileDescriptorProto.FromString(
        protovalidate.ViolationPb.desc().file.proto.to_binary()
    )
    original.DiscardUnknownFields()  # options of fields, which are extensions
    for field in original.extension:
        field.ClearField("json_name")
    for kind in (*original.message_type, *original.enum_type):
        kind.ClearField("reserved_range")
        kind.ClearField("reserved_name")
    for message in (*printed.message_type, *original.message_type):
        message.field.sort(key=lambda field: field.number)
    for message in original.message_type:
        message.ClearField("options")
        for element in (*message.field, *message.extension_range, *message.oneof_decl):
            element.ClearField("options")
        for field in message.field:
            field.ClearField("json_name")
    assert printed == original
