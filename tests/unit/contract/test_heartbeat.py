"""What a container's probe asks of a program that nobody calls."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract.heartbeat import heartbeat


def probe(file: Path | str, seconds: str = "60") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "contract.heartbeat", seconds],
        env={**os.environ, "PMESH_HEARTBEAT": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_who_has_touched_its_file_lately_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    beat = heartbeat({"PMESH_HEARTBEAT": str(file)})
    assert probe(file).returncode == 0
    long_ago = time.time() - 100
    os.utime(file, (long_ago, long_ago))
    silent = probe(file)
    assert silent.returncode == 1
    assert silent.stderr.startswith("nothing was heard of it for 10")
    assert probe(file, "3600").returncode == 0
    beat()
    assert probe(file).returncode == 0


def test_who_has_not_begun_does_not_go_on(tmp_path: Path) -> None:
    told = probe(tmp_path / "heartbeat")
    assert told.returncode == 1
    assert told.stderr.endswith("heartbeat: No such file or directory\n")
    assert probe("").stderr == "PMESH_HEARTBEAT is not set\n"


def test_nothing_is_touched_where_nobody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heartbeat({})()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^PMESH_HEARTBEAT: .*/none/beat: No such file"):
        heartbeat({"PMESH_HEARTBEAT": str(tmp_path / "none" / "beat")})
