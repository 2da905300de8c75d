"""Which rows of a file of labels contradict one before them.

What is remembered of the rows before lies on the disk, so that memory does not grow with a file: in
a database of SQLite that has no name, some 40 bytes a row where temporary files are.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b

from predict.v1.feedback_service_pb2 import AttachLabelRequest

from pmesh.cli.label_rows import LabelRow, Refusal


def consistent(rows: Iterable[LabelRow]) -> Iterator[LabelRow]:
    """The rows; one that says of the same prediction, annotator and time something else than one
    before it is refused.

    Which of them counts would be chance, and another import would record both again.
    Raises OSError where the disk has no room.
    """
    with closing(sqlite3.connect("")) as said:
        said.execute("PRAGMA journal_mode = OFF")  # it is gone with this import in any case
        said.execute("CREATE TABLE said (about INTEGER PRIMARY KEY, content INTEGER, line INTEGER)")
        for row in rows:
            if not isinstance(row.content, Refusal) and (line := _contradicted(said, row)):
                problem = f"line {line} says something else of this prediction: give each its time"
                yield replace(row, content=Refusal("ROW_CONTRADICTS", problem))
            else:
                yield row


def _contradicted(said: sqlite3.Connection, row: LabelRow) -> int | None:
    """The line before that says something else, if there is one."""
    assert not isinstance(row.content, Refusal)
    about, content = _digests(row.content)
    try:
        added = said.execute(
            "INSERT INTO said VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (about, content, row.line)
        )
        if added.rowcount:
            return None
        find = "SELECT line, content FROM said WHERE about = ?"
        line, before = said.execute(find, (about,)).fetchone()
    except sqlite3.OperationalError as error:
        raise OSError(f"temporary files: {error}") from error
    return None if before == content else int(line)


def _digests(request: AttachLabelRequest) -> tuple[int, int]:
    """Of what is labelled by whom and when, and of all that is said."""
    time_ = request.label_time if request.HasField("label_time") else None
    about = (request.prediction_id.lower(), request.annotator, time_ and time_.ToJsonString())
    return _digest(repr(about).encode()), _digest(request.SerializeToString(deterministic=True))


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)
