"""Keeps one part running: starts it, watches it, starts it again when it dies."""

import asyncio
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmesh.stack import processes
from pmesh.stack.part import Job, Part
from pmesh.stack.status import PartStatus, State

_READINESS_INTERVAL_S = 0.1
_WATCH_INTERVAL_S = 1.0
_MISSES = 3
"""How many times in a row a watched part may not answer before it is restarted."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
_STABLE_S = 5.0
"""A part that was ready for so long has not died in a row with its earlier deaths."""
_DEATHS_IN_A_ROW = 5
"""So many, and the part is reported as failed."""


class PartDiedError(Exception):
    """The part ended, or does not answer; says how."""


class PartRunner:
    """One part and its process."""

    def __init__(
        self,
        part: Part,
        *,
        log: Path,
        environment: Callable[[], Mapping[str, str]],
        changed: Callable[[], None],
    ) -> None:
        self.part = part
        self.status = PartStatus(name=part.name, since=time.time())
        self.ready = asyncio.Event()
        """Set once, when it is ready for the first time."""
        self._log = log
        self._environment = environment
        self._changed = changed
        self._is_job = isinstance(part, Job)
        self._process: Process | None = None
        self._deaths = 0
        """In a row."""

    async def run(self) -> None:
        """Keep the part running until cancelled; a job until it is done."""
        while True:
            try:
                await self._start()
                if self._is_job:
                    return
                await self._watch()
            except PartDiedError as death:
                await self._bury(str(death))
                await asyncio.sleep(self._pause_s())

    async def stop(self) -> None:
        """Ask the process to end, kill it when it does not, and whatever it leaves behind."""
        if self._process is not None:
            self._set(State.STOPPING)
            with suppress(ProcessLookupError):  # it has just ended
                self._process.send_signal(self.part.stop_signal)
            try:
                async with asyncio.timeout(self.part.stop_timeout_s):
                    await self._process.wait()
            except TimeoutError:
                last_exit = f"killed: no end in {self.part.stop_timeout_s:.0f} s"
                self._set(State.STOPPING, last_exit=last_exit)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL the process and all of its session."""
        await self._end_session()
        self._set(State.STOPPED, pid=None, started=None)

    async def _start(self) -> None:
        began = time.monotonic()
        self._set(State.STARTING)
        await _step(self.part.before)
        try:
            self._process = await self._spawn()
        except (OSError, ValueError) as error:  # no such file, no space, environment.json
            raise PartDiedError(str(error)) from error
        pid = self._process.pid
        under_way = State.RUNNING if self._is_job else State.STARTING
        self._set(under_way, pid=pid, started=processes.start_time(pid))
        await self._until_ready(self._process)
        await _step(self.part.after)
        ready_s = round(time.monotonic() - began, 2)
        if self._is_job:
            await self._end_session()
            self._set(State.DONE, pid=None, started=None, ready_s=ready_s)
        else:
            self._set(State.READY, ready_s=ready_s)
        self.ready.set()

    async def _spawn(self) -> Process:
        # The part gets its stop signal also when the supervisor is killed.
        signal_name = self.part.stop_signal.name.removeprefix("SIG")
        prefix = ("setpriv", "--pdeathsig", signal_name, "nice", "-n", str(self.part.niceness))
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *prefix,
                *self.part.command,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env={**self.part.environment, **self._environment()},
                start_new_session=True,
            )

    async def _until_ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(self.part.start_timeout_s):
                while not await asyncio.to_thread(self.part.is_ready):
                    if process.returncode is not None:
                        return self._ended(process.returncode)
                    await asyncio.sleep(_READINESS_INTERVAL_S)
        except TimeoutError:
            raise PartDiedError(f"not ready after {self.part.start_timeout_s:.0f} s") from None

    def _ended(self, returncode: int) -> None:
        """Only a job may end, and only well."""
        if returncode or not self._is_job:
            raise PartDiedError(_describe(returncode))

    async def _watch(self) -> None:
        assert self._process is not None
        ended = asyncio.ensure_future(self._process.wait())
        interval = _WATCH_INTERVAL_S if self.part.watched else None
        misses = 0
        while misses < _MISSES:
            if (await asyncio.wait({ended}, timeout=interval))[0]:
                raise PartDiedError(_describe(ended.result()))
            misses = 0 if await asyncio.to_thread(self.part.is_ready) else misses + 1
        ended.cancel()
        raise PartDiedError("it did not answer any more")

    async def _bury(self, last_exit: str) -> None:
        """Note a death and end what is left of it, so that the next start finds its place free."""
        await self._end_session()
        self._deaths = 1 if self._was_stable() else self._deaths + 1
        state = State.FAILED if self._deaths >= _DEATHS_IN_A_ROW else State.RESTARTING
        restarts = self.status.restarts + 1
        self._set(state, pid=None, started=None, restarts=restarts, last_exit=last_exit)

    async def _end_session(self) -> None:
        if self._process is not None:
            await asyncio.to_thread(processes.kill_session, self._process.pid)
            await self._process.wait()
            self._process = None  # its pid may become another's

    def _was_stable(self) -> bool:
        return self.status.state is State.READY and time.time() - self.status.since >= _STABLE_S

    def _pause_s(self) -> float:
        return min(_FIRST_PAUSE_S * 2.0 ** (self._deaths - 1), _LONGEST_PAUSE_S)

    def _set(self, state: State, **fields: Any) -> None:
        since = self.status.since if state is self.status.state else time.time()
        self.status = replace(self.status, state=state, since=since, **fields)
        self._changed()


async def _step(call: Callable[[], None]) -> None:
    """One step of a recipe: whatever goes wrong in it is how the part died."""
    try:
        await asyncio.to_thread(call)
    except Exception as error:
        raise PartDiedError(f"{type(error).__name__}: {error}") from error


def _describe(returncode: int) -> str:
    if returncode < 0:
        return f"killed by {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"
