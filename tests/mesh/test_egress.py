"""What is called outside the mesh: by each app what istio/services.yaml lets it, and nothing else.

What is outside is a server here, to which the entries of istio/outside lead.
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from tests.mesh.api_server import ApiServer, Object
from tests.mesh.callers import page
from tests.mesh.istiod import Istiod
from tests.mesh.objects import to_run_here, visible
from tests.mesh.programs import Pages
from tests.mesh.proxy import Proxy
from tests.mesh.rig import Rig
from tests.mesh.table import outside
from tests.parts.certificate import make_certificate
from tests.parts.polling import PATIENCE_S, wait_until
from tests.parts.ports import free_port

HTTP = 8088
KNOWN, UNKNOWN = "known.example.com", "unknown.example.com"
ENTRIES = [one for one in to_run_here() if one["kind"] == "ServiceEntry"]
HOSTS = {host: one["metadata"]["name"] for one in ENTRIES for host in one["spec"]["hosts"]}
"""With what each is of: sns, sqs."""
STRANGER = "default/default"
"""In a namespace of which the mesh knows nothing."""
APPS = {**visible(), STRANGER: ["*/*"]}


@dataclass(frozen=True)
class Callers:
    """The proxy of each app, and the certificate of what is outside."""

    proxies: Mapping[str, Proxy]
    certificate: bytes


@pytest.fixture(scope="module")
def callers(
    api: ApiServer, mesh: Istiod, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callers]:
    folder = tmp_path_factory.mktemp("egress")
    with (
        Rig(api, mesh, folder / "mesh") as rig,
        _server(*make_certificate(folder)) as port,
        Pages() as pages,
    ):
        tls_ports = {app: free_port() for app in APPS}
        rig.change(ENTRIES, partial(_leading_to, port, list(tls_ports.values())))
        rig.apply([_known(pages.port)])
        workloads = [
            replace(
                rig.workload(*name.split("/")),
                hosts=[*hosts, f"predict-mesh/{KNOWN}"],
                tls_port=tls_ports[name],
            )
            for name, hosts in APPS.items()
        ]
        proxies = dict(zip(APPS, rig.start(workloads), strict=True))
        certificate = ssl.PEM_cert_to_DER_cert((folder / "localhost.pem").read_text())
        callers = Callers(proxies, certificate)
        for proxy in proxies.values():
            wait_until(lambda proxy=proxy: KNOWN in proxy.admin("clusters"))  # type: ignore[misc]
        yield callers


@pytest.mark.parametrize("app", APPS)
def test_an_app_calls_outside_what_the_table_lets_it_and_nothing_else(
    callers: Callers, app: str
) -> None:
    met = {host: _reaches(callers, app, host) for host in [*HOSTS, UNKNOWN]}
    allowed = {host: app in outside()[what] for host, what in HOSTS.items()}
    assert met == {**allowed, UNKNOWN: False}


def test_each_thing_outside_is_called_by_somebody() -> None:
    assert set(HOSTS.values()) == outside().keys()
    assert all(outside().values())


def test_who_is_not_known_outside_is_not_called(callers: Callers) -> None:
    proxy = callers.proxies["predict-mesh/relay"]
    assert page(proxy, KNOWN, HTTP) == 200
    assert page(proxy, UNKNOWN, HTTP) == 502


def _reaches(callers: Callers, app: str, host: str) -> bool:
    """By TLS to the server itself, whose certificate nobody on the way has."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = "127.0.0.1", callers.proxies[app].workload.tls_port
    try:
        with (
            socket.create_connection(address, timeout=PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return secured.getpeercert(binary_form=True) == callers.certificate
    except (ConnectionRefusedError, ConnectionResetError, ssl.SSLEOFError):
        return False


def _leading_to(server: int, ports: Sequence[int], entry: Object) -> Object:
    """By one port for each app, as each proxy listens on all addresses here."""
    (listed,) = entry["spec"]["ports"]
    own = [{**listed, "number": port, "name": f"tls-{port}"} for port in ports]
    endpoint = {"address": "127.0.0.1", "ports": {one["name"]: server for one in own}}
    more = {"ports": own, "resolution": "STATIC", "endpoints": [endpoint]}
    return {**entry, "spec": {**entry["spec"], **more}}


def _known(port: int) -> Object:
    spec = {
        "hosts": [KNOWN],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": [{"number": HTTP, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": port}}],
    }
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "known", "namespace": "predict-mesh"},
        "spec": spec,
    }


@contextmanager
def _server(certificate: Path, key: Path) -> Iterator[int]:
    """Its port, at which it ends TLS and says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
