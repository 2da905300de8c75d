"""A contract with a field of every kind that the REST front filter knows."""

from google.api import annotations_pb2
from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

Field = FieldDescriptorProto
SINGLE = {
    "text": Field.TYPE_STRING,
    "flag": Field.TYPE_BOOL,
    "small": Field.TYPE_INT32,
    "count": Field.TYPE_UINT32,
    "big": Field.TYPE_INT64,
    "size_bytes": Field.TYPE_UINT64,
    "ratio": Field.TYPE_DOUBLE,
}
REFERENCES = {
    "color": (Field.TYPE_ENUM, ".kinds.v1.Color"),
    "delay": (Field.TYPE_MESSAGE, ".google.protobuf.Duration"),
    "time": (Field.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
    "inner": (Field.TYPE_MESSAGE, ".kinds.v1.All"),
}


def all_kinds() -> FileDescriptorSet:
    """`POST /v1/all` takes a kinds.v1.All as its body, `GET /v1/all` as its query."""
    file = FileDescriptorProto(name="kinds/v1/kinds.proto", package="kinds.v1", syntax="proto3")
    file.dependency.extend(["google/protobuf/duration.proto", "google/protobuf/timestamp.proto"])
    _add_message(file)
    color = file.enum_type.add(name="Color")
    for number, name in enumerate(("COLOR_UNSPECIFIED", "COLOR_RED")):
        color.value.add(name=name, number=number)
    _add_service(file)
    files = FileDescriptorSet()
    for known in (duration_pb2, timestamp_pb2):
        known.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.append(file)
    return files


def _add_message(file: FileDescriptorProto) -> None:
    message = file.message_type.add(name="All")
    for name, kind in SINGLE.items():
        _add_field(message, name, kind)
    for name, (kind, type_name) in REFERENCES.items():
        _add_field(message, name, kind, type_name)
    _add_field(message, "numbers", Field.TYPE_INT32, repeated=True)
    _add_field(message, "many", Field.TYPE_MESSAGE, ".kinds.v1.All", repeated=True)
    entry = message.nested_type.add(name="ScoresEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", Field.TYPE_STRING)
    _add_field(entry, "value", Field.TYPE_DOUBLE)
    _add_field(message, "scores", Field.TYPE_MESSAGE, ".kinds.v1.All.ScoresEntry", repeated=True)


def _add_field(
    message: DescriptorProto,
    name: str,
    kind: Field.Type.ValueType,
    type_name: str | None = None,
    repeated: bool = False,
) -> None:
    first, *others = name.split("_")
    message.field.add(
        name=name,
        json_name=first + "".join(map(str.title, others)),
        number=len(message.field) + 1,
        type=kind,
        type_name=type_name,
        label=Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL,
    )


def _add_service(file: FileDescriptorProto) -> None:
    service = file.service.add(name="AllService")
    for name in ("Post", "Get"):
        method = service.method.add(
            name=name, input_type=".kinds.v1.All", output_type=".kinds.v1.All"
        )
        rule = method.options.Extensions[annotations_pb2.http]
        setattr(rule, name.lower(), "/v1/all")
        rule.body = "*" if name == "Post" else ""
