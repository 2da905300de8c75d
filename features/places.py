"""Where features lie: the key of an object is known before its rows are written."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

PREFIX = "features"
MAX_AGE = timedelta(days=30)
"""Of a file that is shipped: an object that is not there by then will not come."""

_KEY_DAY = re.compile(r"(\d{4})/(\d{2})/(\d{2})/[^/]+")
_PLACE = re.compile(r"s3://([^/]+)/(.+)#row=(\d{1,9})")


class ObjectPlace(NamedTuple):
    """The object that a features_uri is in."""

    bucket: str
    key: str


def version_folder(model: str, version: str) -> str:
    """What the keys of a version's objects start with."""
    return f"{PREFIX}/{model}/{version}/"


def object_key(model: str, version: str, file_id: str) -> str:
    """The key of an object. file_id: a UUIDv7, which says the day."""
    return f"{version_folder(model, version)}{file_time(file_id):%Y/%m/%d}/{file_id}.parquet"


def file_time(file_id: str) -> datetime:
    """When a file was begun. Raises ValueError."""
    milliseconds = UUID(file_id).int >> 80
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def day_of(key: str, folder: str) -> date | None:
    """The day of an object in a version's folder, as its key says; None if it says none."""
    found = _KEY_DAY.fullmatch(key.removeprefix(folder))
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def row_of(features_uri: str) -> tuple[ObjectPlace, int] | None:
    """The object and the row in it, from 0; None if that is no place."""
    found = _PLACE.fullmatch(features_uri)
    return (ObjectPlace(found[1], found[2]), int(found[3])) if found else None


def place_of(features_uri: str) -> ObjectPlace | None:
    """The object that a row lies in; None if that is no place."""
    found = row_of(features_uri)
    return found[0] if found else None


def place_prefix(bucket: str, model: str, version: str, file_id: str) -> str:
    """What the features_uri of each row of a file starts with; the row's number follows, from 0."""
    return f"s3://{bucket}/{object_key(model, version, file_id)}#row="
