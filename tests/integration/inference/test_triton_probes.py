"""What a container's probes ask of Triton."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.blocking import InferenceError, infer
from inference.liveness import dead
from tests.parts.parrot.model import Model
from tests.parts.triton import Triton


@pytest.fixture(scope="module")
def triton() -> Iterator[Triton]:
    with Triton() as triton:
        triton.add("parrot", "1", Model(version=1))
        triton.load("parrot")
        yield triton


def probe(
    triton: Triton, module: str = "inference.liveness", *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", module, triton.address, *arguments],
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


def test_busy_versions_are_not_dead(triton: Triton) -> None:
    """Though none answers while it is asked; and it takes no longer to ask several than one."""
    versions = ("1", "2", "3")
    for version in versions[1:]:
        triton.add("parrot", version, Model(version=int(version)))
    triton.load("parrot")
    with ThreadPoolExecutor(len(versions)) as others:
        asked = [
            others.submit(infer, triton.address, "parrot", version, ["sleep 10"], timeout_s=100)
            for version in versions
        ]
        assert dead(triton.address, triton.control.loaded()) == []
        assert not any(one.done() for one in asked)


def started(triton: Triton, model: str) -> tuple[int, str]:
    told = probe(triton, "inference.startup", str(triton.repository / model))
    return told.returncode, told.stderr


def test_one_is_started_when_all_that_is_laid_is_loaded(triton: Triton) -> None:
    (triton.repository / "none").mkdir()
    assert started(triton, "none") == (0, "")  # before the first release
    assert started(triton, "parrot") == (0, "")
    triton.add("other", "1", Model(version=1))
    triton.load("other")
    triton.add("other", "2", Model(version=2))
    assert started(triton, "other") == (1, "not loaded: other@2\n")
    triton.load("other")
    assert started(triton, "other") == (0, "")
    assert started(triton, "nosuch")[0] == 1


def test_one_that_has_loaded_nothing_is_not_started(triton: Triton) -> None:
    triton.add("broken", "1", Model(version=1))
    (triton.repository / "broken" / "1" / "model.py").write_text("raise ValueError")
    with pytest.raises(InferenceError):
        triton.load("broken")
    assert started(triton, "broken") == (1, "not loaded: broken@1\n")


def test_a_server_that_is_gone_is_not_alive(triton: Triton) -> None:
    triton.kill()
    assert "does not answer" in probe(triton).stderr
    assert "does not answer" in started(triton, "parrot")[1]
    triton.start()
