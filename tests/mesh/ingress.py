"""The ingress of the mesh, asked from outside: a proxy that ends TLS.

It is what Istio's chart `gateway` installs by the name `ingress`, with a certificate of the tests'
own, which istiod hands to it out of the secret that istio/ingress names.
"""

import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import grpc

from tests.mesh.api_server import Object
from tests.mesh.callers import Channel
from tests.mesh.objects import named
from tests.mesh.proxy import Proxy, Workload
from tests.mesh.rig import Rig
from tests.parts.certificate import make_certificate
from tests.parts.mesh_list import MESH
from tests.parts.polling import PATIENCE_S

NAMESPACE, NAME = "istio-ingress", "ingress"
HOSTS = (MESH.host, MESH.label_host)
HTTPS, HTTP = 443, 80
LISTENS = {HTTPS: 8443, HTTP: 8080}
"""Where it does, of the ports that its Service has: those are for root only."""

LOCALITY = "eu/a"


@dataclass(frozen=True)
class Answer:
    """To a request by HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Ingress:
    """Reached as from outside the mesh."""

    proxy: Proxy
    certificate: Path

    def context(self) -> ssl.SSLContext:
        """Of TLS, for who trusts the certificate and looks at its names."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def connect(self, port: int) -> socket.socket:
        """To one of the ports of the Service."""
        address = (self.proxy.workload.inbound, LISTENS[port])
        return socket.create_connection(address, timeout=PATIENCE_S)

    def secured(self, host: str | None, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """host: which the client says it looks for; None: it says nothing."""
        context = context or self.context()
        return context.wrap_socket(self.connect(HTTPS), server_hostname=host)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        host: str,
        sni: str = "",
    ) -> Answer:
        """A request by HTTPS. sni: another host for TLS than for HTTP."""
        return _ask(
            self.secured(sni or host), method, path, {"Host": host, **(headers or {})}, body
        )

    def ask_plainly(self, method: str, path: str, *, host: str) -> Answer:
        """A request by HTTP."""
        return _ask(self.connect(HTTP), method, path, {"Host": host}, b"")

    def channel(self, host: str) -> grpc.Channel:
        """By which nothing is tried again."""
        credentials = grpc.ssl_channel_credentials(self.certificate.read_bytes())
        target = f"{self.proxy.workload.inbound}:{LISTENS[HTTPS]}"
        options = [("grpc.ssl_target_name_override", host), ("grpc.enable_retries", 0)]
        return grpc.secure_channel(target, credentials, options=options)

    def rpcs(self, host: str) -> Channel:
        """Any of them."""
        return Channel(self.channel(host))


def start_ingress(rig: Rig, folder: Path, others: Sequence[Workload]) -> Ingress:
    """With the proxies of others. folder: for its certificate."""
    file, key = make_certificate(folder, name=HOSTS[0], also=HOSTS[1:])
    workload = rig.workload(NAMESPACE, NAME, istio=NAME)
    workload = replace(workload, is_ingress=True, locality=LOCALITY)
    rig.apply([_secret(file, key), *_may_read_secrets(), _service()])
    gateway = named("Gateway", NAMESPACE, NAME)
    rig.change([gateway], partial(_listening_at, workload.inbound))
    proxy, *_ = rig.start([workload, *others])
    return Ingress(proxy, file)


def _listening_at(address: str, gateway: Object) -> Object:
    """Of its own, where a pod has all for itself."""
    servers = [{**server, "bind": address} for server in gateway["spec"]["servers"]]
    return {**gateway, "spec": {**gateway["spec"], "servers": servers}}


def _secret(file: Path, key: Path) -> Object:
    data = {"tls.crt": file.read_text(), "tls.key": key.read_text()}
    secret = _object("v1", "Secret", "predict-mesh-tls")
    return {**secret, "type": "kubernetes.io/tls", "stringData": data}


def _may_read_secrets() -> list[Object]:
    """istiod asks for this right of the ingress before it hands it a secret."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}
    account = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": NAME}
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}]
    group = "rbac.authorization.k8s.io/v1"
    return [
        {**_object(group, "Role", NAME), "rules": rules},
        {**_object(group, "RoleBinding", NAME), "roleRef": role, "subjects": [account]},
    ]


def _service() -> Object:
    ports = [
        {"name": name, "port": port, "targetPort": LISTENS[port]}
        for name, port in (("https", HTTPS), ("http2", HTTP))
    ]
    spec = {"selector": {"istio": NAME}, "ports": ports}
    return {**_object("v1", "Service", NAME), "spec": spec}


def _object(version: str, kind: str, name: str) -> Object:
    metadata = {"namespace": NAMESPACE, "name": name}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _ask(
    over: socket.socket, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    connection = HTTPConnection("from-outside")
    connection.sock = over
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        answer = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answer, response.read())
    finally:
        connection.close()
