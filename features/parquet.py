"""The objects in S3: one Parquet file for each batch of rows, without any text.

Columns: prediction_id (string), version (string), features (fixed-size list of float32).
"""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq


def to_parquet(version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]) -> bytes:
    """The whole object. matrix: (n, d), a row for each id."""
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    table = pa.table(
        {
            "prediction_id": pa.array(ids, pa.string()),
            "version": pa.array([version] * len(ids), pa.string()),
            "features": pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1]),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, use_dictionary=["version"])
    return sink.getvalue()
