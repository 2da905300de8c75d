"""Files of labels: CSV (RFC 4180), TSV (without quotes) and JSON lines, read row by row.

A format also writes a row that is refused, with the reason before it, so that what is mended there
can be read again. What is held of a file at a time is bounded, whatever is in it.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, BinaryIO, NoReturn, Protocol

from predict.v1.feedback_service_pb2 import AttachLabelRequest

from pmesh.cli.label_rows import (
    COLUMNS,
    NOTES,
    REQUIRED,
    LabelRow,
    Refusal,
    RowDefaults,
    read_cells,
    read_values,
)

MAX_ROW_BYTES = 65_536
_SHOWN = 1000
"""Characters that are kept of a line that is longer than a row."""
_BOM = "\ufeff"


class Format(StrEnum):
    """How the rows are written."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"


class NotLabels(ValueError):
    """The file names no columns that labels could be read by."""


class LabelFile(Protocol):
    """A file that is read, and what is written of its refused rows."""

    def rows(self) -> Iterator[LabelRow]: ...
    def refused_header(self) -> str: ...
    def refused(self, row: LabelRow, why: Refusal) -> str: ...


def open_labels(file: BinaryIO, format: Format, defaults: RowDefaults) -> LabelFile:
    """What reads a file from its start. Raises NotLabels."""
    match format:
        case Format.CSV:
            return _CsvFile(file, defaults)
        case Format.TSV:
            return _TsvFile(file, defaults)
        case Format.JSONL:
            return _JsonFile(file, defaults)


class _Unreadable(Exception):
    """What is wrong with a line."""


