"""Runs the scripts of deploy/jobs as a pipeline does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
JOBS = ROOT / "deploy" / "jobs"
ACTOR = "a-pipeline"


class Jobs:
    """Scripts run in one directory, where MLflow without a server keeps artifacts."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        packages = f"{ROOT}:{ROOT / 'build' / 'gen'}"
        own = {"PATH": path, "PYTHONPATH": packages, "GITHUB_ACTOR": ACTOR}
        self._environment = {**os.environ, **own, **environment}

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(JOBS / script), *arguments],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def output(self, script: str, *arguments: str) -> str:
        """What it prints; it must succeed."""
        run = self.run(script, *arguments)
        assert run.returncode == 0, run.stderr
        return run.stdout
