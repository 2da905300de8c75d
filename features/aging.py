"""Deletes objects of features by their day, through threads since boto3 blocks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import date
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from features.errors import FeaturesRefused
from features.places import PREFIX, day_of
from features.refusals import translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Given = TypeVarTuple("Given")
Answer = TypeVar("Answer")


class FeatureAging:
    """The features bucket, for deleting what is old in it. Raises FeaturesUnavailable."""

    def __init__(self, *, client: "S3Client", bucket: str, executor: Executor) -> None:
        self._client = client
        self._bucket = bucket
        self._executor = executor

    async def models(self) -> list[str]:
        """All that have objects, whether they are still known or not."""
        return [_name(folder) for folder in await self._run(self._folders, f"{PREFIX}/")]

    async def versions(self, model: str) -> list[str]:
        """The folders of a model's versions."""
        return await self._run(self._folders, f"{PREFIX}/{model}/")

    async def delete_before(self, day: date, folder: str) -> bool:
        """Delete up to 1000 objects of a version that are of earlier days; the oldest first.

        Answers whether there may be more.
        """
        return await self._run(self._delete_before, day, folder)

    async def _run(self, call: Callable[[*Given], Answer], *given: *Given) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *given)

    def _folders(self, prefix: str) -> list[str]:
        with translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            return [found["Prefix"] for page in pages for found in page.get("CommonPrefixes", [])]

    def _delete_before(self, day: date, folder: str) -> bool:
        with translated():
            listed = self._client.list_objects_v2(Bucket=self._bucket, Prefix=folder)
            keys = [found["Key"] for found in listed.get("Contents", [])]
            old = [key for key in keys if (of := day_of(key, folder)) and of < day]
            if old:
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in old], "Quiet": True},
                )
                if errors := answer.get("Errors"):
                    raise FeaturesRefused(errors[0]["Code"])
            return len(old) == len(keys) and bool(listed.get("IsTruncated"))


def _name(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]
