"""Which versions count as away: silence and failed calls do it, being busy does not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest

from contract.errors import ModelFailed, ModelUnavailable, PredictError
from gateway.models import Models
from gateway.store.catalog import Model
from tests.integration.gateway.test_models import Sink, ask, catalog, open_models
from tests.parts.oip_server import Refusal
from tests.parts.parrot.model import Model as Parrot
from tests.parts.triton import Triton
from tests.parts.words import POISON
from tests.parts.words_server import MODEL, VERSION, Outputs, good_words, words_server


@asynccontextmanager
async def probed(models: dict[str, Model]) -> AsyncIterator[Models]:
    """Models whose versions are probed."""
    async with open_models(models, Sink()) as opened:
        await opened.probes.ask_all()
        probing = asyncio.create_task(opened.probes.run())
        try:
            yield opened
        finally:
            probing.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def refuse(code: grpc.StatusCode) -> Callable[[], None]:
    def answer() -> None:
        raise Refusal(code)

    return answer


async def test_a_server_that_does_not_know_the_question_answers() -> None:
    with words_server() as server:
        asked = 0

        def unimplemented() -> None:
            nonlocal asked
            asked += 1
            raise Refusal(grpc.StatusCode.UNIMPLEMENTED)

        server.before_ready = unimplemented
        models = catalog(server.address)
        async with probed(models) as opened:
            await until(lambda: asked > 2)
            assert opened.answers(models[MODEL])
        assert server.calls == []


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.NOT_FOUND])
async def test_a_version_that_its_server_has_doubts_about_is_judged_by_an_inference(
    code: grpc.StatusCode,
) -> None:
    with words_server() as server:
        server.before_ready = refuse(code)
        models = catalog(server.address)
        async with probed(models) as opened:
            assert opened.answers(models[MODEL])
            assert server.calls == [["ready?"]]
            server.answer = _refuses
            await until(lambda: not opened.answers(models[MODEL]))


def _refuses(texts: Sequence[str]) -> Outputs:
    raise Refusal(grpc.StatusCode.INTERNAL)


async def test_a_version_that_fails_its_calls_is_away_until_it_answers() -> None:
    with words_server(_refuses) as server:
        models = catalog(server.address)
        async with probed(models) as opened:
            assert opened.answers(models[MODEL])
            with pytest.raises(ModelUnavailable):
                await ask(opened, "good")
            await until(lambda: not opened.answers(models[MODEL]))
            count = len(server.calls)
            with pytest.raises(ModelUnavailable):
                await ask(opened, "never sent")
            assert not any("never sent" in texts for texts in server.calls[count:])
            server.answer = good_words
            await until(lambda: opened.answers(models[MODEL]))
            assert await ask(opened, "good") == "positive"


async def test_a_text_that_makes_a_model_fail_is_no_sign_of_an_outage() -> None:
    with words_server() as server:
        models = catalog(server.address)
        async with probed(models) as opened:
            for _ in range(3):
                with pytest.raises(ModelFailed):
                    await ask(opened, f"{POISON} good")
            assert opened.probes.away == set()
            assert await ask(opened, "good") == "positive"


async def test_whoever_answers_calls_is_not_away_whatever_a_probe_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.probes.SILENCE_S", 0.5)
    with words_server() as server:
        models = catalog(server.address)
        async with probed(models) as opened:
            asked = 0

            def late() -> None:
                nonlocal asked
                asked += 1
                time.sleep(1)

            server.before_ready = late
            async with asyncio.timeout(100):
                while asked < 3:
                    await ask(opened, "good")  # in the time that each probe waits
                    await asyncio.sleep(0.05)
                    assert opened.answers(models[MODEL])
            await until(lambda: not opened.answers(models[MODEL]))  # nobody asks any more


async def test_a_version_without_traffic_is_asked_once_it_is_called() -> None:
    with words_server() as server:
        models = catalog(server.address)
        models[MODEL] = replace(models[MODEL], traffic={})
        async with probed(models) as opened:
            await ask(opened, "good")
            server.stop()
            await until(lambda: opened.probes.away != set())
            with pytest.raises(ModelUnavailable):
                await ask(opened, "good")


async def test_a_version_that_leaves_the_catalog_is_asked_no_more() -> None:
    models = catalog("localhost:1")
    async with probed(models) as opened:
        assert len(opened.probes.away) == 1
        del models[MODEL]
        await until(lambda: opened.probes.away == set())


async def test_triton_calls_a_version_ready_whose_process_is_dead(triton: Triton) -> None:
    models = catalog(triton.address, "sentiment")
    version = replace(models["sentiment"].versions[VERSION], labels=list(Parrot.labels))
    models["sentiment"] = replace(models["sentiment"], versions={VERSION: version})
    async with probed(models) as opened:
        assert await ask(opened, "good", "sentiment") == "neutral"
        triton.kill_stub("sentiment", VERSION)
        try:
            with pytest.raises(PredictError):
                await ask(opened, "good", "sentiment")
            await until(lambda: not opened.answers(models["sentiment"]))
        finally:
            triton.reload("sentiment")
        await until(lambda: opened.answers(models["sentiment"]))
        assert await ask(opened, "good", "sentiment") == "neutral"
