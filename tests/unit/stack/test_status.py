from pathlib import Path

import pytest

from pmesh.stack.status import PartStatus, StackStatus, State, read_status, write_status

STATUS = StackStatus(
    pid=7,
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
