"""The HTTP filters of the gateway, in the order in which a request meets them."""

import base64
import json
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from pyvoy._server import _pyvoy_module_path

from gateway.envoy.descriptors import load_descriptors, rest_methods
from gateway.envoy.rest_front import rest_front_script
from gateway.envoy.rest_rules import rest_rules
from gateway.envoy.settings import EnvoySettings

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
FILTERS = "type.googleapis.com/envoy.extensions.filters.http"


def http_filters(settings: EnvoySettings, *, max_body_bytes: int) -> list[dict[str, Any]]:
    """The chain: the application comes last, and answers what none before it has answered."""
    descriptors = load_descriptors()
    return [
        _health_check(),
        _filter("cors", "cors.v3.Cors"),
        _filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _rest_front(descriptors, max_body_bytes),
        _transcoder(descriptors),
        _application(settings.app),
    ]


def _health_check() -> dict[str, Any]:
    """Answers /healthz: Envoy listens only when the application has started."""
    return _filter(
        "health_check",
        "health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": "/healthz"}}],
    )


def _rest_front(descriptors: FileDescriptorSet, max_body_bytes: int) -> dict[str, Any]:
    """Checks what is not gRPC; gRPC-Web has become gRPC before."""
    rules = rest_rules(descriptors, max_body_bytes=max_body_bytes)
    script = _filter("lua", "lua.v3.Lua", default_source_code={"inline_string": rest_front_script(rules)})
    return _skip_grpc(script)


def _skip_grpc(http_filter: dict[str, Any]) -> dict[str, Any]:
    skip = {
        "name": "skip",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter"
        },
    }
    content_type = {
        "name": "content-type",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
            "header_name": "content-type",
        },
    }
    predicates = [
        {"single_predicate": {"input": content_type, "value_match": match}}
        for match in ({"exact": "application/grpc"}, {"prefix": "application/grpc+"})
    ]
    return {
        "name": http_filter["name"],
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            "extension_config": http_filter,
            "xds_matcher": {
                "matcher_list": {
                    "matchers": [
                        {
                            "predicate": {"or_matcher": {"predicate": predicates}},
                            "on_match": {"action": skip},
                        }
                    ]
                }
            },
        },
    }


def _transcoder(descriptors: FileDescriptorSet) -> dict[str, Any]:
    return _filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor_bin=base64.b64encode(_without_response_body(descriptors)).decode(),
        services=sorted({service for service, _, _ in rest_methods(descriptors)}),
        convert_grpc_status=True,
        max_response_body_size=MAX_RESPONSE_BYTES,
        query_param_unescape_plus=True,
        print_options={
            # A confidence of 0 and an empty list are answers too.
            "always_print_primitive_fields": True,
            "stream_newline_delimited": True,
            "stream_sse_style_delimited": True,
        },
    )


def _without_response_body(descriptors: FileDescriptorSet) -> bytes:
    """The transcoder refuses a response_body that is no HttpBody; the REST front filter does it."""
    copy = FileDescriptorSet.FromString(descriptors.SerializeToString())
    for _, method, _ in rest_methods(copy):
        method.options.Extensions[annotations_pb2.http].ClearField("response_body")
    return copy.SerializeToString()


def _application(app: str) -> dict[str, Any]:
    """Python: pyvoy's module, configured as `pyvoy --print-envoy-config` shows."""
    config = {"app": app, "interface": "asgi", "root_path": "", "lifespan": True}
    return _filter(
        "dynamic_modules",
        "dynamic_modules.v3.DynamicModuleFilter",
        filter_name="pyvoy",
        terminal_filter=True,
        dynamic_module_config={"module": {"local": {"filename": _pyvoy_module_path()}}},
        filter_config={
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": json.dumps(config),
        },
    )


def _filter(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{FILTERS}.{kind}", **config},
    }
