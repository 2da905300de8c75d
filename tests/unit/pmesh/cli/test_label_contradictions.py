"""Rows that contradict one before, in files of any size."""

import os
import tracemalloc
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from predict.v1.feedback_service_pb2 import AttachLabelRequest

from pmesh.cli.label_contradictions import consistent
from pmesh.cli.label_rows import LabelRow, Refusal

ROWS = 100_000
MB = 1 << 20


def row(line: int, prediction: int, label: str = "tweet", annotator: str = "anna") -> LabelRow:
    said = AttachLabelRequest(
        prediction_id=str(UUID(int=prediction)), label=label, annotator=annotator
    )
    return LabelRow(line, line, None, said)


def refused(*rows: LabelRow) -> dict[int, str]:
    """Line -> why."""
    found = list(consistent(rows))
    assert [one.line for one in found] == [one.line for one in rows]
    return {one.line: one.content.message for one in found if isinstance(one.content, Refusal)}


def test_what_says_something_else_names_the_line_it_contradicts() -> None:
    found = refused(
        row(2, 1), row(3, 1), row(4, 1, "movie_review"), row(5, 1, "x", "otto"), row(6, 2, "x")
    )
    assert found == {4: "line 2 says something else of this prediction: give each its time"}


def test_a_row_that_was_refused_contradicts_none() -> None:
    unreadable = LabelRow(2, 2, "?", Refusal("ROW_MALFORMED", "it is none"))
    assert refused(unreadable, row(3, 1)) == {2: "it is none"}


def temporary_bytes() -> int:
    """Of this process's files of SQLite that have no name any more."""
    sizes = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if "etilqs" in os.readlink(descriptor):  # noqa: PTH115  # it leads nowhere
                sizes.append(descriptor.stat().st_size)
        except FileNotFoundError:
            continue  # that which lists them
    return sum(sizes)


def test_memory_does_not_grow_with_the_file() -> None:
    def rows() -> Iterator[LabelRow]:
        for line in range(1, ROWS + 1):
            yield row(line, line)
        assert temporary_bytes() > MB
        yield row(ROWS + 1, 1, "movie_review")

    tracemalloc.start()
    try:
        (last,) = deque(consistent(rows()), maxlen=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(last.content, Refusal)
    assert last.content.message.startswith("line 1 says")
    assert peak < 2 * MB
    assert temporary_bytes() == 0
