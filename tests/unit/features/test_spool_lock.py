"""One process appends to a folder, or files of the living would be taken for those of the dead."""

import asyncio
from pathlib import Path

import pytest

from features import spool_lock
from features.errors import SpoolInUse
from tests.unit.features.rows import MATRIX, new_ids, open_spool, whole_files


async def test_a_second_one_is_told_and_closes_no_file_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_lock, "WAIT_S", 0.1)
    async with open_spool(tmp_path) as spool:
        ids = new_ids(4)
        spool.append("sentiment", "3", ids[:2], MATRIX)
        with pytest.raises(SpoolInUse, match=f"another process appends to {tmp_path}: end it"):
            await open_spool(tmp_path).__aenter__()
        spool.append("sentiment", "3", ids[2:], MATRIX)
    ((_, found, _),) = whole_files(tmp_path)
    assert found == ids


async def test_a_second_one_waits_until_the_first_has_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_spool(tmp_path):
        second = open_spool(tmp_path)
        opening = asyncio.create_task(second.__aenter__())
        async with asyncio.timeout(100):
            while "waiting for the process" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not opening.done()
    await opening
    assert all(second.append("sentiment", "3", new_ids(), MATRIX))
    await second.__aexit__()
