"""Takes rows out of objects of features, through threads since boto3 blocks."""

import asyncio
from collections.abc import Collection
from concurrent.futures import Executor
from enum import Enum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from features.errors import FeaturesRefused
from features.parquet import erase_rows
from features.places import ObjectPlace
from features.refusals import is_condition, translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class Found(Enum):
    """What an object was when it was looked at."""

    ABSENT = "absent"
    """It may still be on its way."""
    CLEAN = "clean"
    """It has nothing of the predictions."""
    REWRITTEN = "rewritten"
    """It had, and has no more."""


class FeatureErasure:
    """Objects of features, for erasing what they have of predictions."""

    def __init__(self, *, client: "S3Client", executor: Executor) -> None:
        self._client = client
        self._executor = executor

    async def erase(self, place: ObjectPlace, ids: Collection[str]) -> Found:
        """Write an object anew without what it has of predictions, if it has anything.

        It is replaced only as it was read. Raises FeaturesUnavailable; FeaturesRefused if this
        object cannot be read or written, or is just written by another one, and others may be.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._erase, place, ids
        )

    def _erase(self, place: ObjectPlace, ids: Collection[str]) -> Found:
        with translated():
            try:
                read = self._client.get_object(Bucket=place.bucket, Key=place.key)
                body = read["Body"].read()
            except ClientError as error:
                if is_condition(error):
                    return Found.ABSENT
                raise
            try:
                left = erase_rows(body, ids)
            except ValueError as error:
                raise FeaturesRefused(str(error)) from error
            if left is None:
                return Found.CLEAN
            self._client.put_object(
                Bucket=place.bucket, Key=place.key, Body=left, IfMatch=read["ETag"]
            )
            return Found.REWRITTEN
