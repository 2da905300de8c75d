"""A text that makes the model fail fails alone, and an outage is not taken for failures."""

import asyncio
import itertools
import threading
from collections.abc import Sequence

import grpc
import numpy as np
import pytest

from contract.errors import DeadlineExceeded, ModelUnavailable, Overloaded
from inference.calls import PROBE_TEXT
from tests.integration.inference.asking import ask, failed, values, with_poison
from tests.parts.oip_server import Refusal
from tests.parts.words_server import Outputs, good_words, good_words_by_row, words_server


def halving_calls(count: int, bad: Sequence[int]) -> int:
    """What it must cost to find the bad texts: one call a batch, and a look at whether the server
    is well after the first failure and before each text is blamed."""

    def cost(start: int, end: int) -> int:
        if not any(start <= number < end for number in bad):
            return 1  # the batch, which is answered
        if end - start == 1:
            return 2
        middle = start + (end - start) // 2
        return 1 + cost(start, middle) + cost(middle, end)

    return 1 + cost(0, count)


async def test_a_server_that_says_failures_by_row_is_asked_twice() -> None:
    texts = with_poison(256, 100)
    with words_server(good_words_by_row, declares=True) as server:
        answers = await ask(server.address, texts)
    assert failed(answers) == [100]
    assert [len(call) for call in server.calls] == [256, 256]
    assert "error" not in server.wanted[0]
    assert "error" in server.wanted[1]


async def test_a_batch_without_a_bad_text_costs_one_call() -> None:
    with words_server() as server:
        answers = await ask(server.address, with_poison(256))
    assert failed(answers) == []
    assert len(server.calls) == 1


@pytest.mark.parametrize("bad", [(0,), (100,), (255,), (0, 255), (7, 8, 9, 200), (3, 4)])
async def test_bad_texts_fail_alone_and_the_others_are_answered(bad: tuple[int, ...]) -> None:
    texts = with_poison(256, *bad)
    with words_server() as server:
        answers = await ask(server.address, texts)
    assert failed(answers) == list(bad)
    good = [n for n in range(256) if n not in bad]
    expected = good_words([texts[n] for n in good])["value"].ravel()
    assert [values(answers)[n] for n in good] == pytest.approx(expected.tolist())
    assert len(server.calls) == halving_calls(256, bad)


def test_one_bad_text_of_256_costs_19_calls_where_the_server_says_nothing_by_row() -> None:
    """Nine sizes from 256 to 1 fail, eight other halves are answered; two looks."""
    assert halving_calls(256, [100]) == 9 + 8 + 2


async def test_a_bad_text_that_is_alone_costs_two_calls() -> None:
    with words_server() as server:
        answers = await ask(server.address, ["poison"])
    assert failed(answers) == [0]
    assert server.calls == [["poison"], [PROBE_TEXT]]


async def test_features_of_a_halved_batch_stay_beside_their_texts() -> None:
    texts = with_poison(9, 4)
    with words_server() as server:
        answers = await ask(server.address, texts, features=True)
    assert answers.features is not None
    for number, text in enumerate(texts):
        if number != 4:
            assert answers.features[number].tolist() == [len(text), len(text.split())]


CODES = [
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
]


@pytest.mark.parametrize("code", CODES, ids=[code.name for code in CODES])
async def test_an_outage_costs_two_calls_and_is_nobodys_fault(code: grpc.StatusCode) -> None:
    def broken(texts: Sequence[str]) -> Outputs:
        raise Refusal(code)

    with words_server(broken) as server:
        with pytest.raises(ModelUnavailable):
            await ask(server.address, with_poison(256))
        assert [len(call) for call in server.calls] == [256, 1]


def _without_scores(texts: Sequence[str]) -> Outputs:
    return {"value": good_words(texts)["value"]}


def _of_other_labels(texts: Sequence[str]) -> Outputs:
    return {"scores": np.ones((len(texts), 1), np.float32)}


@pytest.mark.parametrize("nonsense", [_without_scores, _of_other_labels])
async def test_a_server_that_always_says_nonsense_is_an_outage(nonsense: object) -> None:
    with words_server(nonsense) as server:  # type: ignore[arg-type]
        with pytest.raises(ModelUnavailable):
            await ask(server.address, with_poison(256))
        assert len(server.calls) == 2


async def test_an_outage_in_the_midst_of_halving_ends_it() -> None:
    count = itertools.count(1)

    def breaks_at_the_sixth_call(texts: Sequence[str]) -> Outputs:
        if next(count) >= 6:
            raise RuntimeError
        return good_words(texts)

    with words_server(breaks_at_the_sixth_call) as server:
        with pytest.raises(ModelUnavailable):
            await ask(server.address, with_poison(256, 100))
        assert len(server.calls) == 6 + 5 + 1  # halved to one text, which is not blamed


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, ModelUnavailable),
        (grpc.StatusCode.NOT_FOUND, ModelUnavailable),
        (grpc.StatusCode.UNIMPLEMENTED, ModelUnavailable),
        (grpc.StatusCode.PERMISSION_DENIED, ModelUnavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Overloaded),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
    ],
)
async def test_what_no_text_can_be_to_blame_for_is_not_halved(
    code: grpc.StatusCode, expected: type[Exception]
) -> None:
    def refuse(texts: Sequence[str]) -> Outputs:
        raise Refusal(code)

    with words_server(refuse) as server:
        with pytest.raises(expected):
            await ask(server.address, with_poison(256))
        assert len(server.calls) == 1


async def test_the_deadline_holds_for_all_calls_together() -> None:
    released = threading.Event()

    def slow(texts: Sequence[str]) -> Outputs:
        if len(texts) < 64:
            released.wait(20)
        return good_words(texts)

    with words_server(slow) as server:
        async with asyncio.timeout(15):
            with pytest.raises(DeadlineExceeded):
                await ask(server.address, with_poison(256, 0), timeout_s=0.5)
        released.set()


async def test_a_look_at_whether_the_server_is_well_keeps_to_the_deadline() -> None:
    released = threading.Event()

    def hangs_when_probed(texts: Sequence[str]) -> Outputs:
        if texts == [PROBE_TEXT]:
            released.wait(20)
        return good_words(texts)

    with words_server(hangs_when_probed) as server:
        async with asyncio.timeout(15):
            with pytest.raises(DeadlineExceeded):
                await ask(server.address, with_poison(256, 0), timeout_s=0.5)
        released.set()
