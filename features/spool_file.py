"""A file of the spool: rows of one version, all of one width, behind a line that says of what.

    {"model": "sentiment", "version": "3", "width": 64}\n
    <the 16 bytes of a prediction's UUID> <width numbers, float32, little endian>
    ...

It is named by a UUIDv7 and ends with `.open` while it is written, with `.rows` once it is whole.
"""

import errno
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import numpy as np
import numpy.typing as npt

from contract.version_name import VersionName

OPEN, CLOSED = ".open", ".rows"


class CorruptFile(ValueError):
    """A file that no spool has written."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the rows of a file are of."""

    model: str
    version: str
    width: int
    """Numbers in a row."""

    @property
    def row_bytes(self) -> int:
        """The size of a row with its id."""
        return _row_type(self.width).itemsize


def create(directory: Path, file_id: str, header: Header) -> BinaryIO:
    """Begin a file. Raises OSError, and then there is none."""
    path = directory / f"{file_id}{OPEN}"
    file = path.open("wb", buffering=0)
    try:
        write(file, json.dumps(asdict(header)).encode() + b"\n")
    except OSError:
        file.close()
        with suppress(OSError):
            path.unlink()
        raise
    return file


def write(file: BinaryIO, data: bytes) -> None:
    """Write all of it. Raises OSError, also if the disk takes a part only."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def encode(ids: Sequence[str], matrix: npt.NDArray[np.float32]) -> bytes:
    """Rows as the file holds them. matrix: (n, width), a row for each id."""
    rows = np.empty(len(ids), _row_type(matrix.shape[1]))
    rows["id"] = np.frombuffer(bytes.fromhex("".join(ids).replace("-", "")), "V16")
    rows["features"] = matrix
    return rows.tobytes()


def close(directory: Path, file_id: str) -> None:
    """Make a file whole: a row that was cut short is cut off. Raises OSError."""
    path = directory / f"{file_id}{OPEN}"
    with path.open("r+b") as file:
        try:
            header, start = _read_header(file)
        except CorruptFile:
            path.unlink()  # it was cut short within its first line: it has no rows
            return
        size = path.stat().st_size
        whole = start + (size - start) // header.row_bytes * header.row_bytes
        file.truncate(whole)
    if whole == start:
        path.unlink()
    else:
        path.rename(directory / f"{file_id}{CLOSED}")


def read(path: Path) -> tuple[Header, list[str], npt.NDArray[np.float32]]:
    """What a whole file holds: ids and (n, width). Raises CorruptFile, OSError."""
    with path.open("rb") as file:
        header, _ = _read_header(file)
        data = file.read()
    if not data or len(data) % header.row_bytes:
        raise CorruptFile(f"{len(data)} bytes are no rows of {header.row_bytes}")
    rows = np.frombuffer(data, _row_type(header.width))
    ids = [str(UUID(bytes=row.tobytes())) for row in rows["id"]]
    return header, ids, rows["features"]


@lru_cache
def _row_type(width: int) -> "np.dtype[np.void]":
    return np.dtype([("id", "V16"), ("features", "<f4", (width,))])


def _read_header(file: BinaryIO) -> tuple[Header, int]:
    line = file.readline(1024)
    try:
        header = Header(**json.loads(line))
        VersionName.parse("@".join((header.model, header.version)))
        _row_type(header.width)
    except (ValueError, TypeError) as error:
        raise CorruptFile("its first line says nothing of its rows") from error
    if not line.endswith(b"\n") or not isinstance(header.width, int) or header.width < 1:
        raise CorruptFile("its first line says nothing of its rows")
    return header, len(line)
