"""An artifact that runs in a process of its own, and how it fails there."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from modelkit.artifact import digest, write_artifact
from modelkit.isolation import ArtifactFailed, Failure, run_artifact
from tests.parts.old_artifact import as_before
from tests.parts.parrot.model import Model, checksum
from tests.parts.polling import wait_until

SOURCE = Path("code", *Model.__module__.split(".")).with_suffix(".py")
TEXTS = [f"text {n}" for n in range(600)]  # more than a batch


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    write_artifact(Model(version=3), directory)
    return directory


def patch(artifact: Path, old: str, new: str) -> None:
    """Change the artifact's own code."""
    file = artifact / SOURCE
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def failure(artifact: Path, *texts: str, timeout_s: float = 60) -> ArtifactFailed:
    with pytest.raises(ArtifactFailed) as failed:
        run_artifact(artifact, texts or TEXTS[:2], timeout_s)
    return failed.value


def test_its_answers_come_back_in_order(artifact: Path) -> None:
    before = digest(artifact)
    run = run_artifact(artifact, TEXTS, timeout_s=60)
    scores, features, value = run.predictions
    assert scores.shape == (len(TEXTS), 3)
    np.testing.assert_array_equal(features, [[3, checksum(text)] for text in TEXTS])
    assert value is not None
    np.testing.assert_array_equal(value, [len(text) for text in TEXTS])
    assert run.load_s > 0
    assert run.predict_s > 0
    assert digest(artifact) == before


def test_what_was_trained_before_still_runs(artifact: Path) -> None:
    as_before(artifact)
    assert run_artifact(artifact, TEXTS[:2], timeout_s=60).predictions.features[0, 0] == 3


def test_its_own_code_runs_not_ours(artifact: Path) -> None:
    patch(artifact, "[self._version, checksum(text)]", "[-1, checksum(text)]")
    features = run_artifact(artifact, TEXTS[:2], timeout_s=60).predictions.features
    assert features[:, 0].tolist() == [-1, -1]
    assert Model(version=3).predict(TEXTS[:1]).features[0, 0] == 3


def test_code_that_cannot_be_imported(artifact: Path) -> None:
    patch(artifact, "import zlib\n", "import no_such_library\n")
    failed = failure(artifact)
    assert failed.kind is Failure.LOAD
    assert failed.detail == "ModuleNotFoundError: No module named 'no_such_library'"


def test_weights_that_are_not_whole(artifact: Path) -> None:
    (artifact / "weights.safetensors").write_bytes(b"\0")
    assert failure(artifact).kind is Failure.LOAD


def test_a_text_that_it_cannot_process_is_not_quoted(artifact: Path) -> None:
    patch(artifact, 'ValueError("poison")', "ValueError(texts[0])")
    failed = failure(artifact, "my secret poison")
    assert failed.kind is Failure.PREDICT
    assert str(failed) == "failed: ValueError"


@pytest.mark.parametrize(
    ("end", "detail"),
    [("os._exit(7)", "exit status 7"), ("os.kill(os.getpid(), 11)", "killed by SIGSEGV")],
)
def test_a_process_that_ends(artifact: Path, end: str, detail: str) -> None:
    patch(artifact, "os._exit(1)", end)
    failed = failure(artifact, "crash")
    assert failed.kind is Failure.CRASH
    assert failed.detail == detail


def test_a_process_that_does_not_end_is_killed_with_its_children(
    artifact: Path,
) -> None:
    mark = f"60.{uuid4().int % 10**9}"  # a length of sleep that is nobody else's
    patch(
        artifact,
        "time.sleep(float(text.split()[1]))",
        f"import subprocess; subprocess.Popen(['sleep', {mark!r}], start_new_session=True)\n"
        f"                time.sleep(60)",
    )
    failed = failure(artifact, "sleep 60", timeout_s=10)
    assert failed.kind is Failure.TIMEOUT
    assert failed.detail == "no answer within 10 s"
    wait_until(lambda: mark not in " ".join(commands()))


def commands() -> Iterator[str]:
    """The command lines of all processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_text(errors="replace")


@pytest.mark.parametrize(
    ("old", "new", "kind", "detail"),
    [
        (
            "[[0.25, 0.5, 0.25]] * len(texts)",
            "[[0.5, 0.5]] * len(texts)",
            Failure.OUTPUT_SHAPE,
            "scores are (2, 2), not (2, 3)",
        ),
        (
            "[[0.25, 0.5, 0.25]]",
            "[[0.25, 0.5, 0.5]]",
            Failure.OUTPUT_VALUE,
            "the scores of a text do not add up to 1",
        ),
        (
            "[[0.25, 0.5, 0.25]]",
            "[[0.25, np.nan, 0.25]]",
            Failure.OUTPUT_VALUE,
            "scores are not all finite",
        ),
        (
            "len(t) for t in texts], np.float32",
            "len(t) for t in texts], np.float64",
            Failure.OUTPUT_TYPE,
            "value are float64, not float32",
        ),
        (
            "len(t) for t in texts], np.float32",
            "t for t in texts], object",
            Failure.OUTPUT_TYPE,
            "it cannot be read",
        ),
        (
            "return Predictions(scores, features, np",
            "return Predictions(scores, features) #",
            Failure.OUTPUT_NAME,
            "not",
        ),
        (
            "checksum(text)]",
            "checksum(text), 0]",
            Failure.OUTPUT_SHAPE,
            "features are (2, 3), not (2, 2)",
        ),
        (
            " for text in texts], np.float32)",
            " for text in texts[1:]], np.float32)",
            Failure.OUTPUT_SHAPE,
            "features are (1, 2), not (2, 2)",
        ),
    ],
)
def test_what_is_not_as_declared(
    artifact: Path, old: str, new: str, kind: Failure, detail: str
) -> None:
    patch(artifact, old, new)
    failed = failure(artifact)
    assert failed.kind is kind
    assert detail in failed.detail


def test_a_manifest_that_is_no_json(artifact: Path) -> None:
    (artifact / "model.json").write_text("{")
    assert failure(artifact).kind is Failure.LOAD


def test_the_manifest_names_the_outputs(artifact: Path) -> None:
    manifest = json.loads((artifact / "model.json").read_text())
    manifest["outputs"].pop()
    (artifact / "model.json").write_text(json.dumps(manifest))
    assert failure(artifact).detail == "['features', 'scores', 'value'], not ['features', 'scores']"
