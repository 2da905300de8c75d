"""Runs an artifact in a process of its own, so that neither its code nor its crash gets in here."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from contract.limits import SCORES_TOLERANCE
from modelkit import replay
from modelkit.abstract_model import MANIFEST_FILE, FloatArray, Predictions

_ENVIRONMENT = {
    *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH"),
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


class ArtifactRun(NamedTuple):
    """What an artifact said, and how long it took."""

    predictions: Predictions
    load_s: float
    """To import its code and read its weights."""
    predict_s: float
    """For all texts together."""


def run_artifact(directory: Path, texts: Sequence[str], timeout_s: float) -> ArtifactRun:
    """Have the artifact predict n >= 1 texts, with its own code and weights.

    Raises ArtifactFailed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch)
        (results / "texts.json").write_text(json.dumps(list(texts)))
        code = _run(directory, results, timeout_s)
        if (error := results / "error.json").exists():
            fields = json.loads(error.read_text())
            raise ArtifactFailed(Failure(fields["kind"]), fields["message"])
        if code:
            raise ArtifactFailed(Failure.CRASH, _how_it_ended(code))
        return _read(results / "predictions.npz", directory, len(texts))


def _run(directory: Path, results: Path, timeout_s: float) -> int:
    """The exit status of the program."""
    # By its file, and -P: the artifact's packages are to be found, not this project's.
    # -B: nothing is added to the artifact.
    command = [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *(sys.executable, "-P", "-B", replay.__file__, str(directory), str(results)),
    ]
    with (results / "texts.json").open() as texts:
        process = subprocess.Popen(
            command,
            stdin=texts,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a model may write texts there
            start_new_session=True,
            env={name: os.environ[name] for name in _ENVIRONMENT & os.environ.keys()},
        )
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise ArtifactFailed(Failure.TIMEOUT, f"no answer within {timeout_s:g} s") from exc
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _how_it_ended(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


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
