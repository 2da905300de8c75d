import pytest
from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument
from gateway import pages
from gateway.prediction import ListFilter


def test_a_token_gives_back_where_its_page_ended() -> None:
    where = ListFilter(model="sentiment")
    assert pages.decode_token(pages.encode_token("the-last-id", where), where) == "the-last-id"


def test_no_token_means_the_first_page() -> None:
    assert pages.decode_token("", ListFilter()) is None


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not base64!",
        "AAAA",
        "////",
        pages.encode_token("last", ListFilter(model="genre")),
        pages.encode_token("last", ListFilter(model="sentiment"))[:-4],
    ],
)
def test_a_token_of_another_list_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        pages.decode_token(token, ListFilter(model="sentiment", version="1"))
    assert refusal.value.reason == ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN
    assert refusal.value.metadata["field"] == "page_token"


def test_a_token_that_a_client_made_up_is_refused_where_keys_are_ids() -> None:
    made_up = pages.encode_token("'; --", ListFilter())
    with pytest.raises(InvalidArgument) as refusal:
        pages.decode_id(made_up, ListFilter())
    assert refusal.value.reason == ErrorReason.ERROR_REASON_INVALID_PAGE_TOKEN
    id_ = "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506"
    assert pages.decode_id(pages.encode_token(id_, ListFilter()), ListFilter()) == id_
    assert pages.decode_id("", ListFilter()) is None


@pytest.mark.parametrize(("asked", "used"), [(0, 50), (1, 1), (1000, 1000), (2**31 - 1, 1000)])
def test_a_page_has_a_size_up_to_the_largest(asked: int, used: int) -> None:
    assert pages.size_to_use(asked) == used
