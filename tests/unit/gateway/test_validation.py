from datetime import timedelta

import pytest
from predict.v1.error_reason_pb2 import ErrorReason

from contract.errors import InvalidArgument
from gateway import validation

UUID = "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ErrorReason.ERROR_REASON_TEXT_EMPTY),
        (" \t\r\n\u2003", ErrorReason.ERROR_REASON_TEXT_BLANK),
        ("a\0b", ErrorReason.ERROR_REASON_TEXT_HAS_NUL),
        ("a" * 65_537, ErrorReason.ERROR_REASON_TEXT_TOO_LONG),
        ("é" * 32_769, ErrorReason.ERROR_REASON_TEXT_TOO_LONG),
    ],
)
def test_a_bad_text_is_refused_with_its_reason(text: str, reason: ErrorReason) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        validation.check_text(text)
    assert refusal.value.reason == reason
    assert refusal.value.metadata["field"] == "text"


@pytest.mark.parametrize("text", ["a", "a" * 65_536, "é" * 32_768, "😀" * 16_384])
def test_a_text_up_to_the_limit_passes(text: str) -> None:
    validation.check_text(text)


def test_an_id_is_made_canonical() -> None:
    assert validation.check_id(UUID.upper()) == UUID


@pytest.mark.parametrize(
    "bad", ["", "1", UUID[:-1], UUID.replace("-", ""), f"{{{UUID}}}", "x" * 36]
)
def test_what_is_no_id_is_refused(bad: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        validation.check_id(bad)
    assert refusal.value.reason == ErrorReason.ERROR_REASON_INVALID_ID


@pytest.mark.parametrize("model", ["a", "sentiment", "a-1", "a" * 63])
def test_an_id_that_a_model_can_have_passes(model: str) -> None:
    validation.check_model(model)


@pytest.mark.parametrize("model", ["Sentiment", "1a", "-a", "a/b", "a b", "a\0", "a\n", "a" * 64])
def test_an_id_that_no_model_can_have_is_refused(model: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        validation.check_model(model)
    assert refusal.value.reason == ErrorReason.ERROR_REASON_INVALID_ID


def test_a_missing_id_of_a_model_is_told_as_such() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        validation.check_model("")
    assert refusal.value.reason == ErrorReason.ERROR_REASON_REQUIRED_FIELD_MISSING


def test_a_batch_may_be_no_longer_than_its_answers_can_be_received() -> None:
    validation.check_batch_text(validation.MAX_BATCH_TEXT_BYTES)
    with pytest.raises(InvalidArgument):
        validation.check_batch_text(validation.MAX_BATCH_TEXT_BYTES + 1)


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.0", "latest", "1 ", "\u0661"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidArgument):
        validation.check_version(version)


@pytest.mark.parametrize(("size", "used"), [(0, 50), (1, 1), (1000, 1000)])
def test_a_page_size_in_range_is_used(size: int, used: int) -> None:
    assert validation.check_page_size(size) == used


@pytest.mark.parametrize("size", [-1, 1001])
def test_a_page_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        validation.check_page_size(size)
    assert refusal.value.reason == ErrorReason.ERROR_REASON_OUT_OF_RANGE


@pytest.mark.parametrize("seconds", [0, -1, 301])
def test_a_wait_out_of_range_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidArgument):
        validation.check_wait_timeout(timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [0, 0.9, 604_801])
def test_a_ttl_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(InvalidArgument):
        validation.check_ttl(timedelta(seconds=seconds))
