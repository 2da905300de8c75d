"""How long work for a server that is away stays away."""

import pytest

from model_runtime.availability import pause_s


@pytest.mark.parametrize(("age_s", "expected"), [(3, 5), (20, 10), (60, 30), (86_400, 30)])
def test_a_pause_grows_with_the_outage_between_bounds(age_s: float, expected: int) -> None:
    assert pause_s(age_s) == expected