class _Lines:
    """The lines of a file with their ends; a row of them is as long as a row may be.

    Iterating raises _Unreadable for what goes beyond that, and continues after it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0
        self.offset = 0
        self.begin_row()

    def begin_row(self) -> None:
        """What comes next belongs to a new row."""
        self.line = self._number + 1
        self.text = ""
        self._size = 0
        self.is_utf8 = True

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_ROW_BYTES + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self._size += len(line)
        self.offset += len(line)
        is_cut = len(line) > MAX_ROW_BYTES
        if is_cut:
            self._skip_rest(line)
        text = self._decode(line)
        self.text += text[:_SHOWN] if is_cut else text
        if self._size > MAX_ROW_BYTES:
            raise _Unreadable(f"it has more than {MAX_ROW_BYTES} bytes, or a quote has no end")
        return text

    def _skip_rest(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._file.readline(MAX_ROW_BYTES)
            self.offset += len(line)

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.is_utf8 = False
            text = line.decode(errors="surrogateescape")  # its bytes can be written again
        return text.removeprefix(_BOM) if self._number == 1 else text


class _Table:
    """A file whose first row names its columns."""

    def __init__(self, file: BinaryIO, defaults: RowDefaults) -> None:
        self._lines = _Lines(file)
        self._defaults = defaults
        self._split_rows = self._split(self._lines)
        header = self._next()
        while isinstance(header, list) and not any(header):
            header = self._next()
        if header is None:
            raise NotLabels("it is empty: its first line names the columns")
        if isinstance(header, Refusal):
            raise NotLabels(f"its first line cannot be read: {header.message}")
        _check(header)
        self._header = header

    def rows(self) -> Iterator[LabelRow]:
        """Each row that is not empty."""
        while (cells := self._next()) is not None:
            if isinstance(cells, Refusal):
                yield self._row(self._lines.text.rstrip("\r\n"), cells)
            elif any(cell.strip() for cell in cells):
                yield self._row(cells, self._content(cells))

    def refused_header(self) -> str:
        """The names of the columns of refused rows."""
        return self._join([*NOTES, *(name for name in self._header if name not in NOTES)])

    def refused(self, row: LabelRow, why: Refusal) -> str:
        """The row with the reason."""
        if isinstance(row.original, str):
            cells = [row.original]
        else:
            named = zip(self._header, row.original, strict=False)
            cells = [cell for name, cell in named if name not in NOTES]
            cells += row.original[len(self._header) :]
        message = " ".join(why.message.split())  # it is one cell, whatever the format
        return self._join([str(row.line), why.reason, message, *cells])

    def _next(self) -> list[str] | Refusal | None:
        """The cells of the next row, or why it has none; None: that was the last one."""
        self._lines.begin_row()
        try:
            cells = next(self._split_rows, None)
        except (csv.Error, _Unreadable) as error:
            return Refusal("ROW_MALFORMED", str(error))
        if not self._lines.is_utf8:
            return Refusal("ROW_MALFORMED", "it is not UTF-8")
        return cells

    def _content(self, cells: list[str]) -> AttachLabelRequest | Refusal:
        if len(cells) != len(self._header):
            problem = f"it has {len(cells)} cells, and the first line {len(self._header)}"
            return Refusal("ROW_MALFORMED", problem)
        return read_cells(dict(zip(self._header, cells, strict=True)), self._defaults)

    def _row(self, original: list[str] | str, content: AttachLabelRequest | Refusal) -> LabelRow:
        return LabelRow(self._lines.line, self._lines.offset, original, content)

    def _split(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """The cells of each row; it goes on after it has raised."""
        raise NotImplementedError

    def _join(self, cells: Sequence[str]) -> str:
        raise NotImplementedError


class _CsvFile(_Table):
    def _split(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(lines, strict=True)

    def _join(self, cells: Sequence[str]) -> str:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        return line.getvalue()


class _TsvFile(_Table):
    def _split(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return map(_tab_separated, lines)

    def _join(self, cells: Sequence[str]) -> str:
        return "\t".join(cells) + "\n"


class _JsonFile:
    """A file of one object a line."""

    def __init__(self, file: BinaryIO, defaults: RowDefaults) -> None:
        self._lines = _Lines(file)
        self._defaults = defaults

    def rows(self) -> Iterator[LabelRow]:
        """Each line that is not empty."""
        while (content := self._next()) is not None:
            if isinstance(content, Refusal):
                yield self._row(self._lines.text.rstrip("\r\n"), content)
            elif content:
                yield self._row(content, read_values(content, self._defaults))

    def refused_header(self) -> str:
        """Nothing: each row has its names."""
        return ""

    def refused(self, row: LabelRow, why: Refusal) -> str:
        """The object with the reason; what is none, as its `row`."""
        said = {"row": row.original} if isinstance(row.original, str) else row.original
        noted = {"line": row.line, "reason": why.reason, "message": why.message}
        return json.dumps(said | noted) + "\n"

    def _next(self) -> dict[str, Any] | Refusal | None:
        """The next object, {} for an empty line; None: that was the last one."""
        self._lines.begin_row()
        try:
            line = next(self._lines, None)
            if line is None:
                return None
            return _json_object(line) if line.strip() else {}
        except (ValueError, RecursionError, _Unreadable) as error:
            return Refusal("ROW_MALFORMED", str(error))

    def _row(
        self, original: dict[str, Any] | str, content: AttachLabelRequest | Refusal
    ) -> LabelRow:
        return LabelRow(self._lines.line, self._lines.offset, original, content)


def _check(header: Sequence[str]) -> None:
    unknown = [name for name in header if name not in (*COLUMNS, *NOTES)]
    missing = [name for name in REQUIRED if name not in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    problems = (("unknown", unknown), ("missing", missing), ("named twice", twice))
    if unknown or missing or twice:
        found = "; ".join(f"{what}: {_shown(names)}" for what, names in problems if names)
        raise NotLabels(f"its first line must name its columns, of {', '.join(COLUMNS)}; {found}")


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"


def _tab_separated(line: str) -> list[str]:
    return line.removesuffix("\n").removesuffix("\r").split("\t")


def _json_object(line: str) -> dict[str, Any]:
    """Raises ValueError for what is none, says something twice, or what JSON has no way to say."""
    value = json.loads(line, object_pairs_hook=_once, parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    if not value:
        raise ValueError("it is empty")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("it has a name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
