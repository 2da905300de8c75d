"""Under what a request_id is kept."""

from itertools import product
from uuid import UUID, uuid4

from gateway.request_keys import request_key


def test_none_has_none() -> None:
    assert request_key("", "") == request_key("ann", "") == ""


def test_without_a_name_it_is_the_id_itself() -> None:
    request_id = str(uuid4())
    assert request_key("", request_id) == request_id


def test_each_pair_has_its_own_and_always_the_same() -> None:
    ids = [str(uuid4()) for _ in range(50)]
    pairs = list(product(("", "ann", "bob", "ann "), ids))
    keys = [request_key(*pair) for pair in pairs]
    assert len(set(keys)) == len(pairs)
    assert keys == [request_key(*pair) for pair in pairs]


def test_it_is_a_canonical_uuid_of_a_version_that_nobody_can_choose() -> None:
    made = request_key("ann", str(uuid4()))
    assert str(UUID(made)) == made
    assert (UUID(made).variant, made[14]) == ("specified in RFC 4122", "8")
    assert request_key("", made) != made
    assert request_key("", made)[14] == "8"
