"""What the pipelines' files say; that the jobs work is tested in test_jobs.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.deploy.jobs import JOBS, ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PIPELINES = [*WORKFLOWS, ROOT / "deploy/Jenkinsfile"]
DOCKERFILES = sorted(ROOT.glob("deploy/docker/Dockerfile.*"))
SCRIPTS = sorted(JOBS.glob("*.sh"))

CALL = re.compile(r"(deploy/jobs/\S+\.sh|\.ci/run)\b([^\n|)']*)")
OPTION = re.compile(r"--[a-z]+")


def lint(tool: str, *files: Path) -> None:
    """Fails with what the tool says."""
    command = [str(Path(sys.executable).parent / tool), *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_shellcheck_finds_nothing() -> None:
    lint("shellcheck", *SCRIPTS, ROOT / "deploy/docker/triton.sh", *(ROOT / ".ci").iterdir())


def test_hadolint_finds_nothing() -> None:
    lint("hadolint", *DOCKERFILES)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.name)
def test_a_pipeline_calls_scripts_with_options_that_they_have(pipeline: Path) -> None:
    calls = CALL.findall(pipeline.read_text())
    assert calls
    for script, arguments in calls:
        assert os.access(ROOT / script, os.X_OK), script
        if options := OPTION.findall(arguments):
            usage = subprocess.check_output([ROOT / script, "--help"], text=True)
            assert set(options) <= set(OPTION.findall(usage))


def test_every_job_is_in_both_kinds_of_pipeline() -> None:
    jobs = {str(script.relative_to(ROOT)) for script in SCRIPTS}
    jenkins = CALL.findall((ROOT / "deploy/Jenkinsfile").read_text())
    workflows = [call for path in WORKFLOWS for call in CALL.findall(path.read_text())]
    assert {script for script, _ in jenkins} == jobs
    assert {script for script, _ in workflows} == jobs | {".ci/run"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_reads_the_inputs_that_it_declares(workflow: Path) -> None:
    text = workflow.read_text()
    fields = yaml.safe_load(text)
    events = fields[True]  # YAML 1.1 reads "on" so
    declared = events.get("workflow_dispatch", {}).get("inputs", {})
    assert set(re.findall(r"\binputs\.(\w+)", text)) == set(declared)
    assert all(job["steps"] for job in fields["jobs"].values())
    # An input in a script would be run as a part of it.
    steps = [step for job in fields["jobs"].values() for step in job["steps"]]
    assert not [step for step in steps if "${{" in step.get("run", "")]
