"""Disks that are full, folders that are gone: features are not kept, and nothing else happens."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from features import spool_file, spool_writer
from features.spool import Spool
from tests.unit.features.rows import MATRIX, new_ids, open_spool, whole_files

LOST = "features are lost until"


class Disk:
    """Refuses what a spool writes while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        write = spool_file.write

        def write_unless_full(*arguments: object) -> None:
            if self.is_full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(spool_file, "write", write_unless_full)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(spool_writer, "LOOK_S", 0.02)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def append(spool: Spool, version: str = "3") -> list[str]:
    return spool.append("sentiment", version, new_ids(), MATRIX)


async def test_nothing_is_taken_until_a_full_disk_takes_something_again(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_spool(tmp_path) as spool:
        disk.is_full = True
        assert all(append(spool))
        await until(lambda: LOST in caplog.text)
        for _ in range(20):  # looks at the folder, which is empty
            assert append(spool) == ["", ""]
            await asyncio.sleep(0.01)
        assert caplog.text.count(LOST) == 1
        assert "the spool is full" not in caplog.text
        disk.is_full = False
        await until(lambda: all(append(spool)))
    assert "can be written to again" in caplog.text
    assert [path.suffix for path in tmp_path.iterdir() if path.name != ".lock"] == [".rows"]


async def test_a_row_after_an_outage_lies_where_its_place_says(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_spool(tmp_path) as spool:
        append(spool)
        await until(lambda: bool(list(tmp_path.glob("*.open"))))
        disk.is_full = True
        append(spool)
        await until(lambda: LOST in caplog.text)
        disk.is_full = False
        await until(lambda: "can be written to again" in caplog.text)
        ids = new_ids()
        places = spool.append("sentiment", "3", ids, MATRIX)
    assert [place.partition("#row=")[2] for place in places] == ["0", "1"]
    file_id = places[0].partition(".parquet")[0].rpartition("/")[2]
    assert spool_file.read(tmp_path / f"{file_id}.rows")[1] == ids
    assert [len(found) for _, found, _ in whole_files(tmp_path)] == [2, 2]


async def test_a_folder_that_is_gone_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory, elsewhere = tmp_path / "spool", tmp_path / "elsewhere"
    async with open_spool(directory) as spool:
        directory.rename(elsewhere)
        await until(lambda: LOST in caplog.text)
        assert append(spool) == ["", ""]
        elsewhere.rename(directory)
        await until(lambda: all(append(spool)))
    assert caplog.text.count(LOST) == 1
    assert whole_files(directory)


async def test_a_look_that_fails_does_not_end_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    iterdir = Path.iterdir

    def too_many_files(_: Path) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with open_spool(tmp_path) as spool:
        monkeypatch.setattr(Path, "iterdir", too_many_files)
        await until(lambda: LOST in caplog.text)
        assert append(spool) == ["", ""]
        monkeypatch.setattr(Path, "iterdir", iterdir)
        await until(lambda: all(append(spool)))
    assert whole_files(tmp_path)


async def test_nothing_is_taken_once_the_writer_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    async with open_spool(tmp_path) as spool:
        monkeypatch.setattr(spool_file, "create", fail)
        append(spool)
        await until(lambda: LOST in caplog.text)
        assert append(spool) == ["", ""]


async def test_what_was_set_aside_takes_no_room(tmp_path: Path) -> None:
    (tmp_path / "x.bad").write_bytes(bytes(200))
    async with open_spool(tmp_path, max_bytes=200) as spool:
        assert all(append(spool))
