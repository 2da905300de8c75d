"""Runs parts: starts them in the order of their needs, restarts them, stops them in reverse."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pmesh.stack.part import Part
from pmesh.stack.runner import PartRunner
from pmesh.stack.status import PartStatus, State


class PartsFailedError(Exception):
    """Parts keep dying, so that the stack cannot start."""

    def __init__(self, parts: Sequence[PartStatus]) -> None:
        super().__init__("; ".join(f"{part.name}: {part.last_exit}" for part in parts))
        self.parts = parts


class Supervisor:
    """All parts of a stack."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        log: Callable[[str], Path],
        environment: Callable[[str], Mapping[str, str]],
        changed: Callable[[Sequence[PartStatus]], None],
    ) -> None:
        """
        log: the file that a part writes to.
        environment: what to add to the environment of a part, asked at each of its starts.
        changed: told of every change of any part.
        """
        self._tell = changed
        self._log, self._environment = log, environment
        self._change = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._runners = {part.name: self._runner(part) for part in parts}

    async def replace(self, parts: Sequence[Part]) -> None:
        """Have these from now on: start those that are new, stop those that are none of them.

        Those that stay go on as they are.
        """
        names = {part.name for part in parts}
        gone = [name for name in self._runners if name not in names]
        for name in reversed(gone):  # what comes later may use what comes before
            self._tasks[name].cancel()
            await asyncio.gather(self._tasks[name], return_exceptions=True)
            await self._runners[name].stop()
            del self._runners[name], self._tasks[name]
        for part in parts:
            if part.name not in self._runners:
                runner = self._runners[part.name] = self._runner(part)
                self._tasks[part.name] = asyncio.create_task(self._run(runner), name=part.name)
        self._changed()

    @property
    def statuses(self) -> list[PartStatus]:
        """All parts as they stand."""
        return [runner.status for runner in self._runners.values()]

    async def start(self) -> None:
        """Start the parts; return once all but background ones are ready.

        Raises PartsFailedError as soon as one of them keeps dying; the others go on.
        """
        for name, runner in self._runners.items():
            self._tasks[name] = asyncio.create_task(self._run(runner), name=name)
        awaited = [r for r in self._runners.values() if not r.part.background]
        while not all(runner.ready.is_set() for runner in awaited):
            if failed := [r.status for r in awaited if r.status.state is State.FAILED]:
                raise PartsFailedError(failed)
            await self._change.wait()
            self._change.clear()

    async def stop(self) -> None:
        """Stop the parts: each one after all that need or use it have ended."""
        await self._cancel_tasks()
        stopped = {name: asyncio.Event() for name in self._runners}

        async def stop_in_turn(name: str) -> None:
            parts = [runner.part for runner in self._runners.values()]
            users = [part.name for part in parts if name in (*part.needs, *part.uses)]
            await asyncio.gather(*(stopped[user].wait() for user in users))
            await self._runners[name].stop()
            stopped[name].set()

        await asyncio.gather(*(stop_in_turn(name) for name in self._runners))

    async def kill(self) -> None:
        """SIGKILL everything at once."""
        await self._cancel_tasks()
        await asyncio.gather(*(runner.kill() for runner in self._runners.values()))

    def _runner(self, part: Part) -> PartRunner:
        return PartRunner(
            part,
            log=self._log(part.name),
            environment=partial(self._environment, part.name),
            changed=self._changed,
        )

    async def _run(self, runner: PartRunner) -> None:
        await asyncio.gather(*(self._runners[name].ready.wait() for name in runner.part.needs))
        await runner.run()

    async def _cancel_tasks(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _changed(self) -> None:
        self._change.set()
        self._tell(self.statuses)
