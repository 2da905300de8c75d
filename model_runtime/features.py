"""Feature vectors in S3: one Parquet object for each batch, without any text.

Columns: prediction_id (string), version (string), features (fixed-size list of float32). A row
is named `s3://bucket/key#row=N`, N from 0.
"""

import asyncio
import io
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from model_runtime.abstract_model import FloatArray
from model_runtime.outages import Retry

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class FeaturesUnavailable(Exception):
    """S3 does not take an object just now. The message is the code or the class of the cause."""


@dataclass(slots=True)
class FeatureBatch:
    """Rows that become one object. Its place is known before it is written."""

    bucket: str
    key: str
    version: str
    ids: list[str] = field(default_factory=list)
    blocks: list[FloatArray] = field(default_factory=list)

    def append(self, ids: Sequence[str], features: FloatArray) -> list[str]:
        """Add rows; answers where each will lie."""
        first = len(self.ids)
        self.ids += ids
        self.blocks.append(features)
        prefix = f"s3://{self.bucket}/{self.key}#row="
        return [f"{prefix}{row}" for row in range(first, len(self.ids))]

    def to_parquet(self) -> bytes:
        """The whole object."""
        matrix = np.concatenate(self.blocks)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])
        table = pa.table(
            {
                "prediction_id": pa.array(self.ids, pa.string()),
                "version": pa.array([self.version] * len(self.ids), pa.string()),
                "features": vectors,
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, use_dictionary=["version"])
        return sink.getvalue()


class FeatureStore:
    """Writes batches to S3, through an executor since boto3 blocks."""

    def __init__(self, *, client: "S3Client", bucket: str, model: str, executor: Executor) -> None:
        self._client = client
        self._bucket = bucket
        self._model = model
        self._executor = executor

    def new_batch(self, version: str) -> FeatureBatch:
        """An empty batch with a key of its own."""
        day = datetime.now(UTC).strftime("%Y/%m/%d")
        key = f"features/{self._model}/{version}/{day}/{uuid4()}.parquet"
        return FeatureBatch(self._bucket, key, version)

    async def put(self, batch: FeatureBatch) -> None:
        """Write the object; again is no harm. Raises FeaturesUnavailable."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._put, batch)

    def _put(self, batch: FeatureBatch) -> None:
        try:
            self._client.put_object(Bucket=batch.bucket, Key=batch.key, Body=batch.to_parquet())
        except ClientError as exc:
            raise FeaturesUnavailable(exc.response["Error"]["Code"]) from exc
        except BotoCoreError as exc:
            raise FeaturesUnavailable(type(exc).__name__) from exc


class DirectFeatures:
    """Keeps features before the answer goes out, for work that can wait."""

    def __init__(self, *, store: FeatureStore, retry: Retry) -> None:
        self._store = store
        self._retry = retry

    async def keep(self, version: str, ids: Sequence[str], features: FloatArray) -> list[str]:
        """Write the rows and answer where they lie. Waits while S3 is away; raises Stopping."""
        batch = self._store.new_batch(version)
        places = batch.append(ids, features)
        await self._retry(lambda: self._store.put(batch))
        return places
