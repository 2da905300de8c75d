"""Policies made of istio/services.yaml."""

from collections.abc import Sequence
from typing import Any

from tests.mesh.api_server import Object
from tests.mesh.istiod import NAMESPACE
from tests.mesh.table import Door


def policies(doors: Sequence[Door]) -> list[Object]:
    """STRICT, nobody may call anything, and then each door is opened to its callers."""
    return [
        _security("PeerAuthentication", NAMESPACE, "default", mtls={"mode": "STRICT"}),
        _security("AuthorizationPolicy", NAMESPACE, "deny-by-default"),
        *(_of(service, doors) for service in sorted({door.service for door in doors})),
    ]


def _of(service: str, doors: Sequence[Door]) -> Object:
    namespace, name = service.split("/")
    rules = [
        {
            "from": [{"source": {"principals": [_principal(one) for one in door.callers]}}],
            "to": [
                {
                    "operation": {
                        "ports": [str(door.port)],
                        **({"paths": list(door.rpcs)} if door.rpcs else {}),
                    }
                }
            ],
        }
        for door in doors
        if door.service == service
    ]
    selector = {"matchLabels": {"app": name}}
    return _security("AuthorizationPolicy", namespace, name, selector=selector, rules=rules)


def _principal(caller: str) -> str:
    namespace, account = caller.split("/")
    return f"cluster.local/ns/{namespace}/sa/{account}"


def _security(kind: str, namespace: str, name: str, **spec: Any) -> Object:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def routes(namespace: str) -> list[Object]:
    """To the Tritons of a model: by version, then a tenth to the canaries."""
    host, pool = (f"{name}.{namespace}.svc.cluster.local" for name in ("triton", "triton-balanced"))

    def to(**weights: int) -> dict[str, Any]:
        return {
            "route": [
                {"destination": {"host": pool, "subset": track}, "weight": weight}
                for track, weight in weights.items()
            ],
            "retries": {"attempts": 2, "retryOn": "unavailable,connect-failure,refused-stream"},
        }

    match = {"headers": {"x-model-version": {"exact": "12"}}}
    pinned = {"match": [match], **to(**{"version-12": 100})}
    policy = {
        "loadBalancer": {"simple": "LEAST_REQUEST"},
        "outlierDetection": {
            "consecutiveGatewayErrors": 5,
            "consecutive5xxErrors": 0,
            "interval": "1s",
            "baseEjectionTime": "15s",
            "maxEjectionPercent": 50,
        },
        "retryBudget": {"percent": 20, "minRetryConcurrency": 3},
    }
    subsets = [
        {"name": track, "labels": {"track": track}} for track in ("stable", "canary", "version-12")
    ]
    http = [pinned, to(stable=90, canary=10)]
    rule = {"host": pool, "trafficPolicy": policy, "subsets": subsets}
    return [
        _networking("VirtualService", namespace, "triton", hosts=[host], http=http),
        _networking("DestinationRule", namespace, "triton-balanced", **rule),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": namespace, "name": "triton-balanced"},
            "spec": {"selector": {"app": "triton"}, "ports": [{"name": "grpc", "port": 8001}]},
        },
    ]


def _networking(kind: str, namespace: str, name: str, **spec: Any) -> Object:
    metadata = {"namespace": namespace, "name": name}
    version = "networking.istio.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
