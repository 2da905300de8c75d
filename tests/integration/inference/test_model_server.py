"""One server, asked: what it is asked for, and what its answers are taken for."""

import asyncio
import threading
from collections.abc import Sequence

import grpc
import numpy as np
import pytest

from contract.errors import DeadlineExceeded, ModelUnavailable
from contract.limits import MAX_TEXT_BYTES
from inference.calls import MAX_REQUEST_TEXT_BYTES
from inference.output import Output
from inference.server import ModelServer
from tests.integration.inference.asking import ask, failed, values, with_poison
from tests.parts.oip_server import Refusal
from tests.parts.ports import free_port
from tests.parts.words_server import Outputs, good_words, words_server


def only_scores(texts: Sequence[str]) -> Outputs:
    return {"scores": good_words(texts)["scores"]}


@pytest.mark.parametrize("typed", [False, True])
async def test_texts_are_answered_in_their_order(typed: bool) -> None:
    texts = ["good", "nothing", "good or bad", "naïve 😀"]
    with words_server(typed=typed) as server:
        answers = await ask(server.address, texts)
    assert values(answers) == pytest.approx([1, 0, 1 / 3, 0])
    first = answers.outputs[0]
    assert isinstance(first, Output)
    assert (first.label, first.confidence) == ("positive", 1)
    assert server.calls[0] == texts


async def test_scores_of_64_bits_are_taken() -> None:
    def wide(texts: Sequence[str]) -> Outputs:
        return {"scores": good_words(texts)["scores"].astype(np.float64)}

    with words_server(wide) as server:
        answers = await ask(server.address, ["good"])
    assert isinstance(answers.outputs[0], Output)


@pytest.mark.parametrize(
    ("features", "outputs"), [(False, ["scores", "value"]), (True, ["scores", "value", "features"])]
)
async def test_a_server_that_declares_its_outputs_is_asked_for_what_is_wanted(
    features: bool, outputs: list[str]
) -> None:
    with words_server(declares=True) as server:
        answers = await ask(server.address, ["good"], features=features)
    assert server.wanted[0] == outputs
    assert (answers.features is not None) == features


async def test_features_that_nobody_asked_for_are_left_out() -> None:
    with words_server() as server:
        assert (await ask(server.address, ["good"], features=False)).features is None
        asked_for = (await ask(server.address, ["good day"], features=True)).features
    assert server.wanted[0] == []
    assert asked_for is not None
    assert asked_for.tolist() == [[8, 2]]


async def test_features_that_are_not_declared_are_not_asked_for() -> None:
    with words_server(only_scores, declares=True) as server:
        answers = await ask(server.address, ["good"], features=True)
    assert server.wanted[0] == ["scores"]
    assert answers.features is None


async def test_what_a_version_declares_is_asked_once() -> None:
    with words_server(declares=True) as server:
        async with ModelServer(server.address) as asked:
            for _ in range(3):
                await asked.infer(
                    "words", "1", ["good"], labels=["a", "b"], features=False, timeout_s=5
                )
    assert server.metadata_calls == 1


async def test_what_a_version_declares_is_asked_again_once_it_was_away() -> None:
    server = words_server(declares=True)
    server.start()
    async with ModelServer(server.address) as asked:

        async def predict() -> None:
            await asked.predict(
                "words", "1", ["good"], labels=["a", "b"], features=True, timeout_s=5
            )

        await predict()
        server.stop()
        with pytest.raises(ModelUnavailable):
            await predict()
        server.answer = only_scores
        server.start()
        async with asyncio.timeout(100):
            while not await asked.is_well("words", "1"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await predict()
    server.stop()
    assert server.wanted[-1] == ["scores"]


async def test_a_server_without_metadata_is_asked_for_all() -> None:
    def unimplemented() -> None:
        raise Refusal(grpc.StatusCode.UNIMPLEMENTED)

    with words_server(declares=True) as server:
        server.before_metadata = unimplemented
        answers = await ask(server.address, ["good"])
    assert server.wanted[0] == []
    assert failed(answers) == []


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN])
async def test_metadata_that_fail_are_no_failure_of_a_text(code: grpc.StatusCode) -> None:
    def fail() -> None:
        raise Refusal(code)

    with words_server() as server:
        server.before_metadata = fail
        with pytest.raises(ModelUnavailable):
            await ask(server.address, ["good"])


async def test_metadata_that_hang_keep_to_the_deadline() -> None:
    released = threading.Event()
    with words_server() as server:
        server.before_metadata = lambda: released.wait(20)
        async with asyncio.timeout(15):
            with pytest.raises(DeadlineExceeded):
                await ask(server.address, ["good"], timeout_s=0.3)
        released.set()


