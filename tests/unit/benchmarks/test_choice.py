"""What learning curves say of choosing what is labelled."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.choice.curves import CHANCE, CHOICE, Curve
from benchmarks.choice.report import gain, plot, verdict


def pairs(gained: float, noise: float = 0.0) -> list[Curve]:
    """Of eight seeds that differ much, where choosing gains so much on the mean."""
    random = np.random.default_rng(1)
    found = []
    for seed in range(8):
        start, slope = 0.3 + seed / 20, 0.1
        of_pair = gained + noise * float(random.standard_normal())
        for way, more in ((CHANCE, 0.0), (CHOICE, of_pair)):
            accuracy = (start, start + slope + more, start + 2 * slope + more)
            found.append(Curve(seed, way, (100, 200, 300), accuracy))
    return found


def test_seeds_are_pairs_whose_own_level_does_not_count() -> None:
    gains = gain(pairs(0.02))
    assert list(gains) == ["200", "300", "all"]  # the first labels are the same
    for figure in gains.values():
        assert figure.point == pytest.approx(0.02)
        assert figure.interval == pytest.approx((0.02, 0.02))


@pytest.mark.parametrize(
    ("gained", "said"), [(0.02, "teach the model more"), (-0.02, "less"), (0.0, "told apart")]
)
def test_it_is_said_which_way_teaches_more_or_that_nobody_knows(gained: float, said: str) -> None:
    assert said in verdict(pairs(gained, noise=0.005))


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    plot(tmp_path / "choice.png", pairs(0.01))
    assert (tmp_path / "choice.png").read_bytes().startswith(b"\x89PNG")
