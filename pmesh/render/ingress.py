"""What comes in: TLS at the hosts of mesh.yaml, and which way it goes from there."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.app import UNBOUNDED
from gateway.envoy.descriptors import bindings, method_and_path, rest_methods
from pmesh.render.gateway import GATEWAY, PORT
from pmesh.render.objects import Object, networking
from pmesh.render.services import Name

INGRESS = Name("istio-ingress", "ingress")
RELEASES = Name(GATEWAY.namespace, "gateway-releases")
"""The gateway whether it is ready or not: before the first release no gateway is."""
LABEL_STUDIO, LABEL_STUDIO_PORT = Name("annotation", "label-studio"), 8080
_MODEL_SERVICE = "/predict.v1.ModelService/"
# Nothing has begun then, so that no prediction is made twice. Of what has, the client is told, and
# after what delay to try again. The second time it may be a gateway of another zone.
_RETRIES = {
    "attempts": 2,
    "retryOn": "connect-failure,refused-stream",
    "retryRemoteLocalities": True,
}
_BOUND_S = 30
"""Above PMESH_GATEWAY_MAX_CALL_S, so that it is the gateway that answers."""
_LABEL_STUDIO_S = 120
"""It answers an export of a project as a whole."""
_VARIABLE = re.compile(r"\{[^}]*\}")


def listeners(host: str, label_host: str) -> Object:
    """Where the ingress listens. Plain HTTP is told of HTTPS and goes nowhere."""
    hosts = [f"{GATEWAY.namespace}/{host}", f"{LABEL_STUDIO.namespace}/{label_host}"]
    return networking(
        "Gateway",
        INGRESS.namespace,
        INGRESS.name,
        selector={"istio": INGRESS.name},
        servers=[
            {
                "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                "hosts": hosts,
                "tls": {
                    "mode": "SIMPLE",
                    "credentialName": "predict-mesh-tls",
                    "minProtocolVersion": "TLSV1_2",
                },
            },
            {
                "port": {"number": 80, "name": "http", "protocol": "HTTP"},
                "hosts": hosts,
                "tls": {"httpsRedirect": True},
            },
        ],
    )


def to_the_gateway(host: str, contract: FileDescriptorSet) -> Object:
    """The routes of clients. contract: whose REST bindings are matched."""
    models = [match for rpc, match in _rest(contract) if rpc.startswith(_MODEL_SERVICE)]
    unbounded = [match for rpc, match in _rest(contract) if rpc in UNBOUNDED]
    return _routes(
        GATEWAY,
        host,
        [
            {
                "name": "releases",
                "match": [{"uri": {"prefix": _MODEL_SERVICE}}, *models],
                **_to(RELEASES, PORT, _BOUND_S),
            },
            {
                "name": "unbounded",
                "match": [*({"uri": {"exact": rpc}} for rpc in UNBOUNDED), *unbounded],
                **_to(GATEWAY, PORT),
            },
            {"name": "bounded", **_to(GATEWAY, PORT, _BOUND_S)},
        ],
    )


def to_label_studio(host: str) -> Object:
    """The routes of those who label."""
    return _routes(
        LABEL_STUDIO,
        host,
        [{"name": "all", **_to(LABEL_STUDIO, LABEL_STUDIO_PORT, _LABEL_STUDIO_S)}],
    )


def _routes(service: Name, host: str, http: Sequence[Any]) -> Object:
    return networking(
        "VirtualService",
        service.namespace,
        f"{service.name}-ingress",
        hosts=[host],
        gateways=[str(INGRESS)],
        exportTo=[INGRESS.namespace],
        http=http,
    )


def _to(service: Name, port: int, timeout_s: int | None = None) -> dict[str, Any]:
    """timeout_s: None for none; Istio takes no "0s" for that."""
    return {
        "route": [{"destination": {"host": service.host, "port": {"number": port}}}],
        **({"timeout": f"{timeout_s}s"} if timeout_s else {}),
        "retries": _RETRIES,
    }


def _rest(contract: FileDescriptorSet) -> Iterator[tuple[str, Any]]:
    """Each binding with the path of its rpc."""
    for service, rpc, http in rest_methods(contract):
        for rule in bindings(http):
            method, path = method_and_path(rule)
            literals = map(re.escape, _VARIABLE.split(path))
            uri = "[^/:]+".join(literal.replace("\\-", "-") for literal in literals)
            yield f"/{service}/{rpc.name}", {"method": {"exact": method}, "uri": {"regex": uri}}
