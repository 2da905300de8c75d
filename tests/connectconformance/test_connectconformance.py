"""The gRPC and gRPC-Web server cases of connectconformance, against the gateway's gRPC module.

Needs Go, which builds the runner once, into `build/tools`.
Source: https://github.com/connectrpc/conformance/blob/main/docs/testing_servers.md
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_MODULE = "connectrpc.com/conformance"
_VERSION = "v1.0.7"
_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_TOOLS = _ROOT / "build" / "tools" / f"connectconformance-{_VERSION}"


@pytest.fixture(scope="module")
def go() -> str:
    path = shutil.which("go")
    if path is None:
        message = "left out: the conformance suite needs Go, https://go.dev/dl/"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return path


@pytest.fixture(scope="module")
def runner(go: str) -> Path:
    binary = _TOOLS / "connectconformance"
    if not binary.exists():
        package = f"{_MODULE}/cmd/connectconformance@{_VERSION}"
        subprocess.run([go, "install", package], env=os.environ | {"GOBIN": _TOOLS}, check=True)
    return binary


@pytest.fixture(scope="module")
def generated(go: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's own messages and service, generated from the .proto files in its module."""
    command = [go, "mod", "download", "-json", f"{_MODULE}@{_VERSION}"]
    module = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    protos, out = Path(module["Dir"]) / "proto", tmp_path_factory.mktemp("conformance")
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}"]
    outputs = [f"--python_out={out}", f"--grpc_python_out={out}"]
    subprocess.run([*protoc, *outputs, *protos.rglob("*.proto")], check=True)
    return out


@pytest.mark.timeout(600)  # the first run builds the runner
def test_the_server_conforms_to_grpc_and_grpc_web(runner: Path, generated: Path) -> None:
    command = [runner, "--mode", "server", "--conf", _HERE / "config.yaml", "--max-servers", "2"]
    command += ["--known-failing", f"@{_HERE / 'known_failing.txt'}"]
    run = subprocess.run(
        [*command, "--", sys.executable, "-m", "tests.connectconformance.server"],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(generated)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    cases = re.search(r"Total cases: (\d+)", run.stdout)
    assert cases is not None
    assert int(cases[1]) > 900, "the configuration leaves out cases"
