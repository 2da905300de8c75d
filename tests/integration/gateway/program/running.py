"""The gateway's program on a real database, with a model server that does as it is told."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import numpy as np
import numpy.typing as npt
import psycopg
from predict.v1.model_service_pb2 import SetTrafficRequest

from database.logins import GATEWAY
from database.registration import Registration, register_models
from rollout.store import ReleaseStore
from tests.parts.catalog import environment
from tests.parts.claims import LABELS
from tests.parts.doors import Grpc, Rest
from tests.parts.oip_server import OipServer
from tests.parts.polling import wait_until
from tests.parts.ports import free_port
from tests.parts.postgres import Database
from tests.parts.requests import Requests

CALLER_HEADER = "x-caller"
MAX_WAITING = 8
MAX_CALL_S = 7  # longer than a list may take
NOBODY = "127.0.0.1:1"
"""Where no server is."""


class Model:
    """Answers at once, unless it is held; fails on the text "poison"."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()
        self.asked = False

    def answer(self, texts: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        self.asked = True
        self._free.wait(100)
        if "poison" in texts:
            raise ValueError("of the model")
        return {"scores": np.full((len(texts), 3), [0.25, 0.25, 0.5], np.float32)}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is answered inside."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()


class Running:
    """A gateway and what it works with; the models are in `register`."""

    def __init__(
        self,
        port: int,
        database: Database,
        model: Model,
        start: Callable[[], "subprocess.Popen[bytes]"],
        model_address: str,
        metrics_url: str,
    ) -> None:
        self._start = start
        self.process = start()
        self.model_address = model_address
        self.metrics_url = metrics_url
        self.address = f"127.0.0.1:{port}"
        self.grpc = Grpc(grpc.insecure_channel(self.address))
        url = f"http://{self.address}"
        self.rest = Rest(httpx.Client(base_url=url, timeout=30, trust_env=False))
        self.database = database
        self.requests = Requests(database)
        self.model = model

    def restart(self) -> None:
        """Kill the gateway and start it anew, without waiting for it."""
        self.process.kill()
        self.process.wait(100)
        self.process = self._start()

    def close(self) -> None:
        self.grpc.channel.close()
        self.rest.client.close()


def register(database: Database, address: str) -> None:
    """The models: "sentiment" answers, "silent" has no server, "unreleased" no traffic."""
    models = [
        Registration(id=id_, description="", labels=list(LABELS["sentiment"]), address=where)
        for id_, where in (("sentiment", address), ("silent", NOBODY), ("unreleased", address))
    ]
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        register_models(connection, models)
        store = ReleaseStore(connection)
        for model in ("sentiment", "silent"):
            store.set_version(model, "12", "SERVING")


@contextmanager
def running(database: Database, spool: str, *, max_waiting: int = MAX_WAITING) -> Iterator[Running]:
    """Serves inside."""
    model = Model()
    with OipServer(model.answer, model="*", version="12") as server:
        register(database, server.address)
        port, admin_port, metrics_port = free_port(), free_port(), free_port()
        variables = {
            **os.environ,
            **environment(database, GATEWAY),
            "PMESH_GATEWAY_PORT": str(port),
            "PMESH_GATEWAY_ADMIN_PORT": str(admin_port),
            "PMESH_GATEWAY_METRICS_PORT": str(metrics_port),
            "PMESH_GATEWAY_CALLER_HEADER": CALLER_HEADER,
            "PMESH_GATEWAY_MAX_WAITING": str(max_waiting),
            "PMESH_GATEWAY_MAX_CALL_S": str(MAX_CALL_S),
            "PMESH_GATEWAY_DRAIN_S": "1",
            "PMESH_FEATURES_SPOOL": spool,
        }

        def start() -> "subprocess.Popen[bytes]":
            return subprocess.Popen([sys.executable, "-m", "gateway.main"], env=variables)

        metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        found = Running(port, database, model, start, server.address, metrics_url)
        try:
            wait_until(lambda: _serves(found.rest.client))
            for name in ("sentiment", "silent"):
                split = SetTrafficRequest(model=name, traffic=[{"version": "12", "percent": 100}])
                assert found.grpc.call("SetTraffic", split).message
            yield found
        finally:
            found.close()
            found.process.send_signal(signal.SIGTERM)
            found.process.wait(100)


def _serves(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
