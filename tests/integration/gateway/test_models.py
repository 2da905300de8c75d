"""The gateway's micro-batches, against a server of the Open Inference Protocol that is not ours."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import numpy as np
import numpy.typing as npt
import pytest

from contract.errors import DeadlineExceeded, ModelFailed, ModelUnavailable, Overloaded
from gateway import request_context
from gateway.logs import request_fields
from gateway.metrics.stages import StagesByVersion
from gateway.models import Models
from gateway.store.catalog import Model, Version
from inference.calls import PROBE_TEXT
from tests.parts.oip_server import OipServer, Refusal
from tests.parts.words import LABELS, POISON
from tests.parts.words_server import MODEL, VERSION, Outputs, good_words, words_server


class Sink:
    """Keeps rows of features as a spool does."""

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}

    def append(
        self, model: str, version: str, ids: Sequence[str], matrix: npt.NDArray[np.float32]
    ) -> list[str]:
        assert len(ids) == len(matrix)
        self.rows |= dict(zip(ids, matrix.tolist(), strict=True))
        return [f"s3://b/{model}/{version}/{prediction_id}" for prediction_id in ids]


class Gate:
    """Holds up the answers of a server until a test opens it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    async def until(self, *, running: int) -> None:
        async with asyncio.timeout(100):
            while self.running < running:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def answer(self, texts: Sequence[str]) -> Outputs:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.opened.wait(100)
        with self._lock:
            self.running -= 1
        return good_words(texts)


def catalog(address: str, *names: str, share: float = 1.0) -> dict[str, Model]:
    def model(name: str) -> Model:
        version = Version(VERSION, "SERVING", "", datetime.now(UTC), list(LABELS), address)
        return Model(
            id=name,
            description="",
            labels=list(LABELS),
            address=address,
            feature_share=share,
            traffic={VERSION: 100},
            versions={VERSION: version},
        )

    return {name: model(name) for name in names or (MODEL,)}


def open_models(models: dict[str, Model], sink: Sink, **limits: float) -> Models:
    defaults = {
        "max_batch": 8,
        "batches_per_version": 1,
        "batches_per_server": 4,
        "max_waiting": 100,
        "max_inference_s": 5.0,
        "max_call_s": 5.0,
    }
    return Models(
        lambda: models,
        features=sink,
        stages=StagesByVersion(),
        **{**defaults, **limits},  # type: ignore[arg-type]
    )


@pytest.fixture
def server() -> Iterator[OipServer]:
    with words_server() as server:
        yield server


@pytest.fixture
async def opened(server: OipServer) -> AsyncIterator[tuple[Models, Sink]]:
    sink = Sink()
    async with open_models(catalog(server.address), sink) as models:
        yield models, sink


async def ask(models: Models, text: str, model: str = MODEL, prediction_id: str = "id") -> str:
    answer = await models.predict(model, VERSION, prediction_id=prediction_id, text=text)
    return answer.output.label


async def test_calls_that_come_together_go_together(
    opened: tuple[Models, Sink], server: OipServer
) -> None:
    await asyncio.gather(*(ask(opened[0], f"good {n}") for n in range(3)))
    assert server.calls == [["good 0", "good 1", "good 2"]]


async def test_a_text_that_the_model_cannot_process_fails_alone_and_has_no_features(
    opened: tuple[Models, Sink],
) -> None:
    models, sink = opened
    texts = ["good", f"{POISON} good", "good good"]
    answers = await asyncio.gather(
        *(
            models.predict(MODEL, VERSION, prediction_id=str(n), text=text)
            for n, text in enumerate(texts)
        ),
        return_exceptions=True,
    )
    assert isinstance(answers[1], ModelFailed)
    assert sink.rows == {"0": [4, 1], "2": [9, 2]}
    assert [answers[n].features_uri for n in (0, 2)] == [  # type: ignore[union-attr]
        f"s3://b/{MODEL}/{VERSION}/{n}" for n in (0, 2)
    ]


async def test_a_model_that_states_a_share_of_none_keeps_no_features(server: OipServer) -> None:
    sink = Sink()
    async with open_models(catalog(server.address, share=0.0), sink) as models:
        answer = await models.predict(MODEL, VERSION, prediction_id="1", text="good")
    assert answer.features_uri == ""
    assert sink.rows == {}


