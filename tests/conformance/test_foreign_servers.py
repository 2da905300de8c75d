"""The suite at servers that nobody here wrote."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.foreign.servers import ForeignServer, KServe, MlServer

ROOT = Path(__file__).parents[2]
IGNORES_VERSIONS = "this server ignores versions"


@pytest.mark.timeout(300)  # the first run installs them
@pytest.mark.parametrize(
    ("kind", "ignores_versions"), [(MlServer, False), (KServe, True)], ids=["mlserver", "kserve"]
)
def test_a_server_of_others_fits(
    kind: type[ForeignServer], ignores_versions: bool, tmp_path: Path
) -> None:
    with kind(tmp_path) as server:
        command = [sys.executable, "-m", "tests.conformance", server.address, server.model]
        options = ["--version", server.version, "--labels", "negative,positive"]
        options += ["--bad", "poison", "--slow", "sleep 2"]
        ended = subprocess.run(
            [*command, *options],
            cwd=ROOT,
            env=os.environ | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "not tried" not in ended.stdout
    assert (IGNORES_VERSIONS in ended.stdout) == ignores_versions
