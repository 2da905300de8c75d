"""The contract as Envoy's filters need it: its descriptors and the REST bindings in them."""

from collections.abc import Iterator
from importlib.resources import files

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto

HTTP_BODY = "google.api.HttpBody"
"""A body that is no JSON: the transcoder passes it on as it came."""


def load_descriptors() -> FileDescriptorSet:
    """The descriptors of the contract, with everything that it imports."""
    data = files("predict.v1").joinpath("descriptors.binpb").read_bytes()
    return FileDescriptorSet.FromString(data)


def rest_methods(
    descriptors: FileDescriptorSet,
) -> Iterator[tuple[str, MethodDescriptorProto, http_pb2.HttpRule]]:
    """Each rpc that has a REST binding: its service's full name, the rpc and the binding."""
    for file in descriptors.file:
        for service in file.service:
            for method in service.method:
                if method.options.HasExtension(annotations_pb2.http):
                    rule = method.options.Extensions[annotations_pb2.http]
                    yield f"{file.package}.{service.name}", method, rule


def bindings(rule: http_pb2.HttpRule) -> list[http_pb2.HttpRule]:
    """The rule itself and its additional bindings. Raises ValueError if those have their own."""
    if any(other.additional_bindings for other in rule.additional_bindings):
        raise ValueError("an additional binding has additional bindings of its own")
    return [rule, *rule.additional_bindings]


def method_and_path(rule: http_pb2.HttpRule) -> tuple[str, str]:
    """Of an HTTP rule. Raises ValueError if it has none."""
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise ValueError("an HTTP rule has a path")
    if kind == "custom":
        return rule.custom.kind, rule.custom.path
    return kind.upper(), getattr(rule, kind)
