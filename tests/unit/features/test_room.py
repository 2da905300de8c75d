"""The bound of a spool: on what waits and what lies on the disk together."""

from pathlib import Path

import pytest

from features import room as room_module
from features.room import Room


def test_what_waits_counts_after_a_look_at_the_folder() -> None:
    room = Room(Path(), 100)
    assert room.take(60)
    room.measured(0)
    assert not room.take(60)


def test_what_was_written_counts_until_it_is_shipped() -> None:
    room = Room(Path(), 100)
    assert room.take(60)
    room.leave_queue(60, written=True)
    assert not room.take(60)
    room.measured(0)
    assert room.take(60)


def test_what_was_lost_counts_no_more() -> None:
    room = Room(Path(), 100)
    assert room.take(60)
    room.leave_queue(60, written=False)
    assert room.take(60)


def test_what_waits_has_a_bound_of_its_own_in_bytes() -> None:
    room = Room(Path(), 1 << 40)
    half = room_module.MAX_QUEUED_BYTES // 2
    assert [room.take(half) for _ in range(3)] == [True, True, False]
    room.leave_queue(half, written=True)
    assert room.take(half)


def test_what_waits_has_a_bound_of_its_own_in_batches() -> None:
    room = Room(Path(), 1 << 40)
    assert all(room.take(1) for _ in range(room_module.MAX_QUEUED))
    assert not room.take(1)


def test_a_full_spool_is_logged_once_and_once_more_when_it_has_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    room = Room(Path(), 100)
    for used in (100, 100, 95):
        room.measured(used)
        assert not room.take(10)
    assert caplog.messages == ["the spool is full: features are not kept until some have left it"]
    room.measured(50)
    assert caplog.messages[1:] == ["the spool has room again"]
    assert room.take(10)
