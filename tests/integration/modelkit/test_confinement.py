"""What the code of a model can get at: it tries, and tells."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelkit import isolation, sandbox
from modelkit.artifact import write_artifact
from tests.parts.parrot.model import Model

SECRET = "of-the-one-who-releases"  # noqa: S105
ROOT = Path(__file__).parents[3]

SPY = """
import ctypes, glob, json, os, socket, sys

def tries(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__

def holding(paths):
    found = []
    for path in paths:
        try:
            if SECRET in open(path, "rb").read():
                found.append(path)
        except OSError:
            pass
    return found

def memory(pid):
    for line in open(f"/proc/{pid}/maps"):
        if "[stack]" in line or "[heap]" in line:
            start, end = (int(n, 16) for n in line.split()[0].split("-"))
            with open(f"/proc/{pid}/mem", "rb", 0) as file:
                file.seek(start)
                return len(file.read(end - start))

def connect(family, address):
    with socket.socket(family) as client:
        client.settimeout(2)
        client.connect(address)
        return "connected"

def write(path):
    with open(path, "w") as file:
        file.write("x")
    return "written"

libc = ctypes.CDLL(None, use_errno=True)
SECRET = GIVEN["secret"].encode()
caller = GIVEN["caller"]
raise RuntimeError(json.dumps({
    "environment": SECRET.decode() in str(dict(os.environ)),
    "environ": holding(glob.glob("/proc/*/environ")),
    "cmdline": holding(glob.glob("/proc/*/cmdline")),
    "files": holding([GIVEN["file"]]),
    "memory": tries(lambda: memory(caller)),
    "descriptors": tries(lambda: len(os.listdir(f"/proc/{caller}/fd"))),
    "ptrace": libc.ptrace(16, caller, None, None),
    "signal": tries(lambda: os.kill(caller, 0)),
    "processes": len(glob.glob("/proc/[0-9]*")),
    "unix": tries(lambda: connect(socket.AF_UNIX, GIVEN["unix"])),
    "tcp": tries(lambda: connect(socket.AF_INET, ("127.0.0.1", GIVEN["port"]))),
    "python": tries(lambda: write(os.path.join(sys.prefix, "planted"))),
    "artifact": tries(lambda: write(os.path.join(os.path.dirname(__file__), "planted"))),
    "disks": [p for p in glob.glob("/dev/*") if tries(lambda: open(p, "rb").close()) is None
              and (os.stat(p).st_mode & 0o170000) == 0o060000],
    "rights": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
    "more_rights": libc.unshare(0x10000000 | 0x00020000) or libc.umount2(b"/proc", 2),
}))
"""

CALLER = """
import json, os, sys
from pathlib import Path
from modelkit import isolation
if sys.argv[2] == "plain":
    isolation.can_confine = lambda: False
given = json.loads(sys.argv[3])
source = Path(sys.argv[4])
given["caller"] = os.getpid()
source.write_text(f"GIVEN = {given!r}\\n" + source.read_text())
try:
    isolation.run_artifact(Path(sys.argv[1]), ["a text"], 60)
except isolation.ArtifactFailed as failed:
    print(failed.detail.removeprefix("RuntimeError: "))
"""


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What stands open to this user: a port, a socket, a file with a secret."""
    file = tmp_path / "secrets.json"
    file.write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        for server in (tcp, unix):
            threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield {"file": str(file), "unix": str(tmp_path / "s"), "port": tcp.getsockname()[1]}


def _accept(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def spy(
    tmp_path: Path,
    doors: dict[str, Any],
    how: str,
    *,
    python: str = sys.executable,
    **environment: str,
) -> dict[str, Any]:
    """What the code of a version finds, run by a process whose environment holds a secret."""
    artifact = tmp_path / "model"
    write_artifact(Model(version=3), artifact)
    source = (artifact / "code" / Path(*Model.__module__.split("."))).with_suffix(".py")
    source.write_text(SPY)
    done = subprocess.run(
        # Its command line, too, holds it.
        [
            python,
            "-c",
            CALLER,
            artifact,
            how,
            json.dumps({**doors, "secret": SECRET}),
            source,
        ],
        env={**os.environ, "PGPASSWORD": SECRET, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


with_namespaces = pytest.mark.skipif(
    not isolation.can_confine() and "CI" not in os.environ, reason="the system has no namespaces"
)


@with_namespaces
def test_it_finds_no_secret_file_process_or_network(tmp_path: Path, doors: dict[str, Any]) -> None:
    found = spy(tmp_path, doors, "confined")
    assert found.pop("processes") <= 2  # its own, and the one that waits for it
    assert found == {
        "environment": False,
        "environ": [],
        "cmdline": [],
        "files": [],
        "memory": "FileNotFoundError",
        "descriptors": "FileNotFoundError",
        "ptrace": -1,
        "signal": "ProcessLookupError",
        "unix": "FileNotFoundError",
        "tcp": "OSError",
        "python": "OSError",
        "artifact": "OSError",
        "disks": [],
        "rights": ["0000000000000000"],
        "more_rights": -1,
    }


@with_namespaces
def test_a_python_that_is_reached_through_a_home_folder_shows_nothing_of_it(
    tmp_path: Path, doors: dict[str, Any]
) -> None:
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    Path(doors["file"]).rename(home / "secret")
    real = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    (home / "pythons").symlink_to(real.parent.parent)  # as version managers have it
    (home / "bin/python3").symlink_to("../pythons/bin/" + real.name)
    environment = tmp_path / "environment"
    subprocess.run([home / "bin/python3", "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/*/site-packages")
    for path in filter(lambda path: path.endswith("-packages"), sys.path):
        for package in Path(path).iterdir():
            if not (packages / package.name).exists():
                (packages / package.name).symlink_to(package)
    found = spy(
        tmp_path,
        {**doors, "file": str(home / "secret")},
        "confined",
        python=str(environment / "bin/python"),
        LD_LIBRARY_PATH=str(home),
        PYTHONPATH=":".join([str(ROOT), *sys.path]),
    )
    assert found["files"] == []
    assert found["processes"] <= 2


@with_namespaces
def test_a_sandbox_that_cannot_be_made_for_a_moment_is_no_fault_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = tmp_path / "model"
    write_artifact(Model(version=3), artifact)
    assert isolation.can_confine()
    sandboxed = isolation._SANDBOX
    # A limit of processes that is reached; root has none.
    as_nobody = ("setpriv", "--reuid=65534", "--clear-groups", "--")
    none_left = ("prlimit", "--nproc=1", *(as_nobody if os.geteuid() == 0 else ()))
    monkeypatch.setattr(isolation, "_SANDBOX", (*none_left, *sandboxed))
    with pytest.raises(isolation.SandboxFailed):
        isolation.run_artifact(artifact, ["a text"], 60)
    isolation.can_confine.cache_clear()
    with pytest.raises(isolation.SandboxFailed):  # also at first: it is not the weak mode
        isolation.run_artifact(artifact, ["a text"], 60)
    monkeypatch.undo()
    assert isolation.run_artifact(artifact, ["a text"], 60).predictions


@with_namespaces
@pytest.mark.parametrize("code", [sandbox.REFUSED, sandbox.FAILED])
def test_a_version_cannot_pretend_that_the_sandbox_failed(tmp_path: Path, code: int) -> None:
    artifact = tmp_path / "model"
    write_artifact(Model(version=3), artifact)
    source = (artifact / "code" / Path(*Model.__module__.split("."))).with_suffix(".py")
    source.write_text(f"import os; os._exit({code})")
    with pytest.raises(isolation.ArtifactFailed) as failed:
        isolation.run_artifact(artifact, ["a text"], 60)
    assert failed.value.kind is isolation.Failure.CRASH


def test_without_namespaces_it_cannot_read_the_process_that_releases(
    tmp_path: Path, doors: dict[str, Any]
) -> None:
    """The rest is what HLD/releases.md does not promise."""
    found = spy(tmp_path, doors, "plain")
    assert found["environment"] is False
    assert found["environ"] == []
    assert found["memory"] == "PermissionError"
    assert found["ptrace"] == -1
    assert found["rights"] == ["0000000000000000"]
