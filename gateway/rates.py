"""How many texts a second a caller may send, and all callers of a model: at this gateway.

Token buckets, each of which holds as many tokens as come in one second. Of a bucket, only the time
is kept at which it is full again: a token that is taken moves that by one text's share of a second.
"""

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from contract.access import Limits
from contract.access_errors import RateLimited
from gateway.metrics import Limited

BURST_S = 1.0
MOST = 10_000
"""Buckets of a kind that are remembered."""
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
            if limit.wait_s(name) > 0:
                self._limited.count(limit.kind)
                raise RateLimited(limit.kind, limit.rate_of(name))
        for limit, name in asked:
            limit.take(name)

    async def turn(self, caller: str, model: str) -> None:
        """Wait until one text may pass; those that wait for one limit go in turn."""
        if self._are_any:
            await self._caller.turn(caller)
            await self._model.turn(model)


class _Limit:
    """One bucket for each name."""

    def __init__(
        self, kind: str, rate_of: Callable[[str], int], clock: Callable[[], float]
    ) -> None:
        """rate_of: texts a second, by name; 0: no limit."""
        self.kind = kind
        self.rate_of = rate_of
        self._clock = clock
        self._full_at: dict[str, float] = {}
        """One that is not here is full."""
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def wait_s(self, name: str) -> float:
        """Seconds until there is a token; 0: there is one."""
        if not (rate := self.rate_of(name)):
            return 0
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now) + 1 / rate
        return max(full_at - now - BURST_S - _ROUNDING_S, 0)

    def take(self, name: str) -> None:
        """Take a token that is there."""
        if not (rate := self.rate_of(name)):
            return
        now = self._clock()
        self._full_at[name] = max(self._full_at.get(name, now), now) + 1 / rate
        if len(self._full_at) > MOST:
            self._forget(now)

    async def turn(self, name: str) -> None:
        """Wait for a token and take it."""
        line = self._lines.setdefault(name, asyncio.Lock())
        async with line:
            # Again and again, for those who do not wait come between.
            while wait_s := self.wait_s(name):  # noqa: ASYNC110
                await asyncio.sleep(wait_s)
            self.take(name)

    def _forget(self, now: float) -> None:
        """The full buckets, of which nothing is lost; where all are in use, the fuller half."""
        self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        if len(self._full_at) > MOST // 2:
            emptiest = sorted(self._full_at.items(), key=lambda bucket: bucket[1], reverse=True)
            self._full_at = dict(emptiest[: MOST // 2])
