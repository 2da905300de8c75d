"""Writes objects of feature rows to S3, through threads since boto3 blocks."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from botocore.exceptions import ClientError

from features.parquet import to_parquet
from features.places import object_key, place_prefix
from features.refusals import is_condition, translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PUT = {"rpc.system.name": "aws-api", "rpc.method": "S3/PutObject"}
"""Attributes of the span around a write."""


class FeatureObjects:
    """The features bucket, for writing."""

    def __init__(self, *, client: "S3Client", bucket: str, executor: Executor) -> None:
        self._client = client
        self._bucket = bucket
        self._executor = executor

    async def put(
        self,
        file_id: str,
        model: str,
        version: str,
        ids: Sequence[str],
        matrix: npt.NDArray[np.float32],
    ) -> list[str]:
        """Write rows as the object of a file; answers where each lies. Again is no harm.

        file_id: a new UUIDv7; whoever tries again gives the same one, so that a write that
        succeeded and was not heard of leaves nothing behind. matrix: (n, d), a row for each id
        of a prediction. Raises FeaturesUnavailable.
        """
        await self.put_file(object_key(model, version, file_id), version, ids, matrix)
        prefix = place_prefix(self._bucket, model, version, file_id)
        return [f"{prefix}{row}" for row in range(len(ids))]

    async def put_file(
        self, key: str, version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]
    ) -> None:
        """Write one object. Raises FeaturesUnavailable, and FeaturesRefused if others may go.

        One that is there stays: it was written by a try that was not heard of, and rows may have
        been erased from it since.
        """

        def put() -> None:
            body = to_parquet(version, ids, matrix)
            with translated():
                try:
                    self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*"
                    )
                except ClientError as error:
                    if not is_condition(error):
                        raise

        await asyncio.get_running_loop().run_in_executor(self._executor, put)
