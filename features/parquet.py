"""The objects in S3: one Parquet file for each batch of rows, without any text.

Columns: prediction_id (string), version (string), features (fixed-size list of float32). A row that
was erased is still there, since places count rows: its prediction_id is null, its features are NaN.
"""

import io
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def to_parquet(version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]) -> bytes:
    """The whole object. matrix: (n, d), a row for each id."""
    return _write(
        pa.table(
            {
                "prediction_id": pa.array(ids, pa.string()),
                "version": pa.array([version] * len(ids), pa.string()),
                "features": _lists(matrix),
            }
        )
    )


def erase_rows(body: bytes, ids: Collection[str]) -> bytes | None:
    """An object without what it has of these predictions; None if it has nothing.

    Raises ValueError if it is no object of features.
    """
    try:
        table = pq.read_table(io.BytesIO(body), columns=["prediction_id", "version", "features"])
        features = table["features"].combine_chunks()
        matrix = features.flatten().to_numpy().reshape(len(table), features.type.list_size)
    except (pa.ArrowException, AttributeError) as error:
        raise ValueError("it is no object of features") from error
    erased = pc.is_in(table["prediction_id"], value_set=pa.array(ids, pa.string()))
    rows = np.flatnonzero(erased.to_numpy())
    if not len(rows):
        return None
    matrix = matrix.copy()
    matrix[rows] = np.nan
    kept = pc.if_else(erased, pa.scalar(None, pa.string()), table["prediction_id"])
    table = table.set_column(0, "prediction_id", kept)
    return _write(table.set_column(2, "features", _lists(matrix)))


def _lists(matrix: npt.NDArray[np.float32]) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _write(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, use_dictionary=["version"])
    return sink.getvalue()
