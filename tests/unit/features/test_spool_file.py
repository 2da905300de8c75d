"""The files of the spool: whole, cut short, or not ours."""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from contract.ids import uuid7
from features import spool_file
from features.spool_file import CorruptFile, Header

HEADER = Header("sentiment", "3", 4)
IDS = [str(uuid4()) for _ in range(3)]
MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4)


def write(directory: Path, data: bytes) -> str:
    file_id = uuid7()
    with spool_file.create(directory, file_id, HEADER) as file:
        file.write(data)
    spool_file.close(directory, file_id)
    return file_id


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    file_id = write(tmp_path, spool_file.encode(IDS, MATRIX))
    header, ids, matrix = spool_file.read(tmp_path / f"{file_id}.rows")
    assert (header, ids) == (HEADER, IDS)
    np.testing.assert_array_equal(matrix, MATRIX)
    assert not list(tmp_path.glob("*.open"))


@pytest.mark.parametrize("missing", [1, 15, 31])
def test_a_row_that_was_cut_short_is_cut_off(tmp_path: Path, missing: int) -> None:
    file_id = write(tmp_path, spool_file.encode(IDS, MATRIX)[:-missing])
    _, ids, matrix = spool_file.read(tmp_path / f"{file_id}.rows")
    assert ids == IDS[:2]
    np.testing.assert_array_equal(matrix, MATRIX[:2])


def test_a_file_without_a_whole_row_is_gone(tmp_path: Path) -> None:
    write(tmp_path, b"short")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("start", [b"", b'{"model": "senti'])
def test_a_file_that_was_cut_short_in_its_first_line_is_gone(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "x.open").write_bytes(start)
    spool_file.close(tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON\n",
        b"{}\n",
        b"[]\n",
        b'{"model": "m", "version": "1", "width": 0}\n' + b"x" * 16,
        b'{"model": "m", "version": "1", "width": "1"}\n' + b"x" * 20,
        b'{"model": "m", "version": "1", "width": 99999999999}\n' + b"x" * 20,
        b'{"model": "../m", "version": "1", "width": 1}\n' + b"x" * 20,
        b'{"model": "m", "version": 1, "width": 1}\n' + b"x" * 20,
    ],
)
def test_what_no_spool_has_written_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.rows"
    path.write_bytes(data)
    with pytest.raises(CorruptFile):
        spool_file.read(path)


def test_half_a_row_in_a_whole_file_is_refused(tmp_path: Path) -> None:
    file_id = write(tmp_path, spool_file.encode(IDS, MATRIX))
    path = tmp_path / f"{file_id}.rows"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFile):
        spool_file.read(path)
