"""A mesh on this machine: the services of istio/services.yaml, and a proxy for each identity."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

from tests.mesh.api_server import ApiServer, Object, namespaces
from tests.mesh.istiod import Istiod
from tests.mesh.proxy import Proxy, Workload

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "build" / "mesh-tools" / "current"

# What is spoken at the ports that are not HTTP's, in the words of Istio.
_SPOKEN = {"gateway": {8080: "GRPC"}, "triton": {8001: "GRPC"}, "postgres": {5432: "TCP"}}


def spoken(service: str, port: int) -> str:
    """At a port of a service (its name without the namespace)."""
    return _SPOKEN.get(service, {}).get(port, "HTTP")


class Rig:
    """Starts proxies, and has istiod know of them; ends them at the end of `with`."""

    def __init__(self, api: ApiServer, istiod: Istiod, directory: Path) -> None:
        self.api = api
        self._istiod = istiod
        self._directory = directory
        self._running = ExitStack()
        # Another session of tests has other addresses: the ports at them are those of services.
        self._network = ".".join(str(random.randint(1, 250)) for _ in range(2))  # noqa: S311
        self._numbers = count(1)
        self._objects: list[Object] = []
        self._changed: list[Object] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()
        self.api.delete(self._objects)
        if self._changed:
            self.api.apply(self._changed)

    def apply(self, objects: Sequence[Object]) -> None:
        """Until the end."""
        self.api.apply(namespaces(one["metadata"]["namespace"] for one in objects))
        self._objects += objects
        self.api.apply(objects)

    def change(self, objects: Sequence[Object], to: Callable[[Object], Object]) -> None:
        """Have these of the mesh otherwise, until the end."""
        self._changed += objects
        self.api.apply(list(map(to, objects)))

    def workload(
        self,
        namespace: str,
        account: str,
        ports: Mapping[int, tuple[str, int]] | None = None,
        **labels: str,
    ) -> Workload:
        """ports: what is spoken at each, and which port here answers. labels: besides app."""
        number = next(self._numbers)
        return Workload(
            name=f"{account}-{number}",
            namespace=namespace,
            account=account,
            labels={"app": account, **labels},
            inbound=f"127.{self._network}.{number}",
            outbound=f"127.{self._network}.{number + 100}",
            ports=ports or {},
        )

    def start(self, workloads: Sequence[Workload]) -> list[Proxy]:
        """Once all are ready."""
        self.apply(
            [
                *accounts(workloads),
                *(one for workload in workloads for one in workload.objects),
            ]
        )
        proxies = [
            Proxy(
                workload,
                api=self.api,
                istiod=self._istiod,
                tools=TOOLS,
                directory=self._directory / workload.name,
            )
            for workload in workloads
        ]
        for proxy in proxies:
            self._running.enter_context(proxy)
        for proxy in proxies:
            proxy.wait_until_ready()
        return proxies


def accounts(workloads: Iterable[Workload]) -> list[Object]:
    """Their service accounts."""
    named = {(workload.namespace, workload.account) for workload in workloads}
    kind = {"apiVersion": "v1", "kind": "ServiceAccount"}
    return [
        {**kind, "metadata": {"namespace": namespace, "name": name}}
        for namespace, name in sorted(named)
    ]


def service(namespace: str, name: str, ports: Iterable[int], *, app: str = "") -> Object:
    """One of Kubernetes, of the workloads with its name, or another one, as label `app`."""
    app = app or name
    listed = [
        {"name": f"{spoken(app, port).lower()}-{port}", "port": port} for port in sorted(ports)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": {"app": app}, "ports": listed},
    }
