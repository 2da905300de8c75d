"""Kills a process of the product at a chosen step. Python reads this at its start, from PYTHONPATH.

FAULT         "module:Class.method:before" (or ":after"): the call around which the process dies.
FAULT_MARKER  a file that gets a line at each death.
FAULT_TEXT    only calls whose arguments hold this text; default: all.
FAULT_TIMES   how often; default: once. A process that starts later than that is left alone.
"""

import functools
import importlib.util
import inspect
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


class Fault(MetaPathFinder):
    """Puts the kill into a module when that is imported."""

    def __init__(self, place: str) -> None:
        self.module, self.path, self.moment = place.split(":")
        self.marker = Path(os.environ["FAULT_MARKER"])
        self.text = os.environ.get("FAULT_TEXT", "")
        self.times = int(os.environ.get("FAULT_TIMES", "1"))

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            execute(module)
            self.patch(module)

        spec.loader.exec_module = execute_and_patch  # type: ignore[method-assign]
        return spec

    def patch(self, module: ModuleType) -> None:
        *owners, name = self.path.split(".")
        owner: Any = functools.reduce(getattr, owners, module)
        setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.moment == "before":
                self.strike(args, kwargs)
                return function(*args, **kwargs)
            result = function(*args, **kwargs)
            if inspect.isawaitable(result):
                return self.strike_after(result, args, kwargs)
            self.strike(args, kwargs)
            return result

        return call

    async def strike_after(self, result: Awaitable[Any], *arguments: Any) -> Any:
        value = await result
        self.strike(*arguments)
        return value

    def strike(self, *arguments: Any) -> None:
        deaths = len(self.marker.read_text().splitlines()) if self.marker.exists() else 0
        if deaths < self.times and self.text in repr(arguments):
            with self.marker.open("a") as marker:
                marker.write(f"{os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)


if "FAULT" in os.environ:
    sys.meta_path.insert(0, Fault(os.environ["FAULT"]))
