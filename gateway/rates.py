"""How many texts a second a caller may send, and all callers of a model: at this gateway.

Token buckets, each of which holds as many tokens as come in one second. Of a bucket, only the time
is kept at which it is full again: a token that is taken moves that by one text's share of a second.

Each of the callers of a model has a share of its limit, which he gets though others would take all:
on credit, where the bucket is empty, and they wait the longer for it. What some leave of their
shares is for whoever comes.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field

from contract.access import Limits
from contract.access_errors import RateLimited
from gateway.line import Line
from gateway.metrics.texts import Limited

BURST_S = 1.0
MOST = 10_000
"""Buckets of a kind that are remembered, and callers of a bucket."""
_ROUNDING_S = 1e-6


class Rates:
    """The limits of an access policy, for each text."""

    def __init__(self, limits: Limits, limited: Limited, clock: Callable[[], float]) -> None:
        """clock: in seconds; that of the event loop."""
        self._limited = limited
        self._caller = _Limit("caller", lambda _: limits.caller, clock)
        self._model = _Limit("model", lambda model: limits.models.get(model, limits.model), clock)
        self._are_any = bool(limits.caller or limits.model or limits.models)

    def take(self, caller: str, model: str) -> None:
        """Let one text pass. Raises RateLimited, and then takes from neither limit."""
        if not self._are_any:
            return
        asked = ((self._caller, caller), (self._model, model))
        for limit, name in asked:
            if not limit.allows(name, caller):
                self._limited.count(limit.kind)
                raise RateLimited(limit.kind, limit.rate_of(name))
        for limit, name in asked:
            limit.take(name, caller)

    async def turn(self, caller: str, model: str) -> None:
        """Wait until one text may pass; the callers who wait for one limit go in turn."""
        if self._are_any:
            await self._caller.turn(caller, caller)
            await self._model.turn(model, caller)


@dataclass(slots=True)
class _Bucket:
    full_at: float
    shares: dict[str, float] = field(default_factory=dict)
    """When each of the callers of late has a right to a token, the last one served last."""


class _Limit:
    """One bucket for each name."""

    def __init__(
        self, kind: str, rate_of: Callable[[str], int], clock: Callable[[], float]
    ) -> None:
        """rate_of: texts a second, by name; 0: no limit."""
        self.kind = kind
        self.rate_of = rate_of
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        """One that is not here is full."""
        self._lines: dict[str, Line] = {}

    def allows(self, name: str, caller: str) -> bool:
        """Whether there is a token for this caller, who does not wait for one."""
        if name in self._lines and self._lines[name].first() != caller:
            return self._share_s(name, caller) <= 0
        return self._wait_s(name, caller) <= 0

    def take(self, name: str, caller: str) -> None:
        """Take a token that is there, or that comes to this caller."""
        if not (rate := self.rate_of(name)):
            return
        now = self._clock()
        if (bucket := self._buckets.get(name)) is None:
            bucket = self._buckets[name] = _Bucket(now)
        bucket.full_at = max(bucket.full_at, now) + 1 / rate
        shares = bucket.shares
        shares.pop(caller, None)
        while shares and (shares[first := next(iter(shares))] < now - BURST_S or _many(shares)):
            del shares[first]
        shares[caller] = now + (len(shares) + 1) / rate
        if _many(self._buckets):
            self._forget(now)

    async def turn(self, name: str, caller: str) -> None:
        """Wait for a token and take it."""
        if not self.rate_of(name):
            return
        is_first = name not in self._lines
        line = self._lines.setdefault(name, Line())
        waiting = line.join(caller)
        if is_first:
            self._serve(name)
        await waiting

    def _serve(self, name: str) -> None:
        """Give those who wait what is there, and come back for the others."""
        line = self._lines[name]
        while (caller := line.first()) is not None:
            if (wait_s := self._wait_s(name, caller)) > 0:
                loop = asyncio.get_running_loop()
                # Of nobody's request: all who wait are served.
                loop.call_later(wait_s, self._serve, name, context=Context())
                return
            self.take(name, caller)
            line.call(caller)
        del self._lines[name]

    def _wait_s(self, name: str, caller: str) -> float:
        """Seconds until there is a token for a caller, if nobody else takes it."""
        token_s = self._token_s(name)
        return token_s and min(token_s, self._share_s(name, caller))

    def _token_s(self, name: str) -> float:
        """Seconds until there is a token for anybody."""
        if not (rate := self.rate_of(name)) or (bucket := self._buckets.get(name)) is None:
            return 0
        now = self._clock()
        full_at = max(bucket.full_at, now) + 1 / rate
        return max(full_at - now - BURST_S - _ROUNDING_S, 0)

    def _share_s(self, name: str, caller: str) -> float:
        """Seconds until a token is this caller's though the bucket be empty; on credit there is
        another second's worth."""
        if (bucket := self._buckets.get(name)) is None:
            return 0
        due_s = bucket.shares.get(caller, 0) - self._clock() - _ROUNDING_S
        return max(due_s, self._token_s(name) - BURST_S)

    def _forget(self, now: float) -> None:
        """The full buckets, of which nothing is lost; where all are in use, the fuller half."""
        used = sorted(self._buckets.items(), key=lambda item: item[1].full_at, reverse=True)
        used = [(name, bucket) for name, bucket in used if bucket.full_at > now]
        self._buckets = dict(used[: MOST // 2] if len(used) > MOST // 2 else used)


def _many(remembered: dict[str, float] | dict[str, _Bucket]) -> bool:
    return len(remembered) > MOST
