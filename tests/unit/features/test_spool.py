"""The spool: places are known at once, rows are on the disk soon, and there is a bound."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from features import spool as spool_module
from features import spool_file, spool_writer
from tests.unit.features.rows import MATRIX, new_ids, open_spool, whole_files


async def test_a_place_names_the_file_and_the_row(tmp_path: Path) -> None:
    ids = new_ids(4)
    async with open_spool(tmp_path) as spool:
        places = spool.append("sentiment", "3", ids[:2], MATRIX)
        places += spool.append("sentiment", "3", ids[2:], MATRIX + 1)
    ((header, found, matrix),) = whole_files(tmp_path)
    assert (header.model, header.version, header.width) == ("sentiment", "3", 4)
    assert found == ids
    assert matrix == [*MATRIX.tolist(), *(MATRIX + 1).tolist()]
    (path,) = tmp_path.glob("*.rows")
    assert [place.partition("#row=")[2] for place in places] == ["0", "1", "2", "3"]
    (uri,) = {place.partition("#row=")[0] for place in places}
    assert uri.startswith("s3://b/features/sentiment/3/")
    assert uri.endswith(f"/{path.stem}.parquet")


async def test_versions_and_widths_have_files_of_their_own(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        spool.append("sentiment", "3", new_ids(), MATRIX)
        spool.append("sentiment", "4", new_ids(), MATRIX)
        spool.append("sentiment", "3", new_ids(), MATRIX[:, :2])
    assert len(whole_files(tmp_path)) == 3


async def test_a_file_is_closed_after_its_time_without_further_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "FILE_AGE_S", 0.01)
    async with open_spool(tmp_path) as spool:
        spool.append("sentiment", "3", new_ids(), MATRIX)
        async with asyncio.timeout(100):
            while not whole_files(tmp_path):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_file_is_closed_when_it_is_full(tmp_path: Path) -> None:
    async with open_spool(tmp_path, max_bytes=1 << 30) as spool:
        ids = new_ids(3000)
        matrix = np.zeros((3000, 4), np.float32)
        first = spool.append("sentiment", "3", ids, matrix)
        second = spool.append("sentiment", "3", ids, matrix)
        third = spool.append("sentiment", "3", ids, matrix)
    assert first[0].partition("#")[0] == second[0].partition("#")[0]
    assert second[-1].endswith("#row=5999")
    assert third[0].endswith("#row=0")
    assert {len(found) for _, found, _ in whole_files(tmp_path)} == {6000, 3000}


async def test_beyond_its_bound_it_says_that_there_are_no_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_writer, "LOOK_S", 0.05)
    monkeypatch.setattr(spool_module, "FILE_AGE_S", 0.01)
    async with open_spool(tmp_path, max_bytes=200) as spool:
        taken = [spool.append("sentiment", "3", new_ids(), MATRIX) for _ in range(5)]
        assert [all(places) for places in taken] == [True, True, True, False, False]
        assert taken[-1] == ["", ""]
        async with asyncio.timeout(100):
            while not whole_files(tmp_path):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert sum(len(ids) for _, ids, _ in whole_files(tmp_path)) == 6
        for path in tmp_path.glob("*.rows"):  # as the shipper does
            path.unlink()
        async with asyncio.timeout(100):
            while not all(spool.append("sentiment", "3", new_ids(), MATRIX)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_a_killed_process_left_open_is_closed_at_the_next_start(tmp_path: Path) -> None:
    header = spool_file.Header("sentiment", "3", 4)
    ids = new_ids()
    with spool_file.create(tmp_path, "0199f2d0-0000-7000-8000-000000000002", header) as file:
        file.write(spool_file.encode(ids, MATRIX) + b"half a row")
    async with open_spool(tmp_path):
        ((_, found, _),) = whole_files(tmp_path)
    assert found == ids


async def test_a_file_that_cannot_be_closed_yet_is_closed_later_and_stops_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool_writer, "LOOK_S", 0.01)
    (tmp_path / "x.open").mkdir()
    async with open_spool(tmp_path) as spool:
        assert all(spool.append("sentiment", "3", new_ids(), MATRIX))
        assert caplog.text.count("x cannot be closed yet") == 1
        (tmp_path / "x.open").rmdir()
        header = spool_file.Header("sentiment", "3", 4)
        with spool_file.create(tmp_path, "x", header) as file:
            spool_file.write(file, spool_file.encode(new_ids(), MATRIX))
        async with asyncio.timeout(100):
            while not (tmp_path / "x.rows").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert caplog.text.count("x cannot be closed yet") == 1
