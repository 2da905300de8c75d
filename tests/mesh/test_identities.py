"""Who may call whom: each identity at each door of istio/services.yaml, by proxies of the mesh.

Those of callers refuse nothing by themselves here, as they know of all services: what is refused is
refused by the proxy of the service that is called, for the certificate that the caller shows.
"""

import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import grpc
import pytest
import yaml

from tests.mesh.api_server import ApiServer
from tests.mesh.callers import channel, line, page
from tests.mesh.istiod import Istiod
from tests.mesh.programs import Lines, Pages, Rpcs
from tests.mesh.proxy import Proxy
from tests.mesh.rig import ROOT, Rig, service, spoken
from tests.mesh.table import Door, doors
from tests.parts.polling import PATIENCE_S

DOORS = doors()
SERVICES = sorted({door.service for door in DOORS})
STRANGER = "default/default"
"""An account that no line of the table names."""
IDENTITIES = sorted({STRANGER, *SERVICES, *(one for door in DOORS for one in door.callers)})
PROMETHEUS = yaml.safe_load((ROOT / "deploy/prometheus/values.yaml").read_text())
HEALTH = "/grpc.health.v1.Health/Check"
"""At the gateway nothing else is let in without a token."""


@pytest.fixture(scope="module")
def proxies(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Proxy]]:
    """By identity: those of services have programs behind them."""
    with (
        Rig(api, mesh, tmp_path_factory.mktemp("identities")) as rig,
        Rpcs() as rpcs,
        Pages() as pages,
        Lines() as lines,
    ):
        programs = {"GRPC": rpcs.port, "HTTP": pages.port, "TCP": lines.port}
        workloads = []
        for identity in IDENTITIES:
            namespace, name = identity.split("/")
            answered = {
                door.port: (kind, programs[kind])
                for door in DOORS
                if door.service == identity
                for kind in (spoken(name, door.port),)
            }
            workloads.append(rig.workload(namespace, name, answered, track="stable"))
        ports = {one: {door.port for door in DOORS if door.service == one} for one in SERVICES}
        rig.apply([service(*one.split("/"), ports[one]) for one in SERVICES])
        yield dict(zip(IDENTITIES, rig.start(workloads), strict=True))


@pytest.mark.parametrize("identity", IDENTITIES)
def test_an_identity_gets_in_where_the_table_lets_it_and_nowhere_else(
    proxies: dict[str, Proxy], identity: str
) -> None:
    allowed, met = [], []
    for door in DOORS:
        for rpc in door.rpcs or [HEALTH]:
            allowed.append((door.service, door.port, rpc, identity in _let_in(door, rpc)))
            met.append((door.service, door.port, rpc, _gets_in(proxies[identity], door, rpc)))
    assert met == allowed


def test_an_rpc_that_the_table_does_not_name_is_refused_to_all(proxies: dict[str, Proxy]) -> None:
    door = next(door for door in DOORS if door.rpcs)
    assert [one for one in IDENTITIES if _gets_in(proxies[one], door, HEALTH)] == []


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.service}:{door.port}")
def test_plain_text_is_refused_at_each_door(proxies: dict[str, Proxy], door: Door) -> None:
    address = (proxies[door.service].workload.inbound, door.port)
    with socket.create_connection(address, timeout=PATIENCE_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: any\r\n\r\n")
        assert _received(plain) == b""


def test_tls_without_a_certificate_of_the_mesh_is_refused(proxies: dict[str, Proxy]) -> None:
    door = DOORS[0]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (proxies[door.service].workload.inbound, door.port)
    with (
        socket.create_connection(address, timeout=PATIENCE_S) as plain,
        pytest.raises(ssl.SSLError),
        context.wrap_socket(plain) as secured,
    ):
        secured.recv(1)  # with TLS 1.3 it is only told now


@pytest.mark.parametrize("identity", ["observability/prometheus", STRANGER])
def test_metrics_are_read_at_a_pod_s_own_address_by_prometheus_only(
    proxies: dict[str, Proxy], identity: str
) -> None:
    """With the certificate that its proxy has written, as deploy/prometheus has it scrape."""
    (job,) = yaml.safe_load(PROMETHEUS["extraScrapeConfigs"])
    files = {key: Path(file).name for key, file in job["tls_config"].items() if "file" in key}
    own = proxies[identity].certificates
    context = ssl.create_default_context(cafile=str(own / files["ca_file"]))
    context.check_hostname = False
    context.load_cert_chain(own / files["cert_file"], own / files["key_file"])
    scraped = [door for door in DOORS if "observability/prometheus" in door.callers]
    assert {door.port for door in scraped} == {8002, *range(9464, 9466), *range(9467, 9471), 9472}
    for door in scraped:
        inbound = proxies[door.service].workload.inbound
        pod = HTTPSConnection(inbound, door.port, timeout=PATIENCE_S, context=context)
        pod.request("GET", "/metrics")
        assert pod.getresponse().status == (403 if identity == STRANGER else 200)
        pod.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionResetError:
        return b""


def _let_in(door: Door, rpc: str) -> set[str]:
    """By all lines of the table."""
    return {
        caller
        for one in DOORS
        if (one.service, one.port) == (door.service, door.port)
        and (not one.rpcs or rpc in one.rpcs)
        for caller in one.callers
    }


def _gets_in(proxy: Proxy, door: Door, rpc: str) -> bool:
    """Fails where it is neither answered nor refused."""
    kind = spoken(door.service.split("/")[1], door.port)
    if kind == "TCP":
        return line(proxy, door.port) == b"anybody?\n"
    if kind == "HTTP":
        status = page(proxy, door.host, door.port)
        assert status in (200, 403)
        return status == 200
    with channel(proxy, door.host, door.port) as rpcs:
        answer = rpcs.call(rpc)
    refused = (grpc.StatusCode.PERMISSION_DENIED, "RBAC: access denied")
    assert answer in ((grpc.StatusCode.OK, ""), refused)
    return answer != refused
