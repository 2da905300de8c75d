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
