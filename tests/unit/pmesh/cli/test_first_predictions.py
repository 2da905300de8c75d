import socket
from pathlib import Path

import pytest

from pmesh.cli.first_predictions import show_first_predictions
from pmesh.stack.status import StackStatus, State


def test_what_to_type_next_is_of_the_stack_s_own_directory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    status = StackStatus(
        pid=1, started=0, state=State.READY, gateway_port=port, ports={}, failed=[], parts=[]
    )
    assert not show_first_predictions(status, "a.b.c", Path("/x[y]"))  # nothing answers
    said = capsys.readouterr().err.partition("Next")[2]
    assert "Bearer $(pmesh token --home '/x[y]')" in said
    assert "pmesh predict --home '/x[y]' sentiment" in said
    assert "pmesh logs --home '/x[y]' relay -f" in said
    assert said.count("pmesh ") == said.count("--home '/x[y]'") == 6
