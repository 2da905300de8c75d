"""Ranges of ids, and how a search cuts them into days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from contract.days import FIRST_ID, LAST_ID, Ids, first_id, newest_first, unfinished_since
from contract.ids import uuid7
from gateway.servicers.predictions import DEFAULT_TTL

DAY = timedelta(days=1)


def day_of(id: str) -> datetime:
    return datetime.fromtimestamp((UUID(id).int >> 80) / 1000, UTC)


def test_a_moments_first_id_lies_between_the_ids_before_and_after_it() -> None:
    now = datetime.now(UTC)
    assert first_id(now - timedelta(milliseconds=5)) < uuid7() < first_id(now + DAY)
    assert first_id(now, later_s=60) == first_id(now + timedelta(seconds=60))


@pytest.mark.parametrize(("year", "expected"), [(1, FIRST_ID), (1969, FIRST_ID)])
def test_a_moment_that_no_id_can_have_counts_as_the_first(year: int, expected: str) -> None:
    assert first_id(datetime(year, 1, 1, tzinfo=UTC), later_s=-1) == expected


def test_the_last_moment_has_an_id() -> None:
    assert uuid7() < first_id(datetime(9999, 12, 31, tzinfo=UTC), later_s=1) < LAST_ID


def test_what_may_be_unfinished_is_as_old_as_a_ttl_may_be_long_and_a_day() -> None:
    assert timedelta(days=7) > DEFAULT_TTL
    age = datetime.now(UTC) - day_of(unfinished_since())
    assert timedelta(days=8) <= age < timedelta(days=8, seconds=10)


@pytest.mark.parametrize(
    "ids",
    [
        Ids(),
        Ids(since=first_id(datetime.now(UTC) - 400 * DAY)),
        Ids(until=first_id(datetime.now(UTC) - 400 * DAY)),
        Ids(until=first_id(datetime(2024, 5, 1, tzinfo=UTC))),
        Ids(first_id(datetime(2024, 5, 1, tzinfo=UTC)), first_id(datetime(2025, 5, 1, tzinfo=UTC))),
    ],
)
def test_the_parts_of_a_range_are_all_of_it_from_the_newest_on(ids: Ids) -> None:
    parts = list(newest_first(ids))
    assert parts[0].until == ids.until
    assert parts[-1].since == ids.since
    assert all(newer.since == older.until for newer, older in pairwise(parts))
    assert all(part.since < part.until for part in parts)
    assert len(parts) < 20


def test_no_part_is_long_but_what_is_older_than_all_days() -> None:
    *parts, rest = newest_first(Ids(until=first_id(datetime.now(UTC))))
    lengths = [day_of(part.until) - day_of(part.since) for part in parts]
    assert max(lengths) == 128 * DAY
    assert datetime.now(UTC) - day_of(rest.until) > 2.5 * 365 * DAY
    assert rest.since == FIRST_ID


def test_a_range_without_ids_has_no_parts() -> None:
    assert list(newest_first(Ids(since=LAST_ID, until=FIRST_ID))) == []


@pytest.mark.parametrize("ago", [0, 400])
def test_the_first_parts_are_single_days(ago: int) -> None:
    until = datetime.now(UTC) - ago * DAY
    parts = list(newest_first(Ids(until=first_id(until) if ago else LAST_ID)))
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [day_of(part.since) for part in parts[:4]]
    assert starts == [midnight, midnight - DAY, midnight - 3 * DAY, midnight - 7 * DAY]
