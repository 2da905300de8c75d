"""The contract of kinds.proto: its descriptors and the classes of its messages."""

import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from grpc_tools import protoc

SERVICE = "kinds.v1.Kinds"


@cache
def descriptors() -> FileDescriptorSet:
    """Of kinds.proto, with everything that it imports and the details of errors."""
    here = Path(__file__).parent
    includes = [here, files("grpc_tools") / "_proto", Path(status_pb2.__file__).parents[2]]
    with tempfile.NamedTemporaryFile() as out:
        arguments = [f"--descriptor_set_out={out.name}", "--include_imports"]
        sources = ["kinds.proto", "google/rpc/error_details.proto"]
        if protoc.main(["protoc", *(f"-I{i}" for i in includes), *arguments, *sources]) != 0:
            raise RuntimeError("kinds.proto does not compile")
        return FileDescriptorSet.FromString(Path(out.name).read_bytes())


@cache
def pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in descriptors().file:
        pool.Add(file)
    for file in descriptors().file:
        # What json_format knows of the well-known types, it knows of their classes.
        for message in pool.FindFileByName(file.name).message_types_by_name.values():
            GetMessageClass(message)
    return pool


@cache
def message(name: str) -> Any:
    """The class of a message of kinds.proto."""
    return GetMessageClass(pool().FindMessageTypeByName(f"kinds.v1.{name}"))


def canonical(message: Any) -> bytes:
    """The bytes that equal messages have in common, what they hold in an Any included."""
    _settle(message)
    return bytes(message.SerializeToString(deterministic=True))


def _settle(message: Any) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.Any" and message.type_url:
        name = message.type_url.rpartition("/")[2]
        held = GetMessageClass(pool().FindMessageTypeByName(name)).FromString(message.value)
        message.value = canonical(held)
    for field, value in message.ListFields():
        if not field.message_type:
            continue
        if field.message_type.GetOptions().map_entry:
            values = (
                value.values() if field.message_type.fields_by_name["value"].message_type else []
            )
        else:
            values = value if field.is_repeated else [value]
        for each in values:
            _settle(each)
