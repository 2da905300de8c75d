"""A real Kubernetes API server on its etcd: admission, defaults and stored objects; no nodes."""

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

import yaml

from tests.mesh.processes import Process
from tests.parts.ports import free_port

Object = Mapping[str, Any]

_TOKEN = "of-the-tests"  # noqa: S105


class ApiServer:
    """Serves inside `with`, on loopback; `kubectl` there may do everything."""

    def __init__(self, tools: Path, directory: Path) -> None:
        """tools: of tests/mesh/tools/build.sh. directory: for all that it keeps."""
        self._tools = tools
        self._directory = directory
        self._running = ExitStack()
        self._port = free_port()
        self.kubeconfig = directory / "kubeconfig"

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True)
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        key = self._directory / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (self._directory / "tokens.csv").write_text(f"{_TOKEN},admin,admin,system:masters\n")
        self.kubeconfig.write_text(json.dumps(self._kubeconfig()))
        self._running.enter_context(
            Process(
                [
                    *(self._tools / "etcd", "--data-dir", "etcd", "--unsafe-no-fsync"),
                    *("--listen-client-urls", client, "--advertise-client-urls", client),
                    *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                    *("--initial-cluster", f"default={peer}"),
                ],
                directory=self._directory,
            )
        )
        server = self._running.enter_context(
            Process(
                [
                    *(self._tools / "kube-apiserver", "--etcd-servers", client),
                    *("--bind-address", "127.0.0.1", "--secure-port", str(self._port)),
                    *("--advertise-address", "127.0.0.1", "--cert-dir", "certificates"),
                    *("--service-account-key-file", key, "--service-account-signing-key-file", key),
                    *("--service-account-issuer", "https://kubernetes.default.svc"),
                    *("--service-cluster-ip-range", "10.96.0.0/16"),
                    *("--token-auth-file", "tokens.csv", "--authorization-mode", "RBAC"),
                ],
                directory=self._directory,
            )
        )
        server.wait_until(self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
        shutil.rmtree(self._directory / "etcd", ignore_errors=True)

    def kubectl(self, *arguments: str | Path, given: str | None = None) -> str:
        """What it prints. given: its standard input. Raises Refused."""
        return self.run("kubectl", *arguments, given=given)

    def helm(self, *arguments: str | Path) -> str:
        """What it prints. Raises Refused."""
        return self.run("helm", *arguments)

    def run(self, tool: str, *arguments: str | Path, given: str | None = None) -> str:
        """One of the tools, with every right here. Raises Refused."""
        environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "HOME": str(self._directory / "home"),
            "PATH": "/usr/bin:/bin",
        }
        try:
            return subprocess.run(
                [self._tools / tool, *arguments],
                input=given,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        except subprocess.CalledProcessError as error:
            raise Refused(error.stderr) from error

    def apply(self, objects: Iterable[Object], *options: str) -> None:
        """Have these objects, as they are; a field that their kind lacks is refused.

        Raises Refused.
        """
        documents = yaml.safe_dump_all(list(objects))
        flags = ("--server-side", "--force-conflicts", "--validate=strict", *options)
        self.kubectl("apply", *flags, "-f", "-", given=documents)

    def delete(self, objects: Iterable[Object]) -> None:
        """Have them no longer."""
        self.kubectl(
            "delete",
            "--ignore-not-found",
            "--wait=false",
            "-f",
            "-",
            given=yaml.safe_dump_all(list(objects)),
        )

    def patch_status(self, kind: str, namespace: str, name: str, status: Object) -> None:
        """As a controller does, of which there are none here."""
        patch = json.dumps({"status": status})
        options = ("--subresource=status", "--type=merge", "-p", patch)
        self.kubectl("-n", namespace, "patch", kind, name, *options)

    def _is_ready(self) -> bool:
        with suppress(OSError):
            address = f"https://127.0.0.1:{self._port}/readyz"
            request = Request(address, headers={"Authorization": f"Bearer {_TOKEN}"})
            certificate = self._directory / "certificates" / "apiserver.crt"
            context = ssl.create_default_context(cafile=str(certificate))
            with urlopen(request, context=context) as response:  # noqa: S310
                return bool(response.status == 200)
        return False

    def _kubeconfig(self) -> Object:
        server = {
            "server": f"https://127.0.0.1:{self._port}",
            "certificate-authority": str(self._directory / "certificates" / "apiserver.crt"),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
            "current-context": "tests",
        }


def namespaces(names: Iterable[str]) -> list[Object]:
    """With these names."""
    kind = {"apiVersion": "v1", "kind": "Namespace"}
    return [{**kind, "metadata": {"name": name}} for name in sorted(set(names))]


class Refused(Exception):
    """What the API server said instead of taking it."""
