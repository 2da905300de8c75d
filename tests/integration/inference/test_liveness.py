"""What a container's liveness probe asks of Triton."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.blocking import infer
from inference.liveness import dead
from tests.parts.parrot.model import Model
from tests.parts.triton import Triton


@pytest.fixture(scope="module")
def triton() -> Iterator[Triton]:
    with Triton() as triton:
        triton.add("parrot", "1", Model(version=1))
        triton.load("parrot")
        yield triton


def probe(triton: Triton) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "inference.liveness", triton.address],
        env={**os.environ, "PMESH_TRITON_KEY": triton.key},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dead_process_behind_a_version_is_told(triton: Triton) -> None:
    assert probe(triton).returncode == 0
    triton.kill_stub("parrot", "1")
    told = probe(triton)
    assert (told.returncode, told.stderr) == (1, "dead: parrot@1\n")
    triton.reload("parrot")
    assert probe(triton).returncode == 0


def test_a_busy_version_is_not_dead(triton: Triton) -> None:
    """Though it does not answer while it is asked."""
    with ThreadPoolExecutor(1) as others:
        asked = others.submit(infer, triton.address, "parrot", "1", ["sleep 10"], timeout_s=100)
        assert dead(triton.address, key=triton.key) == []
        assert not asked.done()


def test_a_server_that_is_gone_is_not_alive(triton: Triton) -> None:
    triton.kill()
    assert "does not answer" in probe(triton).stderr
    triton.start()
