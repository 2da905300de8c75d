"""Features: where they lie, what is in an object, how much waits in memory."""

import io
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import sentinel

import numpy as np
import pyarrow.parquet as pq

from model_runtime.feature_buffer import MAX_ROWS, FeatureBuffer
from model_runtime.features import FeatureBatch, FeatureStore


def test_rows_are_named_in_their_order() -> None:
    batch = FeatureBatch("bucket", "key.parquet", "1")
    assert batch.append(["a"], np.zeros((1, 2), np.float32)) == ["s3://bucket/key.parquet#row=0"]
    assert batch.append(["b", "c"], np.zeros((2, 2), np.float32)) == [
        "s3://bucket/key.parquet#row=1",
        "s3://bucket/key.parquet#row=2",
    ]


def test_an_object_holds_what_was_added() -> None:
    batch = FeatureBatch("bucket", "key.parquet", "7")
    batch.append(["a"], np.array([[1, 2]], np.float32))
    batch.append(["b"], np.array([[3, 4]], np.float32))
    assert pq.read_table(io.BytesIO(batch.to_parquet())).to_pylist() == [
        {"prediction_id": "a", "version": "7", "features": [1, 2]},
        {"prediction_id": "b", "version": "7", "features": [3, 4]},
    ]


async def test_memory_is_bounded_while_s3_is_away() -> None:
    with ThreadPoolExecutor(1) as executor:
        store = FeatureStore(
            client=sentinel.never_called, bucket="bucket", model="sentiment", executor=executor
        )
        buffer = FeatureBuffer(store=store, retry=sentinel.never_called)
        kept = await buffer.keep("1", ["id"] * MAX_ROWS, np.zeros((MAX_ROWS, 2), np.float32))
        dropped = await buffer.keep("1", ["id"] * 3, np.zeros((3, 2), np.float32))
    assert len(set(kept)) == MAX_ROWS
    assert dropped == ["", "", ""]
