"""Whether the servers of the versions answer, as far as this worker has seen.

A claim counts as an attempt from the first time that its server was asked with its text and did not
refuse it for having too much to do; one that only waited is given back as none.
"""

import asyncio
import logging
import math
from dataclasses import dataclass

from bus.outages import Stopping, sleep
from model_runtime.claims import Claim
from model_runtime.servers import Servers

log = logging.getLogger(__name__)

RECENT_S = 5.0  # who answered this long ago is not asked for a sign of life
LOOK_S = 1.0  # between looks for one that is away
PATIENCE_S = 3.0  # after it went away, work waits here for so long
MIN_PAUSE_S = 5
MAX_PAUSE_S = 30


class Away(Exception):
    """The server of a version does not take work, which is better given back for a while."""

    def __init__(self, pause_s: int = MIN_PAUSE_S) -> None:
        super().__init__()
        self.pause_s = pause_s


@dataclass(slots=True)
class _Outage:
    start: float
    next_look: float = 0.0


class Availability:
    """Of each version at each address. All times are of the loop's clock."""

    def __init__(self, *, model: str, servers: Servers, stop: asyncio.Event) -> None:
        self._model = model
        self._servers = servers
        self._stop = stop
        self._clock = asyncio.get_running_loop().time
        self._answered: dict[tuple[str, str], float] = {}
        self._outages: dict[tuple[str, str], _Outage] = {}

    async def wait(self, claim: Claim) -> bool:
        """Until the version of a claim answers; says whether that took more than a look.

        Raises Away if it has not answered for longer than patience lasts, and Stopping.
        """
        waited = False
        while not await self._answers(claim):
            age_s = self._clock() - self._outages[_key(claim)].start
            if age_s >= PATIENCE_S:
                raise Away(pause_s(age_s))
            await sleep(LOOK_S, self._stop)
            if self._stop.is_set():
                raise Stopping
            waited = True
        return waited

    def note_answer(self, claim: Claim) -> None:
        """The version has just answered."""
        self._answered[_key(claim)] = self._clock()
        if self._outages.pop(_key(claim), None):
            log.info("version %s answers again", claim.version)

    def note_failure(self, claim: Claim) -> None:
        """The version has just not answered."""
        now = self._clock()
        self._answered.pop(_key(claim), None)
        if _key(claim) not in self._outages:
            log.warning("version %s does not answer at %s", claim.version, claim.address)
        self._outages.setdefault(_key(claim), _Outage(now)).next_look = now + LOOK_S

    async def _answers(self, claim: Claim) -> bool:
        """Whether it answers now; while it is away, one piece of work looks for all."""
        now = self._clock()
        if now - self._answered.get(_key(claim), -math.inf) < RECENT_S:
            return True
        if outage := self._outages.get(_key(claim)):
            if now < outage.next_look:
                return False
            outage.next_look = math.inf
        answers = await self._servers.at(claim.address).is_well(self._model, claim.version)
        (self.note_answer if answers else self.note_failure)(claim)
        return answers


def pause_s(age_s: float) -> int:
    """How long work for a version that has been away for age_s stays away."""
    return round(min(MAX_PAUSE_S, max(MIN_PAUSE_S, age_s / 2)))


def _key(claim: Claim) -> tuple[str, str]:
    return claim.address, claim.version
