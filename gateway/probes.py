"""Which versions answer: each one in use is asked every few seconds, beside its work."""

import asyncio
from collections.abc import Callable, Collection
from typing import NamedTuple

from contract.errors import DeadlineExceeded, ModelUnavailable
from inference.server import ModelServer

ROUND_S = 2.0
"""Between two questions to a version."""
TICK_S = 0.5
"""Between two questions to one that does not answer."""
SILENCE_S = 3.0
"""Without a word for so long, a server is away, unless it is at work: most, but not all, tell
whether a version is ready beside their inferences."""


class Place(NamedTuple):
    """A version, where it runs."""

    model: str
    version: str
    address: str
    """As inference.addresses."""


class Probes:
    """Tells which versions are known not to answer; knows more while `run` runs."""

    def __init__(
        self,
        *,
        places: Callable[[], Collection[Place]],
        server: Callable[[str], ModelServer],
        on_away: Callable[[Place], None],
        working_s: Callable[[Place], float | None],
        patience_s: float,
    ) -> None:
        """places: the versions in use, as they now are. server: of an address.

        on_away: told of each version that does not answer any more.
        working_s: for how long a version is at work on what it was given; None: it is not.
        patience_s: for which one that is at work may be silent: some servers answer nothing beside.
        """
        self._places = places
        self._server = server
        self._on_away = on_away
        self._working_s = working_s
        self._patience_s = patience_s
        self._clock = asyncio.get_running_loop().time
        self.away: set[Place] = set()
        """The versions that do not answer."""
        self._doubted: set[Place] = set()
        self._answered: dict[Place, float] = {}
        self._due: dict[Place, float] = {}
        self._asking: dict[Place, asyncio.Task[None]] = {}

    def has_answered(self, place: Place) -> None:
        """A call was answered: whoever answers is not away, whatever a probe says."""
        self._answered[place] = self._clock()

    def doubt(self, place: Place) -> None:
        """A call was not answered as it should be: the next probe is an inference."""
        self._doubted.add(place)
        self._due.pop(place, None)

    async def ask_all(self) -> None:
        """Learn of all versions in use; takes seconds where one is silent."""
        await asyncio.gather(*(self._ask(place) for place in self._places()))

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                self._ask_who_is_due(set(self._places()))
                await asyncio.sleep(TICK_S)
        finally:
            for task in list(self._asking.values()):
                task.cancel()

    def _ask_who_is_due(self, places: set[Place]) -> None:
        self.away &= places
        self._doubted &= places
        self._due = {place: due for place, due in self._due.items() if place in places}
        self._answered = {place: at for place, at in self._answered.items() if place in places}
        now = self._clock()
        for place in places - self._asking.keys():
            if self._due.get(place, now) <= now:
                # One silent server delays nobody's question to another.
                self._asking[place] = asyncio.create_task(self._ask_alone(place))

    async def _ask_alone(self, place: Place) -> None:
        try:
            await self._ask(place)
        finally:
            del self._asking[place]

    async def _ask(self, place: Place) -> None:
        began = self._clock()
        self._due[place] = began + ROUND_S
        answers = await self._answers(place)
        if answers or self._answered.get(place, 0.0) > began:
            self.away.discard(place)
            return
        self._due[place] = self._clock() + TICK_S
        if place not in self.away:
            self.away.add(place)
            self._on_away(place)

    async def _answers(self, place: Place) -> bool:
        doubted = place in self._doubted or place in self.away
        self._doubted.discard(place)
        server = self._server(place.address)
        try:
            ready = await server.is_ready(place.model, place.version, timeout_s=SILENCE_S)
        except ModelUnavailable:
            return False
        except DeadlineExceeded:
            working_s = self._working_s(place)
            if working_s is not None and working_s < self._patience_s:
                return True
            # Another one of its servers may answer.
            return server.may_be_several and await server.is_well(place.model, place.version)
        # Triton calls a version ready whose process is dead: only an inference shows it.
        return (ready and not doubted) or await server.is_well(place.model, place.version)
