"""Rows for spools of tests, and what has become of them."""

from pathlib import Path
from uuid import uuid4

import numpy as np

from features import spool_file
from features.spool import Spool

MATRIX = np.arange(8, dtype=np.float32).reshape(2, 4)


def new_ids(count: int = 2) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def whole_files(directory: Path) -> list[tuple[spool_file.Header, list[str], list[list[float]]]]:
    found = []
    for path in sorted(directory.glob("*.rows")):
        header, ids, matrix = spool_file.read(path)
        found.append((header, ids, matrix.tolist()))
    return found


def open_spool(directory: Path, max_bytes: int = 1 << 20) -> Spool:
    return Spool(directory, bucket="b", max_bytes=max_bytes)
