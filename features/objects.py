"""Writes objects of feature rows to S3, through threads since boto3 blocks."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from botocore.exceptions import BotoCoreError, ClientError

from contract.ids import uuid7
from features.errors import FeaturesUnavailable
from features.parquet import to_parquet
from features.places import object_key, place_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class FeatureObjects:
    """The features bucket, for writing."""

    def __init__(self, *, client: "S3Client", bucket: str, executor: Executor) -> None:
        self._client = client
        self._bucket = bucket
        self._executor = executor

    async def put(
        self, model: str, version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]
    ) -> list[str]:
        """Write rows as one new object; answers where each lies.

        matrix: (n, d), a row for each id of a prediction. Raises FeaturesUnavailable.
        """
        file_id = uuid7()
        await self.put_file(file_id, model, version, ids, matrix)
        prefix = place_prefix(self._bucket, model, version, file_id)
        return [f"{prefix}{row}" for row in range(len(ids))]

    async def put_file(
        self,
        file_id: str,
        model: str,
        version: str,
        ids: Sequence[str],
        matrix: npt.NDArray[np.float32],
    ) -> None:
        """Write the object of a file; again is no harm. Raises FeaturesUnavailable."""
        key = object_key(model, version, file_id)

        def put() -> None:
            body = to_parquet(version, ids, matrix)
            try:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
            except ClientError as error:
                raise FeaturesUnavailable(error.response["Error"]["Code"]) from error
            except BotoCoreError as error:
                raise FeaturesUnavailable(type(error).__name__) from error

        await asyncio.get_running_loop().run_in_executor(self._executor, put)
