import time
from uuid import UUID

from gateway.ids import uuid7


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
