"""Reads rows of features from S3, by where their predictions say that they lie."""

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from features.errors import FeaturesRefused, FeaturesUnavailable
from features.places import row_of
from features.refusals import to_error

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Row = npt.NDArray[np.float32]

MAX_BYTES = 64 << 20
"""Of an object; the programs that write them make smaller ones."""


class FeatureReader:
    """The features bucket, for reading."""

    def __init__(self, *, client: "S3Client", bucket: str, executor: Executor) -> None:
        self._client = client
        self._bucket = bucket
        self._executor = executor

    def read(self, uris: Iterable[str]) -> dict[str, Row | None]:
        """The rows at these places; None where there is none, or none that can be read.

        Holds an object for each thread, at the most. Raises FeaturesUnavailable.
        """
        found: dict[str, Row | None] = dict.fromkeys(uris)
        wanted: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for uri in found:
            place = row_of(uri)
            if place and place[0].bucket == self._bucket:
                wanted[place[0].key][uri] = place[1]
        for rows in self._executor.map(self._rows, wanted, wanted.values()):
            found |= rows
        return found

    def _rows(self, key: str, wanted: Mapping[str, int]) -> dict[str, Row]:
        """Of an object, as copies: a view would hold all of it. wanted: by URI, their numbers."""
        matrix = self._get(key)
        if matrix is None:
            return {}
        return {uri: matrix[row].copy() for uri, row in wanted.items() if row < len(matrix)}

    def _get(self, key: str) -> "npt.NDArray[np.float32] | None":
        """All rows of an object, None if it is not there or is none of ours."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            with answer["Body"] as stream:
                if answer["ContentLength"] > MAX_BYTES:
                    return None
                return _matrix(stream.read())
        except ClientError as error:
            if isinstance(refusal := to_error(error), FeaturesRefused):
                return None
            raise refusal from error
        except (BotoCoreError, OSError) as error:
            raise FeaturesUnavailable(type(error).__name__) from error


def _matrix(body: bytes) -> "npt.NDArray[np.float32] | None":
    try:
        column = pq.read_table(io.BytesIO(body), columns=["features"])["features"].combine_chunks()
        width = column.type.list_size
        return np.asarray(column.flatten(), np.float32).reshape(len(column), width)
    except (pa.ArrowException, AttributeError, KeyError, ValueError):
        return None
