"""What it costs to ask callers for tokens: a gateway that does beside one that does not."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.against.turns import NEW, OLD, Turn, order, time_turn
from benchmarks.load import Load
from benchmarks.ports import free_port
from benchmarks.processes import PartDiedError, Parts
from benchmarks.questions import MODEL
from benchmarks.stack import RunningStack
from benchmarks.wrk import post_json
from database.logins import GATEWAY
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.issuer import Issuer
from pmesh.stack.model_list import read_model_list
from pmesh.stack.readiness import answers_http

LINE = "REST at 64"
IN_FLIGHT = 64
_START_S = 60.0
_HOUR_S = 3600
_NEVER = 10**9
"""Texts a second."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One of the two, on the stack's own database and Triton."""

    port: int
    process: "subprocess.Popen[bytes]"
    token: str
    """For it; "" if it asks for none."""

    def load(self, bodies: Path, seconds: float) -> Load:
        """What it answers in so long."""
        url = f"http://127.0.0.1:{self.port}/v1/models/{MODEL}:predict"
        return post_json(url, bodies, in_flight=IN_FLIGHT, seconds=seconds, token=self.token)


@contextmanager
def gateways(stack: RunningStack) -> Iterator[Mapping[str, Gateway]]:
    """OLD without, NEW with an access policy."""
    issuer = Issuer(Home(stack.directory))
    policy = json.loads(issuer.write_policy(read_model_list()).read_text())
    policy["limits"] = {"caller": _NEVER, "model": _NEVER}  # counted, and never reached
    file = stack.directory / "benchmark-access.json"
    file.write_text(json.dumps(policy))
    access = {"PMESH_GATEWAY_ACCESS": str(file)}
    with _gateway(stack, {}, "") as without:
        token = issuer.token(roles=["app"], ttl_s=_HOUR_S)
        with _gateway(stack, access, token) as asking:
            yield {OLD: without, NEW: asking}


def take_turns(
    stack: RunningStack,
    sides: Mapping[str, Gateway],
    texts: Sequence[str],
    *,
    pairs: int,
    seconds: int,
) -> Iterator[Turn]:
    """Both, again and again."""
    bodies = stack.directory / "bodies.jsonl"
    bodies.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    others: Parts = {name: pid for name, pid in stack.parts().items() if name != "gateway"}
    for pair in range(pairs):
        for side in order(pair, 0):
            gateway = sides[side]
            parts = {**others, "gateway": gateway.process.pid}
            load = partial(gateway.load, bodies)
            yield time_turn(parts, LINE, load, side, pair=pair, seconds=seconds)


@contextmanager
def _gateway(stack: RunningStack, access: Mapping[str, str], token: str) -> Iterator[Gateway]:
    port = free_port()
    folder = stack.directory / f"gateway-{port}"
    folder.mkdir()
    environment = {
        **base_environment(os.environ),
        **stack.postgres.environment(GATEWAY.name),
        **access,
        "PMESH_GATEWAY_PORT": str(port),
        "PMESH_GATEWAY_ADMIN_PORT": str(free_port()),
        "PMESH_GATEWAY_METRICS_PORT": str(free_port()),
        "PMESH_FEATURES_SPOOL": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            stack.program("gateway.main"), env=environment, cwd=folder, stderr=log
        )
    try:
        _wait_until_ready(process, port)
        yield Gateway(port=port, process=process, token=token)
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _START_S
    while not answers_http(port, "/readyz"):
        if process.poll() is not None or time.monotonic() > until:
            raise PartDiedError(f"a gateway at port {port} did not start")
        time.sleep(0.1)
