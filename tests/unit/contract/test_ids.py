import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from contract.ids import uuid7


def test_ids_are_unique_uuids_of_version_7_that_tell_their_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    ids = [uuid7() for _ in range(2000)]
    after_ms = time.time_ns() // 1_000_000
    assert len(set(ids)) == len(ids)
    assert all(str(UUID(id)) == id and UUID(id).version == 7 for id in ids)
    assert {UUID(id).variant for id in ids} == {"specified in RFC 4122"}
    moments_ms = [UUID(id).int >> 80 for id in ids]
    assert moments_ms == sorted(moments_ms)
    assert before_ms <= moments_ms[0]
    assert moments_ms[-1] <= after_ms


def test_no_random_digits_are_used_again() -> None:
    """Ten digits of 300 ids come again by chance once in 500,000 runs."""
    random = [uuid7().replace("-", "")[-15:] for _ in range(300)]
    pieces = Counter(digits[start : start + 10] for digits in random for start in range(6))
    assert max(pieces.values()) == 1


def test_threads_take_different_ids() -> None:
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(lambda _: uuid7(), range(20_000)))
    assert len(set(ids)) == len(ids)
