"""What is called outside the mesh, and by whom; and of the mesh, what each app may see.

Nothing else is let out: mesh-config.yaml has outboundTrafficPolicy REGISTRY_ONLY.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from modelkit.values import ModelEntry
from pmesh.mesh_file import OF_THE_CLUSTER, InvalidMesh, Mesh, is_inside, read_address
from pmesh.render.gateway import GATEWAY
from pmesh.render.objects import ROOT_NAMESPACE, Object, networking
from pmesh.render.services import DATABASE, Name, Services
from pmesh.render.tritons import address, balanced, namespace

TRACES = Name("groundcover", "groundcover-sensor")
"""Takes what each proxy tells, by OTLP; programs tell it where mesh.yaml says."""
_HTTPS = 443
_PORTS = {"http": 80, "https": _HTTPS}


def hosts(mesh: Mesh) -> Mapping[str, Mapping[str, int]]:
    """Of each thing outside, the hosts at which it is called, with their ports."""
    region = mesh.outside.region
    aws = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    jwks = urlsplit(mesh.tokens["jwks"])
    traces = urlsplit(mesh.outside.traces)
    # As boto3 asks. Not at the host itself, where every bucket of the world can be had.
    s3 = "s3" if region == "us-east-1" else f"s3.{region}"
    buckets = [f"{bucket}.{s3}.{aws}" for bucket in mesh.outside.buckets.values()]
    return {
        "sns": {f"sns.{region}.{aws}": _HTTPS},
        "sqs": {f"sqs.{region}.{aws}": _HTTPS},
        "s3": dict.fromkeys(buckets, _HTTPS),
        "sts": {f"sts.{region}.{aws}": _HTTPS},
        "issuer": {jwks.hostname or "": jwks.port or _HTTPS},
        "alerts": dict.fromkeys(mesh.outside.alerts, _HTTPS),
        "traces": {traces.hostname: traces.port or _PORTS[traces.scheme]}
        if traces.hostname
        else {},
        DATABASE: dict([mesh.outside.database] if mesh.outside.database else []),
    }


def entries(mesh: Mesh, services: Services) -> Mapping[str, Object]:
    """Lets out to each thing outside the cluster, by TLS of the caller's own; PostgreSQL begins
    without.
    """
    found: dict[str, Object] = {}
    for name, at in hosts(mesh).items():
        beyond = {host: port for host, port in at.items() if not is_inside(host)}
        namespaces = {caller.namespace for caller in services.outside.get(name, ())}
        if beyond and namespaces:
            protocol = "TCP" if name == DATABASE else "TLS"
            found[name] = _entry(name, beyond, protocol, set(beyond.values()), namespaces)
    return found


def foreign_servers(models: Sequence[ModelEntry]) -> Mapping[str, Object]:
    """Lets out to the servers of others outside the cluster: each host once, for all models.

    Raises InvalidMesh for an address that a cluster has no way to.
    """
    ports: dict[str, set[int]] = {}
    callers: dict[str, set[str]] = {}
    for model in models:
        for host, port in foreign_addresses(model):
            if not is_inside(host):
                ports.setdefault(host, set()).add(port)
                callers.setdefault(host, {GATEWAY.namespace}).add(namespace(model.id))
    return {
        host: _entry(host, [host], "GRPC", ports[host], callers[host]) for host in sorted(ports)
    }


def visible(
    within: str, services: Services, mesh: Mesh, models: Sequence[ModelEntry]
) -> list[Object]:
    """What the proxies of a namespace know: each what its app may call; one of another app, where
    to tell its traces.
    """
    callers = [caller for caller in services.all_callers() if caller.namespace == within]
    return [
        _sidecar(within, "default", {TRACES.host: TRACES.namespace}),
        *(
            _sidecar(within, caller.name, _seen_by(caller, services, mesh, models), caller.name)
            for caller in callers
        ),
    ]


def _seen_by(
    caller: Name, services: Services, mesh: Mesh, models: Sequence[ModelEntry]
) -> Mapping[str, str]:
    """Hosts, each with the namespace that it is told of in."""
    seen = {TRACES.host: TRACES.namespace}
    seen |= {service.host: service.namespace for service in services.called_by(caller)}
    for model in models:
        if address(model.id).host in seen:
            seen[balanced(model.id).host] = namespace(model.id)
            seen |= {host: _told_in(host) for host, _ in foreign_addresses(model)}
    for name, at in hosts(mesh).items():
        if caller in services.outside.get(name, ()):
            seen |= {host: _told_in(host) for host in at}
    return seen


def _told_in(host: str) -> str:
    """The namespace in which the mesh knows of a host: a service's own, or that of our entries."""
    if not is_inside(host):
        return ROOT_NAMESPACE
    return host.removesuffix(OF_THE_CLUSTER).rpartition(".")[2]


def _sidecar(within: str, name: str, seen: Mapping[str, str], app: str = "") -> Object:
    """app: of which pods; "" for all others of the namespace."""
    selector = {"workloadSelector": {"labels": {"app": app}}} if app else {}
    return networking(
        "Sidecar",
        within,
        name,
        **selector,
        egress=[{"hosts": sorted(f"{owner}/{host}" for host, owner in seen.items())}],
    )


def foreign_addresses(model: ModelEntry) -> Iterator[tuple[str, int]]:
    """Host and port of each server of others. Raises InvalidMesh for what is neither."""
    for address_ in sorted({version.address for version in model.foreign.values()}):
        try:
            host, port = read_address(address_)
        except ValueError as error:
            raise InvalidMesh(
                f"models/{model.id}/values.yaml: {address_} is no address for a cluster; write the"
                " whole name of a host, and its port"
            ) from error
        yield host, port


def _entry(
    name: str, at: Iterable[str], protocol: str, ports: Iterable[int], namespaces: Iterable[str]
) -> Object:
    return networking(
        "ServiceEntry",
        ROOT_NAMESPACE,
        name,
        hosts=sorted(at),
        exportTo=sorted(namespaces),
        location="MESH_EXTERNAL",
        resolution="DNS",
        ports=[
            {"number": port, "name": f"{protocol.lower()}-{port}", "protocol": protocol}
            for port in sorted(ports)
        ],
    )
