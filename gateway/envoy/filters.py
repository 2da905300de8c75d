"""The HTTP filters, in the order in which a request meets them."""

import base64
import json
from importlib.resources import files
from typing import Any

import pyvoy

from gateway.envoy.settings import EnvoySettings

TYPE = "type.googleapis.com/envoy.extensions.filters.http."
REST_SERVICES = ("predict.v1.PredictionService", "predict.v1.ModelService")


def http_filters(settings: EnvoySettings) -> list[dict[str, Any]]:
    cors = [_filter("cors", "cors.v3.Cors")] if settings.cors_origins else []
    return [_health_check(), *cors, _filter("grpc_web", "grpc_web.v3.GrpcWeb"), _transcoder(), _application(settings.app)]


def _health_check() -> dict[str, Any]:
    return _filter(
        "health_check",
        "health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": "/healthz"}}],
    )


def _transcoder() -> dict[str, Any]:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.api import annotations_pb2
    fds = FileDescriptorSet.FromString(files("predict.v1").joinpath("descriptors.binpb").read_bytes())
    for f in fds.file:
        for sv in f.service:
            for m in sv.method:
                if m.options.HasExtension(annotations_pb2.http): m.options.Extensions[annotations_pb2.http].ClearField("response_body")
    descriptors = fds.SerializeToString()
    return _filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor_bin=base64.b64encode(descriptors).decode(),
        services=list(REST_SERVICES),
        convert_grpc_status=True,
        query_param_unescape_plus=True,
        print_options={"always_print_primitive_fields": True, "stream_newline_delimited": True, "stream_sse_style_delimited": True},
    )


def _application(app: str) -> dict[str, Any]:
    return _filter(
        "dynamic_modules",
        "dynamic_modules.v3.DynamicModuleFilter",
        filter_name="pyvoy",
        terminal_filter=True,
        dynamic_module_config={"module": {"local": {"filename": str(files(pyvoy) / "_pyvoy.abi3.so")}}},
        filter_config={
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": json.dumps({"app": app, "interface": "asgi", "root_path": "", "lifespan": True}),
        },
    )


def _filter(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": TYPE + kind, **config}}
