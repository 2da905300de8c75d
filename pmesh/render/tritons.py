"""Which Tritons of a model a call goes to, and what is done about those that fail.

A Triton is of one track: stable; canary, with the next image; or that of a version which has
Tritons of its own. The gateway says the version with each call, and the mesh finds the track.
"""

from typing import Any

from modelkit.values import ModelEntry
from pmesh.render.gateway import GATEWAY
from pmesh.render.objects import Object, networking, service
from pmesh.render.services import Name

VERSION_HEADER = "x-model-version"
_GRPC = 8001
_TIMEOUT_S = 90
"""Above PMESH_GATEWAY_MAX_INFERENCE_S, so that it is the caller that gives up."""
# All three are UNAVAILABLE to who called. A Triton that was tried is not tried again while another
# one is in the zone; the second time it may be one of another zone.
_RETRIES = {
    "attempts": 2,
    "retryOn": "unavailable,connect-failure,refused-stream",
    "retryRemoteLocalities": True,
}
# gRPC's word to a caller that it is not to try again, as gateways and workers do without a mesh:
# https://github.com/grpc/proposal/blob/master/A6-client-retries.md
_TRIED_AGAIN = {"response": {"set": {"grpc-retry-pushback-ms": "-1"}}}


def namespace(model: str) -> str:
    """Where what serves a model is."""
    return f"model-{model}"


def address(model: str) -> Name:
    """At which callers ask, and rollout finds each: a headless service of all Tritons."""
    return Name(namespace(model), "triton")


def balanced(model: str) -> Name:
    """The same Tritons for the mesh to choose from: what is headless it leaves to the caller."""
    return Name(namespace(model), "triton-balanced")


def has_tritons(model: ModelEntry) -> bool:
    """Whether there is any version for them to serve."""
    return model.is_trained_here or not model.foreign


def routes(model: ModelEntry) -> Object:
    """By version, then by the weights of the tracks; rollout reaches the one that it names."""
    by_version = [
        {
            "name": _own_track(version),
            "match": [{"headers": {VERSION_HEADER: {"exact": version}}}],
            **_to_tracks(model, {_own_track(version): 100}),
        }
        for version in model.serving.versions
    ]
    canary = model.serving.canary
    tracks = {"stable": 100 - canary, "canary": canary} if canary else {"stable": 100}
    return networking(
        "VirtualService",
        namespace(model.id),
        "triton",
        hosts=[address(model.id).host],
        exportTo=[".", GATEWAY.namespace],
        http=[
            {
                "name": "each",
                "match": [
                    {"sourceNamespace": GATEWAY.namespace, "sourceLabels": {"app": "rollout"}}
                ],
                "route": [_destination(address(model.id))],
                # To load a version takes as long as it takes: without a timeout there is none.
            },
            *by_version,
            {"name": "tracks", **_to_tracks(model, tracks)},
        ],
    )


def pool(model: ModelEntry) -> Object:
    """The service that the routes choose from."""
    return service(
        namespace(model.id),
        balanced(model.id).name,
        selector={"app": "triton"},
        ports=[{"name": "grpc", "port": _GRPC, "targetPort": _GRPC}],
    )


def connections(model: ModelEntry) -> Object:
    """The tracks, how calls are spread over each, and within which limits."""
    tracks = ["stable", *(["canary"] if model.serving.canary else [])]
    tracks += [_own_track(version) for version in model.serving.versions]
    return networking(
        "DestinationRule",
        namespace(model.id),
        balanced(model.id).name,
        host=balanced(model.id).host,
        exportTo=[".", GATEWAY.namespace],
        trafficPolicy={
            # Near ones first; those of other zones while too few of the near ones are well.
            "loadBalancer": {"simple": "LEAST_REQUEST", "localityLbSetting": {"enabled": True}},
            "connectionPool": {
                "tcp": {"maxConnections": 256, "connectTimeout": "2s"},
                "http": {"http2MaxRequests": 1024},
            },
            # The other kinds of failure are the model's or the text's.
            "outlierDetection": {
                "consecutiveGatewayErrors": 5,
                "consecutive5xxErrors": 0,
                "interval": "5s",
                "baseEjectionTime": "15s",
                "maxEjectionPercent": 50,
            },
            # Of the calls in flight: an outage is not made worse.
            "retryBudget": {"percent": 20, "minRetryConcurrency": 3},
        },
        subsets=[{"name": track, "labels": {"track": track}} for track in tracks],
    )


def mutual_tls(model: ModelEntry) -> Object:
    """That each Triton is called by mTLS and is one. For what is headless istiod would have plain
    text for as long as it knows of no pod.
    """
    identity = Name(namespace(model.id), "triton").principal
    return networking(
        "DestinationRule",
        namespace(model.id),
        address(model.id).name,
        host=address(model.id).host,
        exportTo=[".", GATEWAY.namespace],
        trafficPolicy={
            "tls": {"mode": "ISTIO_MUTUAL", "subjectAltNames": [f"spiffe://{identity}"]}
        },
    )


def _own_track(version: str) -> str:
    return f"version-{version}"


def _to_tracks(model: ModelEntry, weights: dict[str, int]) -> dict[str, Any]:
    return {
        "route": [
            {**_destination(balanced(model.id), track), "weight": weight}
            for track, weight in weights.items()
        ],
        "timeout": f"{_TIMEOUT_S}s",
        "retries": _RETRIES,
        "headers": _TRIED_AGAIN,
    }


def _destination(to: Name, track: str = "") -> dict[str, Any]:
    subset = {"subset": track} if track else {}
    return {"destination": {"host": to.host, **subset, "port": {"number": _GRPC}}}
