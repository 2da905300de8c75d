"""What all share is never more than there is, and never all of one caller."""

from collections import Counter
from itertools import cycle, islice

import pytest

from gateway.allowance import Allowance


@pytest.mark.parametrize(("callers", "share"), [(1, 50), (2, 33), (3, 25), (9, 10)])
def test_so_many_who_take_all_they_can_leave_as_much_to_the_next(callers: int, share: int) -> None:
    allowance = Allowance(100)
    taken = Counter(
        caller
        for caller in islice(cycle(f"eve {n}" for n in range(callers)), 100 * callers)
        if allowance.take(caller)
    )
    assert all(abs(number - share) <= 1 for number in taken.values())
    assert sum(allowance.take("bob") for _ in range(share // 2)) == share // 2


def test_what_is_given_back_may_be_taken_again() -> None:
    allowance = Allowance(10)
    for _ in range(3):
        assert [allowance.take("eve") for _ in range(6)] == [True] * 5 + [False]
        for _ in range(5):
            allowance.give_back("eve")


def test_callers_without_a_name_may_hold_all() -> None:
    allowance = Allowance(10)
    assert [allowance.take("") for _ in range(11)] == [True] * 10 + [False]
    assert not allowance.take("eve")


def test_more_than_is_free_is_never_taken() -> None:
    allowance = Allowance(10)
    assert [allowance.take("eve", 4) for _ in range(3)] == [True, True, False]
    assert [allowance.take("bob", amount) for amount in (3, 2)] == [False, True]
    allowance.give_back("eve", 4)
    assert allowance.take("bob", 4) or allowance.take("ann", 4)
