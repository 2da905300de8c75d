"""Reflection, the standard service: v1, and v1alpha for old tools."""

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2

_REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


def add_reflection(server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Serve the descriptors of these services, so that clients need no files.

    grpcio-reflection knows v1alpha only; v1 has the same messages under another package.
    """
    names = (*services, health.SERVICE_NAME, *_REFLECTION)
    handler = grpc.stream_stream_rpc_method_handler(
        reflection.aio.ReflectionServicer(names).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for service in _REFLECTION:
        server.add_registered_method_handlers(service, {"ServerReflectionInfo": handler})
