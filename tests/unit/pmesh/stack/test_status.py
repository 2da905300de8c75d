import os
from dataclasses import replace
from pathlib import Path

import pytest

from pmesh.stack.processes import start_time
from pmesh.stack.status import PartStatus, StackStatus, State, is_alive, read_status, write_status

STATUS = StackStatus(
    pid=7,
    started=1234,
    state=State.READY,
    gateway_port=8080,
    ports={"aws": 20001},
    failed=[],
    parts=[PartStatus(name="aws", state=State.RESTARTING, restarts=2, last_exit="exit code 1")],
)


def test_a_written_status_is_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    assert read_status(file) is None
    write_status(file, STATUS)
    assert read_status(file) == STATUS


def test_a_part_is_found_by_its_name() -> None:
    assert STATUS.part("aws").restarts == 2
    with pytest.raises(KeyError):
        STATUS.part("no-such-part")


@pytest.mark.parametrize(
    "content", ['{"pid": 7, "state": "ready", "parts": [], "a_field_of_tomorrow": 1}', "", "{"]
)
def test_a_status_of_another_version_or_cut_short_is_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "status.json"
    file.write_text(content)
    assert read_status(file) is None


def test_a_stack_is_alive_while_its_own_supervisor_runs() -> None:
    running = replace(STATUS, pid=os.getpid(), started=start_time(os.getpid()))
    assert is_alive(running)
    assert not is_alive(replace(running, started=1))  # its pid was used again
    assert not is_alive(replace(running, pid=2**22 + 1))
