"""Several servers behind one address: who is asked, and what is seen of one that goes."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from contract.errors import ModelUnavailable
from inference.addresses import Endpoint, endpoints, may_be_several, of_model
from inference.calls import PROBE_TEXT
from inference.server import ModelServer
from tests.integration.inference.asking import values
from tests.parts.oip_server import OipServer, Refusal
from tests.parts.words import LABELS
from tests.parts.words_server import Outputs, good_words, words_server

CALLS = 20


@contextmanager
def two() -> Iterator[tuple[OipServer, OipServer, str]]:
    """Two of the same, and the address of both."""
    with words_server() as one, words_server() as other:
        yield one, other, f"ipv4:{one.address},{other.address}"


async def ask(server: ModelServer, version: str = "1") -> list[float | None]:
    answers = await server.predict(
        "words", version, ["good"], labels=LABELS, features=False, timeout_s=20
    )
    return values(answers)


async def until_both_are_asked(server: ModelServer, *servers: OipServer) -> None:
    """A connection may come up after the first; one that did not answer is left out for a while."""
    async with asyncio.timeout(100):
        while not all(one.calls for one in servers):
            await ask(server)


async def test_calls_are_spread_over_all() -> None:
    with two() as (one, other, address):
        async with ModelServer(address) as server:
            await until_both_are_asked(server, one, other)
            for one_of in (one, other):
                one_of.calls.clear()
            for _ in range(CALLS):
                await ask(server)
        assert (len(one.calls), len(other.calls)) == (CALLS / 2, CALLS / 2)


def refuse(texts: Sequence[str]) -> Outputs:
    """As a Triton does while it ends, on the connections that it has."""
    raise Refusal(grpc.StatusCode.UNAVAILABLE)


async def test_one_that_does_not_answer_is_left_out_and_another_is_asked() -> None:
    with two() as (one, other, address):
        async with ModelServer(address) as server:
            await until_both_are_asked(server, one, other)
            other.answer = refuse
            other.calls.clear()
            for _ in range(10):
                assert await asyncio.gather(*(ask(server) for _ in range(10))) == [[1]] * 10
            # Those of the first ten, and one more for each second.
            assert 1 <= len(other.calls) < 50
            other.answer = good_words
            other.calls.clear()
            await until_both_are_asked(server, other)


async def test_what_one_does_not_answer_for_is_left_out_for_that_alone() -> None:
    """A version that does not answer harms no other one."""
    with two() as (one, other, address):
        async with ModelServer(address) as server:
            await until_both_are_asked(server, one, other)
            one.answer = other.answer = refuse
            with pytest.raises(ModelUnavailable):
                await ask(server)
            for a_server in (one, other):
                a_server.answer, a_server.version = good_words, "2"
            one.answer = refuse
            for _ in range(CALLS):
                assert await ask(server, version="2") == [1]


async def test_what_a_mesh_has_asked_others_for_is_not_asked_again() -> None:
    def tried(texts: Sequence[str]) -> Outputs:
        raise Refusal(grpc.StatusCode.UNAVAILABLE, metadata=(("grpc-retry-pushback-ms", "-1"),))

    with two() as (one, other, address):
        async with ModelServer(address) as server:
            await until_both_are_asked(server, one, other)
            one.answer = other.answer = tried
            one.calls.clear()
            other.calls.clear()
            for _ in range(CALLS):
                with pytest.raises(ModelUnavailable):
                    await ask(server)
        assert len(one.calls) + len(other.calls) == CALLS


async def test_nobody_is_asked_twice_while_none_answers() -> None:
    with two() as (one, other, address):
        async with ModelServer(address) as server:
            await until_both_are_asked(server, one, other)
            one.answer = other.answer = refuse
            before = len(one.calls) + len(other.calls)
            for _ in range(100):
                with pytest.raises(ModelUnavailable):
                    await ask(server)
        assert 100 <= len(one.calls) + len(other.calls) - before <= 120


async def test_one_that_goes_and_comes_back() -> None:
    with two() as (one, other, address):
        async with ModelServer(address) as server:
            await until_both_are_asked(server, one, other)
            other.stop()
            for _ in range(CALLS):
                assert await ask(server) == [1]
                assert await server.is_ready("words", "1", timeout_s=20)
            other.start()
            other.calls.clear()
            await until_both_are_asked(server, other)
            one.stop()
            other.stop()
            assert not await server.is_well("words", "1")


async def test_each_call_says_which_version_it_is_for() -> None:
    with words_server() as only:
        async with ModelServer(only.address) as server:
            await ask(server)
            await server.is_ready("words", "1", timeout_s=20)
            await server.is_well("words", "1")
    assert only.calls == [["good"], [PROBE_TEXT]]
    assert [headers["x-model-version"] for headers in only.headers] == ["1"] * 4


def test_addresses() -> None:
    assert endpoints("unix:/run/a:1") == [Endpoint("unix:/run/a:1")]
    assert endpoints("unix:/a:1,/b:1") == [Endpoint("unix:/a:1"), Endpoint("unix:/b:1")]
    assert endpoints("ipv4:10.0.0.7:1,10.0.0.8:2") == [
        Endpoint("ipv4:10.0.0.7:1"),
        Endpoint("ipv4:10.0.0.8:2"),
    ]
    assert endpoints("127.0.0.1:8001") == [Endpoint("127.0.0.1:8001", "127.0.0.1:8001")]
    assert endpoints("[::1]:8001") == [Endpoint("[::1]:8001", "[::1]:8001")]
    with pytest.raises(socket.gaierror):
        endpoints("no-such-host.invalid:8001")
    single = ("unix:/run/a:1", "127.0.0.1:8001", "[::1]:8001", "ipv4:10.0.0.7:1")
    assert not any(map(may_be_several, single))
    assert all(map(may_be_several, ("unix:/a,/b", "triton:8001", "triton.model-a.svc:8001")))
    template = "triton.model-{model}.svc:8001"
    assert of_model(template, "mood") == "triton.model-mood.svc:8001"


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """What the name of a headless service stands for."""
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 triton.test\n127.0.0.2 triton.test\n127.0.0.1 localhost\n")
    return file


def test_a_name_stands_for_all_its_addresses(hosts: Path) -> None:
    """With real names: in a namespace whose /etc/hosts has them. One more comes, and is asked."""
    script = Path(__file__).with_name("named_servers.py")
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
            *('mount --bind "$0" /etc/hosts && exec "$@"', str(hosts), sys.executable, str(script)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["127.0.0.1:9", "127.0.0.2:9", "both", "third"]
