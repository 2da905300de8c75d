"""A partition of the space of features, by which rows of any width are counted in a histogram.

Each cut takes the rows beyond a point of a random direction out of those that are left, an equal
share of the reference's for each cell; the last cell has the rest. Sources: Boracchi, Carrera,
Cervellera, Macciò, QuantTree, ICML 2018; the directions, of signs only, Achlioptas, Journal of
Computer and System Sciences 66, 2003. So a distance of histograms does for features what it does
for labels, and the reference is kept as points on lines, not as rows.
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import shake_256
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from monitoring.counts import Histogram

CELLS = 16
Matrix = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Partition:
    """Cells 0 to CELLS - 1 of a space."""

    dimension: int
    cuts: tuple[float, ...]
    """Of each cell but the last: how far it reaches on its direction."""

    @classmethod
    def of(cls, rows: Matrix) -> Self:
        """Cells with equal shares of a reference's rows, (n, d) with n of at least CELLS."""
        cuts: list[float] = []
        left = _projected(rows, CELLS - 1)
        for cell in range(CELLS - 1):
            line = np.sort(left[:, cell])
            cuts.append(float(line[max(round(len(line) / (CELLS - cell)), 1) - 1]))
            left = left[left[:, cell] > cuts[-1]]
            if not len(left):  # rows that are alike cannot be told apart
                break
        return cls(rows.shape[1], tuple(cuts))

    def count(self, rows: Matrix) -> Histogram:
        """How many rows, (n, d), are in each cell."""
        beyond = _projected(rows, len(self.cuts)) <= np.asarray(self.cuts)
        cells = np.where(beyond.any(axis=1), beyond.argmax(axis=1), len(self.cuts))
        return Counter(str(cell) for cell in cells)


def _projected(rows: Matrix, count: int) -> Matrix:
    """(n, count): where each row is on each direction."""
    dimension = rows.shape[1]
    signs = [
        np.unpackbits(
            np.frombuffer(shake_256(b"%d" % number).digest(-(-dimension // 8)), np.uint8),
            count=dimension,
        )
        for number in range(count)
    ]
    return np.asarray(rows @ (2.0 * np.stack(signs, axis=1) - 1), float)
