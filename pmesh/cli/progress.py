"""How a stack's parts are shown as they start and stop: a live table, or a line a change."""

import time
from collections.abc import Iterable
from typing import Protocol, Self

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from pmesh.cli.options import messages
from pmesh.cli.status import state_text
from pmesh.stack.status import PartStatus, StackStatus, State

_UNDER_WAY = (State.STARTING, State.RESTARTING, State.STOPPING)


class Display(Protocol):
    """Shows one status after the other."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, status: StackStatus) -> None: ...


def show_until(
    statuses: Iterable[StackStatus], display: Display, *ends: State
) -> StackStatus | None:
    """Show the parts until the stack comes into one of these states; the last status."""
    status = None
    with display:
        for status in statuses:
            display.show(status)
            if status.state in ends:
                break
    return status


class LiveTable:
    """A row for each part, drawn anew while its seconds count. For terminals."""

    def __init__(self) -> None:
        self._status: StackStatus | None = None
        self._live = Live(get_renderable=self._render, console=messages, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, status: StackStatus) -> None:
        """Draw this from now on."""
        self._status = status

    def _render(self) -> Table:
        rows = Table(box=None, pad_edge=False, show_header=False)
        for width in (1, 18, 8, 6):  # so that the columns stand still
            rows.add_column(min_width=width)
        for part in self._status.parts if self._status else ():
            mark = "[green]✓[/]" if part.state in (State.READY, State.DONE) else "·"
            rows.add_row(mark, part.name, _note(part), _seconds(part))
        return rows


class ChangeLines:
    """A line with the time of day for each change of a part."""

    def __init__(self, status: StackStatus | None = None) -> None:
        """status: what is known already."""
        self._last = {part.name: part.state for part in status.parts} if status else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: StackStatus) -> None:
        """Print what changed."""
        for part in status.parts:
            if part.state is not self._last.get(part.name, State.WAITING):
                clock = time.strftime("%H:%M:%S", time.localtime(part.since))
                messages.print(f"{clock}  {part.name:<18} {_note(part)}  {_seconds(part)}")
            self._last[part.name] = part.state


def _note(part: PartStatus) -> str:
    died = f" (died: {escape(part.last_exit)})" if part.last_exit else ""
    return state_text(part) + died


def _seconds(part: PartStatus) -> str:
    if part.state in _UNDER_WAY:
        return f"{time.time() - part.since:.0f} s"
    return f"{part.ready_s:.1f} s" if part.ready_s is not None else ""
