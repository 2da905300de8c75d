"""A real istiod on the API server: its CA, its xDS, and its judgement of each object of Istio."""

import base64
import json
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import yaml

from tests.mesh.api_server import ApiServer, Object, Refused
from tests.mesh.processes import Process
from tests.parts.polling import wait_until
from tests.parts.ports import free_port

NAMESPACE = "istio-system"

_HOST = "localhost"

# Stock Envoy lacks Istio's own filters: these only tell of who calls in metrics.
_WITHOUT_OWN_FILTERS = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_TELEMETRY": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
}


class Istiod:
    """Runs inside `with`."""

    def __init__(
        self,
        api: ApiServer,
        tools: Path,
        directory: Path,
        *,
        meshConfig: Object,
        env: Mapping[str, str],
    ) -> None:
        """meshConfig, env: values of Istio's chart `istiod`."""
        self._api = api
        self._tools = tools
        self._directory = directory
        self._mesh_config = meshConfig
        self._environment = env
        self._running = ExitStack()
        self._monitoring = free_port()
        self.address = f"{_HOST}:{free_port()}"
        """Of its xDS and its CA, by TLS."""
        self.root_certificate = ""

    def __enter__(self) -> Self:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": NAMESPACE},
            "data": {"mesh": yaml.safe_dump(self._mesh_config)},
        }
        self._api.apply([namespace, config])
        crds = self._tools / "crds"
        self._api.kubectl("apply", "--server-side", "-f", crds)
        ready, webhooks = free_port(), free_port()
        process = self._running.enter_context(
            Process(
                [
                    *(self._tools / "pilot-discovery", "discovery"),
                    *("--kubeconfig", self._api.kubeconfig, "--namespace", NAMESPACE),
                    *("--httpAddr", f"127.0.0.1:{ready}", "--httpsAddr", f"127.0.0.1:{webhooks}"),
                    *("--grpcAddr", f"127.0.0.1:{free_port()}", "--secureGRPCAddr", self.address),
                    *("--monitoringAddr", f"127.0.0.1:{self._monitoring}", "--ctrlz_port", "0"),
                ],
                directory=self._directory,
                environment={
                    **self._environment,
                    **_WITHOUT_OWN_FILTERS,
                    "POD_NAMESPACE": NAMESPACE,
                    "POD_NAME": "istiod-0",
                    "CLUSTER_ID": "Kubernetes",
                    "PILOT_CERT_PROVIDER": "istiod",
                    "ISTIOD_ADDR": f"istiod.{NAMESPACE}.svc:15012",
                    "ISTIOD_CUSTOM_HOST": _HOST,  # in its certificate
                    "LOCAL_CERT_DIR": str(self._directory / "certificates"),
                    "ENABLE_LEADER_ELECTION": "false",
                    "INJECTION_WEBHOOK_CONFIG_NAME": "",
                    "VALIDATION_WEBHOOK_CONFIG_NAME": "",  # it would look for it in the cluster
                },
            )
        )
        process.wait_until(lambda: _answers(f"http://127.0.0.1:{ready}/ready"))
        wait_until(self._has_root_certificate)
        self._judge_by(webhooks)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _has_root_certificate(self) -> bool:
        with suppress(Refused):
            name = ("get", "configmap", "istio-ca-root-cert", "-o", "json")
            found = json.loads(self._api.kubectl("-n", NAMESPACE, *name))
            self.root_certificate = found["data"]["root-cert.pem"]
            return True
        return False

    def _judge_by(self, port: int) -> None:
        """Has the API server ask it before it takes an object, as an installation of Istio does."""
        root = base64.b64encode(self.root_certificate.encode()).decode()
        groups = ["security.istio.io", "networking.istio.io", "telemetry.istio.io"]
        rule = {"operations": ["CREATE", "UPDATE"], "apiGroups": groups, "apiVersions": ["*"]}
        webhook: dict[str, Any] = {
            "name": "rev.validation.istio.io",
            "clientConfig": {"url": f"https://{_HOST}:{port}/validate", "caBundle": root},
            "rules": [{**rule, "resources": ["*"]}],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        kind = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
        }
        self._api.apply([{**kind, "metadata": {"name": "istiod"}, "webhooks": [webhook]}])
        wait_until(self._judges)

    def _judges(self) -> bool:
        """Whether it refuses what its schema lets pass: the API server learns of it a bit later."""
        spec = {"hosts": ["*"], "http": [{}]}
        meaningless = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "meaningless", "namespace": NAMESPACE},
            "spec": spec,
        }
        try:
            self._api.apply([meaningless], "--dry-run=server")
        except Refused as error:
            return "rev.validation.istio.io" in str(error)
        return False


def _answers(address: str) -> bool:
    with suppress(OSError), urlopen(address) as response:  # noqa: S310
        return bool(response.status == 200)
    return False