async def test_a_version_that_the_server_does_not_know_is_unavailable(server: OipServer) -> None:
    models = catalog(server.address)
    server.version = "2"
    async with open_models(models, Sink()) as opened:
        with pytest.raises(ModelUnavailable):
            await ask(opened, "good")
        server.version = VERSION
        assert await ask(opened, "good") in LABELS


async def test_a_server_never_has_more_batches_than_its_slots() -> None:
    gate, names = Gate(), tuple(f"m{n}" for n in range(6))
    with words_server(gate.answer, model="*") as server:
        models = catalog(server.address, *names)
        async with open_models(models, Sink(), batches_per_server=2) as opened:
            calls = [asyncio.create_task(ask(opened, "good", name)) for name in names]
            await gate.until(running=2)
            await asyncio.sleep(0.1)  # time for a third, if it were let in
            gate.opened.set()
            await asyncio.gather(*calls)
    assert gate.most == 2


async def test_a_version_has_a_batch_at_each_of_its_servers_and_no_more() -> None:
    gate = Gate()
    with words_server() as one, words_server() as other:
        both = catalog(f"ipv4:{one.address},{other.address}")
        async with open_models(both, Sink(), max_batch=1) as opened:
            while not (one.calls and other.calls):  # a connection comes up a moment later
                await ask(opened, "good")
            one.answer = other.answer = gate.answer
            calls = [asyncio.create_task(ask(opened, "good")) for _ in range(6)]
            await gate.until(running=2)
            await asyncio.sleep(0.1)  # time for a third, if it were let in
            gate.opened.set()
            await asyncio.gather(*calls)
    assert gate.most == 2


async def test_a_slot_stays_taken_when_its_callers_have_left() -> None:
    gate = Gate()
    with words_server(gate.answer) as server:
        async with open_models(catalog(server.address), Sink(), batches_per_server=1) as opened:
            left = asyncio.create_task(ask(opened, "good"))
            await gate.until(running=1)
            left.cancel()
            waiting = asyncio.create_task(ask(opened, "good good"))
            await asyncio.sleep(0.1)
            assert gate.most == 1
            gate.opened.set()
            await waiting
    assert gate.most == 1


async def test_a_batch_that_is_not_ended_in_time_keeps_the_next_one_waiting() -> None:
    """The server works on it still: more would only queue behind it there."""
    release, instance = threading.Event(), threading.Lock()

    def answer(texts: Sequence[str]) -> Outputs:
        with instance:  # one batch after the other, the gateway's questions among them
            if "slow" in texts:
                release.wait(100)
            return good_words(texts)

    with words_server(answer) as server:
        limits = {"max_inference_s": 0.2}
        async with open_models(catalog(server.address), Sink(), **limits) as opened:
            with pytest.raises(Exception, match="deadline"):
                await ask(opened, "slow")
            waiting = asyncio.create_task(ask(opened, "good"))
            await asyncio.sleep(0.5)
            assert not any("good" in texts for texts in server.calls)
            release.set()
            assert await waiting in LABELS


async def ask_until(models: Models, text: str, seconds: float) -> str:
    """As a call with a deadline does."""
    deadline = asyncio.get_running_loop().time() + seconds
    async with asyncio.timeout_at(deadline):
        answer = await models.predict(
            MODEL, VERSION, prediction_id="id", text=text, deadline=deadline
        )
    return answer.output.label


async def test_a_batch_has_the_latest_deadline_and_each_caller_leaves_at_its_own() -> None:
    gate = Gate()
    with words_server(gate.answer) as server:
        async with open_models(catalog(server.address), Sink(), max_inference_s=60) as opened:
            callers = [asyncio.create_task(ask_until(opened, "good", s)) for s in (0.3, 20, 5)]
            with pytest.raises(TimeoutError):
                await callers[0]
            assert [caller.done() for caller in callers] == [True, False, False]
            gate.opened.set()
            assert await callers[1] in LABELS
            assert await callers[2] in LABELS
        assert server.calls == [["good"] * 3]
        (left_s,) = server.left_s
        assert left_s is not None
        assert 5 < left_s < 21  # gRPC rounds it up, to a tenth


