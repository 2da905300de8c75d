"""Parts that are small programs, and a stack of them as a program of its own.

    python tests/integration/pmesh/stack/tiny.py HOME

Each part writes what happens to it into HOME/journal. While HOME/invitation is there, a guest is
one of them.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.run import StackRun
from pmesh.stack.supervisor import PartsFailedError

_PROGRAM = """
import os, signal, subprocess, sys, time
from pathlib import Path

home, name, behaviour = Path(sys.argv[1]), sys.argv[2], os.environ.get("BEHAVIOUR", sys.argv[3])

def note(event):
    with (home / "journal").open("a") as journal:
        journal.write(f"{event} {name}\\n")

def stop(*_):
    if behaviour != "stubborn":
        note("stop")
        sys.exit(0)

signal.signal(signal.SIGTERM, stop)
note("start")
if behaviour == "dies":
    sys.exit(3)
if behaviour == "breeds":
    sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", sleeper])
    (home / "grandchild").write_text(str(child.pid))
(home / f"{name}.ready").write_text(str(os.getpid()))
while True:
    time.sleep(60)
"""


def tiny_part(home: Home, name: str, behaviour: str = "works", **fields: Any) -> Part:
    """A part that is ready when it has written NAME.ready.

    behaviour: works; dies at once; stubborn: does not stop; breeds a child that does not stop.
    """
    ready = home.path / f"{name}.ready"
    recipe: dict[str, Any] = {
        "name": name,
        "command": (sys.executable, "-c", _PROGRAM, str(home.path), name, behaviour),
        "before": lambda: ready.unlink(missing_ok=True),
        "is_ready": ready.exists,
    }
    return Part(**recipe | fields)


def main() -> None:
    home = Home(Path(sys.argv[1]))
    behaviours = dict(argument.split("=") for argument in sys.argv[2:])
    home.create()
    parts = [
        tiny_part(home, "store", behaviours.get("store", "works")),
        tiny_part(home, "bus", behaviours.get("bus", "works"), needs=("store",)),
        tiny_part(home, "door", behaviours.get("door", "works"), needs=("store", "bus")),
    ]

    def asked() -> list[Part]:
        is_invited = (home.path / "invitation").exists()
        return [*parts, tiny_part(home, "guest", needs=("store",))] if is_invited else parts

    with home.lock():
        asyncio.run(StackRun(home, asked, gateway_port=1, ports={}).run())


if __name__ == "__main__":
    try:
        main()
    except PartsFailedError as error:
        sys.exit(str(error))
