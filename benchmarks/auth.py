"""What it costs to ask callers for tokens: a gateway that does beside one that does not."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from benchmarks.against.turns import NEW, OLD, Turn, order, time_turn
from benchmarks.gateways import Gateway, gateway
from benchmarks.processes import Parts
from benchmarks.stack import RunningStack
from benchmarks.texts import write_bodies
from pmesh.stack.home import Home
from pmesh.stack.issuer import Issuer
from pmesh.stack.model_list import read_model_list

LINE = "REST at 64"
_HOUR_S = 3600
_NEVER = 10**9
"""Texts a second."""


@contextmanager
def gateways(stack: RunningStack) -> Iterator[Mapping[str, Gateway]]:
    """OLD without, NEW with an access policy."""
    issuer = Issuer(Home(stack.directory))
    policy = json.loads(issuer.write_policy(read_model_list()).read_text())
    policy["limits"] = {"caller": _NEVER, "model": _NEVER}  # counted, and never reached
    file = stack.directory / "benchmark-access.json"
    file.write_text(json.dumps(policy))
    access = {"PMESH_GATEWAY_ACCESS": str(file)}
    with gateway(stack, {}) as without:
        token = issuer.token(roles=["app"], ttl_s=_HOUR_S)
        with gateway(stack, access, token=token) as asking:
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
    bodies = write_bodies(texts, stack.directory)
    others: Parts = {name: pid for name, pid in stack.parts().items() if name != "gateway"}
    for pair in range(pairs):
        for side in order(pair, 0):
            asked = sides[side]
            parts = {**others, "gateway": asked.process.pid}
            load = partial(asked.rest, bodies)
            yield time_turn(parts, LINE, load, side, pair=pair, seconds=seconds)