async def test_no_deadline_is_later_than_a_server_may_take(
    opened: tuple[Models, Sink], server: OipServer
) -> None:
    await ask(opened[0], "good")
    await ask_until(opened[0], "good", 600)
    assert all(left_s is not None and left_s <= 5.1 for left_s in server.left_s)


async def test_a_caller_in_a_hurry_takes_no_healthy_version_from_the_others() -> None:
    """The server was slower than the caller could wait, and is well: the next batch goes to it."""

    def answer(texts: Sequence[str]) -> Outputs:
        if "slow" in texts:
            time.sleep(0.3)
        return good_words(texts)

    with words_server(answer) as server:
        async with open_models(catalog(server.address), Sink(), max_inference_s=60) as opened:
            for _ in range(5):
                hurried = asyncio.create_task(ask_until(opened, "slow", 0.05))
                await asyncio.sleep(0.01)
                other = asyncio.create_task(ask_until(opened, "good", 20))
                with pytest.raises(Exception, match=r"deadline|^$"):
                    await hurried
                assert await other in LABELS
        assert server.calls.count([PROBE_TEXT]) <= 5  # each question was answered at once


async def test_a_caller_whose_time_is_over_before_its_batch_costs_the_server_nothing(
    opened: tuple[Models, Sink], server: OipServer
) -> None:
    now = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded):
        await opened[0].predict(MODEL, VERSION, prediction_id="id", text="good", deadline=now - 1)
    assert await ask(opened[0], "good") in LABELS
    assert server.calls == [["good"]]


async def test_a_batch_belongs_to_no_request() -> None:
    """Whoever made it start: a line that it logs would name the wrong one."""
    seen: list[Mapping[str, str]] = []

    def answer(texts: Sequence[str]) -> Outputs:
        raise Refusal(grpc.StatusCode.DATA_LOSS)

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(request_fields())

    handler = Lines()
    logging.getLogger("inference.server").addHandler(handler)
    with words_server(answer) as server:
        async with open_models(catalog(server.address), Sink()) as opened:
            request_context.enter(request_context.RequestContext(id="mine"))
            with pytest.raises(ModelUnavailable):
                await ask(opened, "good")
    logging.getLogger("inference.server").removeHandler(handler)
    assert seen == [{}]


async def test_what_waits_is_bounded() -> None:
    gate = Gate()
    with words_server(gate.answer) as server:
        models = catalog(server.address)
        async with open_models(models, Sink(), max_waiting=2, max_batch=1) as opened:
            calls = [asyncio.create_task(ask(opened, "good"))]
            await gate.until(running=1)
            calls += [asyncio.create_task(ask(opened, "good")) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await ask(opened, "good")
            gate.opened.set()
            await asyncio.gather(*calls)


def _late_then_refuses() -> Callable[[Sequence[str]], Outputs]:
    def answer(texts: Sequence[str]) -> Outputs:
        if "slow" in texts:
            time.sleep(0.4)
        raise Refusal(grpc.StatusCode.UNAVAILABLE)

    return answer


async def test_a_version_that_is_withdrawn_while_it_does_not_answer_is_not_looked_at_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.models.HANGING_S", 0.01)
    with words_server(_late_then_refuses()) as server:
        models = catalog(server.address)
        async with open_models(models, Sink(), max_inference_s=0.2) as opened:
            with pytest.raises(Exception, match="deadline"):
                await ask(opened, "slow")
            await asyncio.sleep(0.5)
            looks = len(server.calls)
            assert looks > 2
            version = replace(models[MODEL].versions[VERSION], state="RETIRED")
            models[MODEL] = replace(models[MODEL], versions={VERSION: version})
            await asyncio.sleep(0.2)
            looks = len(server.calls)
            await asyncio.sleep(0.2)
            assert len(server.calls) == looks


async def test_nothing_runs_on_after_the_end() -> None:
    before = asyncio.all_tasks()
    with words_server(_late_then_refuses()) as server:
        async with open_models(catalog(server.address), Sink(), max_inference_s=0.2) as opened:
            with pytest.raises(Exception, match="deadline"):
                await ask(opened, "slow")
        assert asyncio.all_tasks() == before
