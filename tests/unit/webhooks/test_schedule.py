"""When it is tried again."""

from datetime import timedelta

from webhooks.schedule import LIFE, pause


def test_pauses_grow_and_end_within_a_day() -> None:
    pauses = []
    while (wait := pause(len(pauses) + 1)) is not None:
        pauses.append(wait)
    assert timedelta(seconds=5) <= pauses[0] < timedelta(seconds=6)
    assert pauses[:8] == sorted(pauses[:8])
    assert LIFE * 0.9 < sum(pauses, timedelta()) < LIFE * 1.1
