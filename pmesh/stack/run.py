"""One run of a stack, from its lock to its last part's end."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence

from pmesh.stack.home import Home
from pmesh.stack.leftovers import end_leftovers
from pmesh.stack.logs import keep_small, rotate
from pmesh.stack.part import Part
from pmesh.stack.processes import start_time
from pmesh.stack.status import PartStatus, StackStatus, State, read_status, write_status
from pmesh.stack.supervisor import PartsFailedError, Supervisor

log = logging.getLogger(__name__)

_LOGS_S = 60.0
"""From one look at how large the logs are to the next."""


class StackRun:
    """Runs parts on a data directory whose lock the caller holds."""

    def __init__(
        self,
        home: Home,
        parts: Callable[[], Sequence[Part]],
        *,
        gateway_port: int,
        ports: Mapping[str, int],
        replicas: bool = False,
        observed: bool = False,
    ) -> None:
        """parts: asked at the start, and again at each SIGUSR1."""
        self._home = home
        self._gateway_port = gateway_port
        self._ports = ports
        self._replicas = replicas
        self._observed = observed
        self._state = State.STARTING
        self._failed: list[str] = []
        self._stop, self._kill = asyncio.Event(), asyncio.Event()
        self._again = asyncio.Event()
        self._parts = parts
        self._supervisor = Supervisor(
            parts(), log=home.log, environment=home.environment, changed=self._write
        )

    async def run(self) -> None:
        """Start the parts, stay until SIGTERM, SIGINT or SIGHUP, then stop them.

        A second signal kills them. Raises PartsFailedError when the stack could not start.
        """
        end_leftovers(read_status(self._home.status))
        rotate(self._home.logs)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._again.set)
        keeping = asyncio.create_task(self._keep_logs_small())
        try:
            if await _unless(self._stop, self._supervisor.start()):
                self._enter(State.READY)
                while await _unless(self._stop, self._wait_for_other_parts()):
                    pass
        except PartsFailedError as error:
            self._failed = [part.name for part in error.parts]
            raise
        finally:
            self._enter(State.STOPPING)
            if not await _unless(self._kill, self._supervisor.stop()):
                await self._supervisor.kill()
            keeping.cancel()
            self._enter(State.FAILED if self._failed else State.STOPPED)

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(_LOGS_S)
            try:
                await asyncio.to_thread(keep_small, self._home.logs)
            except OSError as error:
                log.error("cannot shorten the logs: %s", error)

    async def _wait_for_other_parts(self) -> None:
        await self._again.wait()
        self._again.clear()
        await self._supervisor.replace(self._parts())

    def _on_signal(self) -> None:
        (self._kill if self._stop.is_set() else self._stop).set()

    def _enter(self, state: State) -> None:
        self._state = state
        self._write(self._supervisor.statuses)

    def _write(self, parts: Sequence[PartStatus]) -> None:
        status = StackStatus(
            pid=os.getpid(),
            started=start_time(os.getpid()),
            state=self._state,
            gateway_port=self._gateway_port,
            ports=dict(self._ports),
            failed=self._failed,
            parts=list(parts),
            replicas=self._replicas,
            observed=self._observed,
        )
        try:
            write_status(self._home.status, status)
        except OSError as error:  # a full disk must not end what still runs
            log.error("cannot write the status: %s", error)


async def _unless(event: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do the work unless the event comes first; whether it was done."""
    doing, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    await asyncio.wait((doing, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not doing.done():
        doing.cancel()
        return False
    doing.result()
    return True