async def test_a_version_that_the_server_does_not_know_is_unavailable() -> None:
    with words_server() as server:
        with pytest.raises(ModelUnavailable):
            await ask(server.address, ["good"], version="2")
        with pytest.raises(ModelUnavailable):
            await ask(server.address, ["good"], model="other")


async def test_an_answer_of_another_version_is_none() -> None:
    with words_server(answers_as="8") as server, pytest.raises(ModelUnavailable):
        await ask(server.address, ["good"])
    assert len(server.calls) == 1


async def test_an_answer_that_names_no_version_is_taken() -> None:
    with words_server(says_version=False) as server:
        assert failed(await ask(server.address, ["good"], version="5")) == []


async def test_large_batches_go_in_as_few_calls_as_their_bytes_allow() -> None:
    large = "x" * MAX_TEXT_BYTES
    fitting = MAX_REQUEST_TEXT_BYTES // MAX_TEXT_BYTES
    with words_server() as server:
        await ask(server.address, [large] * fitting)
        assert [len(call) for call in server.calls] == [fitting]
        server.calls.clear()
        texts = [f"good {large}"[:MAX_TEXT_BYTES]] + [large] * fitting + ["good"]
        answers = await ask(server.address, texts)
    assert [len(call) for call in server.calls] == [fitting, 2]
    assert values(answers)[-1] == 1


async def test_bytes_count_and_not_characters() -> None:
    two_bytes_each = "é" * (MAX_TEXT_BYTES // 2)
    fitting = MAX_REQUEST_TEXT_BYTES // MAX_TEXT_BYTES
    with words_server() as server:
        await ask(server.address, [two_bytes_each] * (fitting + 1))
    assert [len(call) for call in server.calls] == [fitting, 1]


async def test_a_bad_text_of_a_large_batch_is_found_in_its_part() -> None:
    texts = ["x" * MAX_TEXT_BYTES for _ in range(60)]
    texts[50] = "poison"
    with words_server() as server:
        answers = await ask(server.address, texts)
    assert failed(answers) == [50]


async def test_nobody_listening_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable):
        await ask(f"127.0.0.1:{free_port()}", ["good"])


async def test_a_server_that_dies_under_a_call_is_unavailable() -> None:
    entered, released = threading.Event(), threading.Event()

    def waits(texts: Sequence[str]) -> Outputs:
        entered.set()
        released.wait(20)
        return good_words(texts)

    with words_server(waits) as server:
        asking = asyncio.create_task(ask(server.address, with_poison(256)))
        await asyncio.to_thread(entered.wait, 10)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        with pytest.raises(ModelUnavailable):
            await asking
        released.set()
        await stopping


async def test_only_a_version_that_answers_is_said_to_answer() -> None:
    def broken(texts: Sequence[str]) -> Outputs:
        raise RuntimeError

    with words_server() as server:
        async with ModelServer(server.address) as asked:
            assert await asked.is_well("words", "1")
            assert not await asked.is_well("words", "2")
            server.model = broken
            assert not await asked.is_well("words", "1")
    with words_server(answers_as="8") as server:
        async with ModelServer(server.address) as asked:
            assert not await asked.is_well("words", "1")


async def test_what_a_server_says_of_a_failure_is_passed_on_to_nobody() -> None:
    def tells(texts: Sequence[str]) -> Outputs:
        raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "the secret of somebody's text")

    with words_server(tells) as server, pytest.raises(ModelUnavailable) as raised:
        await ask(server.address, ["good"])
    assert "secret" not in str(raised.value)
    assert "secret" not in str(raised.value.metadata)


async def test_a_server_says_whether_a_version_is_ready() -> None:
    server = words_server()
    server.start()
    async with ModelServer(server.address) as asked:
        assert await asked.is_ready("words", "1", timeout_s=5)
        assert not await asked.is_ready("words", "2", timeout_s=5)
        server.stop()
        with pytest.raises(ModelUnavailable):
            await asked.is_ready("words", "1", timeout_s=5)


@pytest.mark.parametrize(
    ("code", "ready"), [(grpc.StatusCode.UNIMPLEMENTED, True), (grpc.StatusCode.INTERNAL, False)]
)
async def test_a_server_without_the_question_has_nothing_against_a_version(
    code: grpc.StatusCode, ready: bool
) -> None:
    def refuse() -> None:
        raise Refusal(code)

    with words_server() as server:
        server.before_ready = refuse
        async with ModelServer(server.address) as asked:
            assert await asked.is_ready("words", "1", timeout_s=5) is ready


async def test_a_server_that_does_not_say_in_time_may_be_busy() -> None:
    release = threading.Event()
    with words_server() as server:
        server.before_ready = lambda: release.wait(10)
        async with ModelServer(server.address) as asked:
            with pytest.raises(DeadlineExceeded):
                await asked.is_ready("words", "1", timeout_s=0.1)
            release.set()
