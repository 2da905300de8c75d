"""Versions of `genre` for the stack under test: trained ones, and copies that are broken."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from modelkit.abstract_model import Predictions
from modelkit.isolation import run_artifact
from modelkit.registry import Registry
from pmesh.cli.running import running_stack
from tests.e2e.mesh import Mesh
from training.training_run import training_run

NAME = "genre"

BROKEN = {
    "DOES_NOT_LOAD": ("BUCKETS = ", "import no_such_module\nBUCKETS = "),
    "OUTPUT_SHAPE": ("features.cpu().numpy())", "features.cpu().numpy()[:, :3])"),
    "WARM_UP_FAILED": (
        "        features, logits = self._network(",
        "        import os, sys\n"
        "        if 'triton_python_backend_utils' in sys.modules: os._exit(3)\n"
        "        features, logits = self._network(",
    ),
}
"""The reason to refuse it -> a change of models/genre/model.py."""


class Shelf:
    """The registry of the stack, and the commands that work on it."""

    def __init__(self, mesh: Mesh) -> None:
        self._home = mesh.stack.home.path
        self.environment = running_stack(self._home).training_environment()
        self.registry = Registry(self.environment["MLFLOW_TRACKING_URI"])
        self._scratch = Path(tempfile.mkdtemp(prefix="shelf-"))

    def close(self) -> None:
        """Forget what was downloaded."""
        shutil.rmtree(self._scratch)

    def train(self, seed: int) -> str:
        """A new version; its number."""
        return self.run("training.train", NAME, "--seed", str(seed)).stdout.split()[-1]

    def pmesh(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as a person does."""
        return self.run("pmesh.cli", *arguments, "--home", str(self._home), check=check)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same, while it goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "pmesh.cli", *arguments, "--home", str(self._home)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, module: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with the stack's environment."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def register_broken(self, reason: str, version: str) -> str:
        """A version that must be refused for this reason; its number."""
        return self._register(version, *BROKEN[reason])

    def register_copy(self, version: str) -> str:
        """A version that is as good as this one; its number."""
        return self._register(version, "BUCKETS = ", "BUCKETS = ")

    def _register(self, version: str, old: str, new: str) -> str:
        with (
            tempfile.TemporaryDirectory() as scratch,
            training_run(tracking_uri=self.environment["MLFLOW_TRACKING_URI"], model=NAME) as run,
        ):
            artifact = self.registry.download(NAME, version, Path(scratch))
            code = artifact / "code" / "models" / NAME / "model.py"
            assert old in code.read_text()
            code.write_text(code.read_text().replace(old, new, 1))
            run.log_evaluation(self.registry.evaluation(NAME, version, Path(scratch)).parent)
            return run.register(artifact, variant="model")

    @cache  # noqa: B019  # one shelf, few versions
    def artifact(self, version: str) -> Path:
        """The files of a version."""
        into = self._scratch / version
        into.mkdir()
        return self.registry.download(NAME, version, into)

    def predictions(self, version: str, texts: Sequence[str]) -> Predictions:
        """What a version says, asked without Triton."""
        return run_artifact(self.artifact(version), texts, 120).predictions
