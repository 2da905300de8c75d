"""The import of a file of labels: batch by batch, a few on their way at a time.

Each row is recorded or refused. What the gateway could not take yet is sent again; as saying the
same twice is saying it once, nothing is doubled by that, nor by another import of the file.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from contract.status import error_info
from pmesh.calls import CallFailedError, may_be_tried_again
from pmesh.cli.label_contradictions import consistent
from pmesh.cli.label_rows import LabelRow, Refusal
from pmesh.labels import BATCH_SIZE, LabelClient, Results

IN_FLIGHT = 4
_MAX_BYTES = 1 << 20
"""Of a batch: the gateway takes calls of a few times that."""
_PATIENCE_S = 60.0
"""That the gateway may be away."""
_DELAY_S, _MOST_DELAY_S = 0.2, 2.0


@dataclass
class Tally:
    """What has become of the rows so far."""

    recorded: int = 0
    known: int = 0
    """The same was said before; or recorded, and its answer was lost."""
    refused: Counter[str] = field(default_factory=Counter)
    """By reason."""
    line: int = 0
    """Where the last row begins that something has become of, as of all before it."""


class LabelImport:
    """One import."""

    def __init__(
        self,
        client: LabelClient,
        *,
        refuse: Callable[[LabelRow, Refusal], None],
        tell: Callable[[int], None],
    ) -> None:
        """refuse: called with what is refused, in the order of the file. tell: with bytes done."""
        self._client = client
        self._refuse = refuse
        self._tell = tell
        self._is_answered = False
        self._progress_time = time.monotonic()
        self.tally = Tally()

    def run(self, rows: Iterable[LabelRow]) -> None:
        """Import the rows.

        Raises CallFailedError: the gateway refuses the calls themselves, has never been there, or
        has been away for long.
        """
        sent: deque[tuple[list[LabelRow], Results]] = deque()
        for batch in _batches(consistent(rows)):
            sent.append((batch, self._send(_askable(batch))))
            if len(sent) == IN_FLIGHT:
                self._settle(*sent.popleft())
        while sent:
            self._settle(*sent.popleft())

    def _send(self, rows: list[LabelRow]) -> Results:
        contents = (row.content for row in rows)
        asked = [said for said in contents if not isinstance(said, Refusal)]
        return self._client.start_attaching(asked) if asked else tuple

    def _settle(self, batch: list[LabelRow], results: Results) -> None:
        """Wait for what becomes of each row, and take it down."""
        refusals = {row.line: row.content for row in batch if isinstance(row.content, Refusal)}
        waiting = _askable(batch)
        delay_s = _DELAY_S
        while waiting:
            again = self._answered(waiting, results, refusals)
            if again:
                is_stuck = len(again) == len(waiting)
                delay_s = min(2 * delay_s, _MOST_DELAY_S) if is_stuck else _DELAY_S
                time.sleep(delay_s)
                results = self._send(again)
            waiting = again
        for row in batch:
            if refusal := refusals.get(row.line):
                self.tally.refused[refusal.reason] += 1
                self._refuse(row, refusal)
        self.tally.line = batch[-1].line
        self._tell(batch[-1].end)

    def _answered(
        self, rows: list[LabelRow], results: Results, refusals: dict[int, Refusal]
    ) -> list[LabelRow]:
        """Take down what became of the rows; those that are to be sent again."""
        again, problem = self._record(rows, results, refusals)
        if len(again) < len(rows):
            self._progress_time = time.monotonic()
        elif problem and time.monotonic() > self._progress_time + _PATIENCE_S:
            raise problem
        return again

    def _record(
        self, rows: list[LabelRow], results: Results, refusals: dict[int, Refusal]
    ) -> tuple[list[LabelRow], CallFailedError | None]:
        """Those that are to be sent again, and why."""
        again, problem = [], None
        try:
            found = results()
        except CallFailedError as error:
            if self._is_answered and error.is_passing:
                return rows, error
            raise
        self._is_answered = True
        for row, result in zip(rows, found, strict=True):
            if result.HasField("label"):
                self.tally.recorded += result.added
                self.tally.known += not result.added
                continue
            reason = error_info(result.error).reason
            if may_be_tried_again(result.error):
                again.append(row)
                problem = CallFailedError(result.error.message, reason=reason, status=result.error)
            else:
                refusals[row.line] = Refusal(reason, result.error.message)
        return again, problem


def _askable(rows: Iterable[LabelRow]) -> list[LabelRow]:
    return [row for row in rows if not isinstance(row.content, Refusal)]


def _batches(rows: Iterable[LabelRow]) -> Iterator[list[LabelRow]]:
    """Up to as many as a call may have, and as many bytes."""
    batch: list[LabelRow] = []
    start = 0
    for row in rows:
        if batch and (len(batch) == BATCH_SIZE or row.end - start > _MAX_BYTES):
            start = batch[-1].end
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
