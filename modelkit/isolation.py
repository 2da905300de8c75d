"""Runs an artifact in a process of its own, so that neither its code nor its crash gets in here.

Where the system has namespaces for everybody, the code sees the artifact, Python and the texts, and
nothing else: no other file, process, secret or network. Elsewhere it is this user's, without rights
and with an environment that names no secret; that of this process cannot be read. Where there is a
sandbox but not just now, nothing runs.
"""

import ctypes
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from contract.limits import SCORES_TOLERANCE
from modelkit import replay, sandbox
from modelkit.abstract_model import MANIFEST_FILE, FloatArray, Predictions

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4
_SANDBOX = (sys.executable, "-I", sandbox.__file__)
_ENVIRONMENT = {
    *("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH"),
    *("OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "CUDA_VISIBLE_DEVICES"),
}
"""What an artifact is told: no password is among it."""


class Failure(StrEnum):
    """How an artifact fails."""

    LOAD = replay.LOAD
    PREDICT = replay.PREDICT
    CRASH = "crashed"
    TIMEOUT = "timed out"
    OUTPUT_NAME = "wrong outputs"
    OUTPUT_TYPE = "wrong type of an output"
    OUTPUT_SHAPE = "wrong shape of an output"
    OUTPUT_VALUE = "wrong values of an output"


class ArtifactFailed(Exception):
    """An artifact gave no predictions, or wrong ones. The message quotes no text."""

    def __init__(self, kind: Failure, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class SandboxFailed(OSError):
    """There is a sandbox, but not at the moment: this says nothing of the artifact."""


class ArtifactRun(NamedTuple):
    """What an artifact said, and how long it took."""

    predictions: Predictions
    load_s: float
    """To import its code and read its weights."""
    predict_s: float
    """For all texts together."""


def run_artifact(directory: Path, texts: Sequence[str], timeout_s: float) -> ArtifactRun:
    """Have the artifact predict n >= 1 texts, with its own code and weights.

    Raises ArtifactFailed, SandboxFailed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch).resolve()
        (results / "texts.json").write_text(json.dumps(list(texts)))
        code = _run(directory, results, timeout_s)
        if _is_file(error := results / "error.json"):
            fields = json.loads(error.read_text())
            raise ArtifactFailed(Failure(fields["kind"]), fields["message"])
        if code:
            raise ArtifactFailed(Failure.CRASH, _how_it_ended(code))
        predictions = results / "predictions.npz"
        if not _is_file(predictions):
            raise ArtifactFailed(Failure.OUTPUT_TYPE, "it left none")
        return _read(predictions, directory, len(texts))


def _is_file(path: Path) -> bool:
    """Whether it is one, and not a link to what the model's code could not read itself."""
    return path.exists() and stat.S_ISREG(path.lstat().st_mode)


def _run(directory: Path, results: Path, timeout_s: float) -> int:
    """The exit status of the program."""
    artifact = directory.resolve()
    # By its file, and -P: the artifact's packages are to be found, not this project's.
    # -B: nothing is added to the artifact.
    replaying = Path(replay.__file__).resolve()
    program = (sys.executable, "-P", "-B", str(replaying), str(artifact), str(results))
    if confined := can_confine():
        shown = [str(artifact), str(replaying.parent), *_python()]
        command = [*_SANDBOX, str(results), *shown, "--", *program]
    else:
        _hide_environment()
        command = [*_without_rights(), *program]
    with (results / "texts.json").open() as texts:
        process = subprocess.Popen(
            command,
            stdin=texts,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a model may write texts there
            start_new_session=True,
            env=_environment(results),
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise ArtifactFailed(Failure.TIMEOUT, f"no answer within {timeout_s:g} s") from exc
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if confined and code in (sandbox.REFUSED, sandbox.FAILED):
        raise SandboxFailed("the sandbox for the code of models, which was there, cannot be made")
    return code


@cache  # of what it answers: after a failure it looks again
def can_confine() -> bool:
    """Whether this system has a sandbox for the code of models. Raises SandboxFailed."""
    with tempfile.TemporaryDirectory() as scratch:
        results = str(Path(scratch).resolve())
        command = [*_SANDBOX, results, *_python(), "--", sys.executable, "-c", ""]
        environment = {name: os.environ[name] for name in _ENVIRONMENT & os.environ.keys()}
        tried = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )
    why = tried.stderr.strip() or f"exit status {tried.returncode}"
    if tried.returncode == sandbox.REFUSED:
        log.warning("the code of models runs as this user and can read this user's files: %s", why)
        return False
    if tried.returncode:
        raise SandboxFailed(f"the sandbox for the code of models cannot be made: {why}")
    return True


def _python() -> list[str]:
    """What this Python is made of, the folders of installed packages, and the links to all that.

    Not all of sys.path: a checkout that is installed to be edited is among it, with its data. Nor
    the folder that a link is in: that may be somebody's home.
    """
    packages = {p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")}
    named = {Path(p).absolute() for p in {sys.prefix, sys.base_prefix} | packages}
    folders = {path.resolve() for path in named} - {Path("/")}
    libraries = {
        library
        for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":")
        if Path(folder).is_absolute()
        for library in Path(folder).glob("*.so*")
    }
    program = Path(sys.executable)
    shown = [*folders, Path("/usr")]
    files = {
        file
        for file in (path.resolve() for path in (*libraries, program))
        if not any(file.is_relative_to(folder) for folder in shown)
    }
    links = {link for path in (*named, *libraries, program) for link in _links(path)}
    return sorted(map(str, folders | files | links))


def _links(path: Path) -> Iterator[Path]:
    """The symbolic links on the way to what an absolute path names."""
    place, rest = Path("/"), list(path.parts[1:])
    while rest:
        part = rest.pop(0)
        place = place.parent if part == ".." else place / part
        if place.is_symlink():
            yield place
            target = place.parent / place.readlink()
            place, rest = Path("/"), [*target.parts[1:], *rest]


def _environment(results: Path) -> dict[str, str]:
    """What an artifact is told."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT & os.environ.keys()}
    return kept | {"HOME": str(results), "TMPDIR": str(results)}


def _without_rights() -> list[str]:
    setpriv = ["setpriv", "--pdeathsig", "KILL", "--no-new-privs"]
    if os.geteuid() == 0:  # others have none
        setpriv += ["--bounding-set=-all", "--inh-caps=-all"]
    return [*setpriv, "--"]


def _hide_environment() -> None:
    """Keep other processes of this user from reading this one's environment and memory."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def _how_it_ended(code: int) -> str:
    number = -code if code < 0 else code - 128
    if number in signal.valid_signals():
        return f"killed by {signal.Signals(number).name}"
    return f"exit status {code}"


def _read(file: Path, directory: Path, count: int) -> ArtifactRun:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            outputs: dict[str, Any] = dict(arrays)
        load_s, predict_s = float(outputs.pop("load_s")), float(outputs.pop("predict_s"))
        declared = json.loads((directory / MANIFEST_FILE).read_text())["outputs"]
        sizes = {output["name"]: output["shape"][1] for output in declared}
    except (OSError, ValueError, KeyError, BadZipFile) as exc:
        raise ArtifactFailed(
            Failure.OUTPUT_TYPE, f"it cannot be read: {type(exc).__name__}"
        ) from exc
    if outputs.keys() != sizes.keys():
        raise ArtifactFailed(Failure.OUTPUT_NAME, f"{sorted(outputs)}, not {sorted(sizes)}")
    for name, array in outputs.items():
        _check(name, array, (count,) if name == "value" else (count, sizes[name]))
    if np.abs(outputs["scores"].sum(axis=1) - 1).max() > SCORES_TOLERANCE:
        raise ArtifactFailed(Failure.OUTPUT_VALUE, "the scores of a text do not add up to 1")
    return ArtifactRun(Predictions(**outputs), load_s, predict_s)


def _check(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32:
        raise ArtifactFailed(Failure.OUTPUT_TYPE, f"{name} are {array.dtype}, not float32")
    if array.shape != shape:
        raise ArtifactFailed(Failure.OUTPUT_SHAPE, f"{name} are {array.shape}, not {shape}")
    if not np.isfinite(array).all():
        raise ArtifactFailed(Failure.OUTPUT_VALUE, f"{name} are not all finite")
