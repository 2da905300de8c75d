"""Where features lie: the key of an object is known before its rows are written."""

from datetime import UTC, datetime
from uuid import UUID

PREFIX = "features"


def version_folder(model: str, version: str) -> str:
    """What the keys of a version's objects start with."""
    return f"{PREFIX}/{model}/{version}/"


def object_key(model: str, version: str, file_id: str) -> str:
    """The key of an object. file_id: a UUIDv7, which says the day."""
    milliseconds = UUID(file_id).int >> 80
    day = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{version_folder(model, version)}{day:%Y/%m/%d}/{file_id}.parquet"


def place_prefix(bucket: str, model: str, version: str, file_id: str) -> str:
    """What the features_uri of each row of a file starts with; the row's number follows, from 0."""
    return f"s3://{bucket}/{object_key(model, version, file_id)}#row="
