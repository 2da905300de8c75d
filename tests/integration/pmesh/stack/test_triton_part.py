"""Triton as the stack runs it."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inference.blocking import InferenceError, infer
from inference.repository import Loaded, RepositoryApi
from modelkit.artifact import digest, write_artifact
from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.ports import assign_ports
from pmesh.stack.supervisor import Supervisor
from pmesh.stack.triton import Triton
from tests.integration.pmesh.stack.waiting import is_ready_again, wait_for
from tests.parts.parrot.model import Model
from triton_repo.writer import write_version

PARROT = Loaded("parrot", "1")


def triton_on(path: Path) -> tuple[Home, Triton]:
    home = Home(path)
    home.create()
    port = assign_ports(home.ports, ["triton-metrics"])["triton-metrics"]
    triton = Triton(home, metrics_port=port, served=lambda: {PARROT})
    artifact = path / "artifact"
    write_artifact(Model(version=1), artifact)
    write_version(triton.repository, *PARROT, artifact, sha256=digest(artifact))
    return home, triton


@asynccontextmanager
async def running(home: Home, triton: Triton) -> AsyncIterator[Supervisor]:
    part = triton.part(environment=base_environment())
    supervisor = Supervisor(
        [part], log=home.log, environment=home.environment, changed=lambda _: None
    )
    await supervisor.start()
    try:
        yield supervisor
    finally:
        await supervisor.stop()
        shutil.rmtree(Path(triton.address.removeprefix("unix:")).parent)


@pytest.mark.parametrize("name", ["home", "a-long-path-" * 12], ids=["short", "long"])
async def test_it_answers_on_a_socket_of_its_own_folder(tmp_path: Path, name: str) -> None:
    home, triton = triton_on(tmp_path / name)
    async with running(home, triton):
        assert infer(triton.address, *PARROT, ["good"])["value"].tolist() == [[4]]
        assert RepositoryApi(triton.address, key=triton.key).loaded() == [PARROT]


async def test_it_is_there_again_after_a_kill(tmp_path: Path) -> None:
    """Though its socket is left behind."""
    home, triton = triton_on(tmp_path / "home")
    async with running(home, triton) as supervisor:
        pid = supervisor.statuses[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await wait_for(supervisor, "triton", is_ready_again)
        assert infer(triton.address, *PARROT, ["good"])["value"].tolist() == [[4]]


async def test_a_version_that_does_not_answer_is_noticed(tmp_path: Path) -> None:
    home, triton = triton_on(tmp_path / "home")
    async with running(home, triton) as supervisor:
        infer(triton.address, *PARROT, ["good"])
        with pytest.raises(InferenceError):
            infer(triton.address, *PARROT, ["crash"])
        await wait_for(supervisor, "triton", is_ready_again)
        assert infer(triton.address, *PARROT, ["good"])["value"].tolist() == [[4]]
