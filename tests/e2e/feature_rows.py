"""Rows of features, read as whoever has a features_uri reads them."""

import io
import re
from typing import Any

import pyarrow.parquet as parquet

from tests.e2e.mesh import Mesh
from tests.parts.polling import wait_until


def read_row(mesh: Mesh, uri: str) -> dict[str, Any]:
    """The row of a features_uri."""
    bucket, key, row = re.fullmatch("s3://([^/]+)/(.+)#row=([0-9]+)", uri).groups()  # type: ignore[union-attr]
    s3 = mesh.aws.client("s3")
    wait_until(lambda: "Contents" in s3.list_objects_v2(Bucket=bucket, Prefix=key))
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(body)).to_pylist()
    return rows[int(row)]
