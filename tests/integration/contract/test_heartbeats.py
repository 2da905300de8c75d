"""A program that waits for what is away goes on, and one that hangs does not: the file tells it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts.polling import wait_until
from tests.parts.ports import free_port

NOWHERE = {
    "PGHOST": "127.0.0.1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "PMESH_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:events",
    "PMESH_MODEL": "sentiment",
    "PMESH_LABEL_STUDIO_TOKEN": "a-token",
    "PMESH_ANNOTATION_PULL_S": "0.1",
}
"""What the programs must be told besides the ports, at which nothing answers."""
SOON = "import contract.process\ncontract.process.BEAT_S = 0.05\n"
"""So that a test waits no longer than it must."""
HANGS = f"""{SOON}
import os, time
from pathlib import Path
from relay.publisher import Publisher
async def step(self):
    Path(os.environ["HANGS"]).touch()
    time.sleep(1000)
Publisher.step = step
"""


@contextmanager
def running(folder: Path, *arguments: str, patch: str = SOON) -> Iterator[Path]:
    """A program with nothing around it. Gives the file that it touches. patch: Python before it."""
    port, file = str(free_port()), folder / "heartbeat"
    (folder / "sitecustomize.py").write_text(patch)
    variables = {
        "PGPORT": port,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "PMESH_LABEL_STUDIO_URL": f"http://127.0.0.1:{port}",
        "PMESH_FEATURES_SPOOL": str(folder),
        "PMESH_HEARTBEAT": str(file),
        "HANGS": str(folder / "hangs"),
        "PYTHONPATH": str(folder),
    }
    command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-P", "-m", *arguments]
    process = subprocess.Popen(command, env={**os.environ, **NOWHERE, **variables})
    try:
        wait_until(file.exists)
        yield file
    finally:
        process.kill()
        process.wait()


def forget(file: Path) -> None:
    """As if it had been touched long ago."""
    os.utime(file, (0, 0))


def goes_on(file: Path) -> bool:
    """What the charts' probe says of a minute."""
    probe = [sys.executable, "-P", "-m", "contract.heartbeat", "60"]
    environ = {**os.environ, "PMESH_HEARTBEAT": str(file)}
    return subprocess.run(probe, env=environ, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments", [("relay",), ("model_runtime",), ("features",), ("annotation", "watch")]
)
def test_a_program_goes_on_while_all_around_it_is_away(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with running(tmp_path, *arguments) as file:
        for _ in range(2):
            forget(file)
            wait_until(lambda: goes_on(file))


def test_a_relay_whose_loop_hangs_does_not_go_on(tmp_path: Path) -> None:
    with running(tmp_path, "relay", patch=HANGS) as file:
        wait_until((tmp_path / "hangs").exists)
        forget(file)
        assert not goes_on(file)
