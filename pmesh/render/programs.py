"""What istio/services.yaml can name: programs, the ports of their services, and the rpcs there."""

from collections.abc import Mapping, Sequence

from tritonclient.grpc import service_pb2

PROGRAMS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "predict-mesh": {
        "gateway": (8080, 9464, 9470),
        "relay": (9467,),
        "rollout": (8083, 9469),
        "monitoring": (9465,),
        "training": (),
        "provision": (),
    },
    "model-*": {"triton": (8001, 8002), "worker": (9468,)},
    "infra": {"postgres": (5432,)},
    "mlflow": {"mlflow": (5000,)},
    "annotation": {"annotation": (9466, 9472), "label-studio": (8080,)},
}
"""Of the charts, by namespace and service account, with the ports of the service of that name."""
OTHERS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "istio-ingress": {"ingress": ()},
    "observability": {"prometheus": ()},
}
"""Callers of no chart of ours."""
_KNOWN = {**PROGRAMS, **OTHERS}
_PROTOCOL = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_RPCS = {
    ("model-*/triton", 8001): [f"/{_PROTOCOL.full_name}/{rpc.name}" for rpc in _PROTOCOL.methods]
}
"""Paths, of ports where a caller can be let in by rpc. At the gateway's, roles decide."""


def check_program(namespace: str, name: str) -> None:
    """Raises ValueError, which says what there is, unless there is this one."""
    if namespace not in _KNOWN:
        raise ValueError(
            f"{namespace}/{name}: {', '.join(_KNOWN)} are the namespaces, and {namespace} is not;"
            " a new one is written to pmesh/render/programs.py first"
        )
    if name not in (programs := _KNOWN[namespace]):
        raise ValueError(
            f"{namespace}/{name}: {namespace} has {', '.join(programs)}, and no {name}"
        )


def check_port(service: str, port: int) -> None:
    """Raises ValueError, which says which ones, unless the service has this port."""
    namespace, name = service.split("/")
    if port not in (ports := _KNOWN[namespace][name]):
        has = " and ".join(map(str, ports)) or "no port"
        raise ValueError(f"{service}.{port}: {service} has {has}; write the one that is called")


def check_rpcs(service: str, port: int, rpcs: Sequence[str]) -> None:
    """Raises ValueError, which says which ones, unless what is spoken there has these rpcs."""
    known = _RPCS.get((service, port), ())
    for rpc in rpcs:
        if not known:
            raise ValueError(f"{service}.{port} lets in to all or nothing; leave rpcs out")
        if rpc not in known:
            raise ValueError(
                f"{service}.{port}: there is no rpc {rpc}; write one of {', '.join(known)}"
            )
