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
READ = re.compile(r"^  ([A-Z][A-Z_*]+(?:, [A-Z_]+)*)  ", re.MULTILINE)
FAMILIES = {
    "PG*": {"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"},
    "AWS_*": {"AWS_DEFAULT_REGION"},  # who may: the runner's role
}
OF_THE_RUNNER = {
    *("PATH", "PIP_CONFIG_FILE", "KUBECONFIG", "SSL_CERT_FILE"),
    *("PYTHON_IMAGE", "TRITON_IMAGE", "POSTGRES_IMAGE"),
}
GIVEN = "GIVEN_"


def lint(tool: str, *files: Path) -> None:
    """Fails with what the tool says."""
    command = [str(Path(sys.executable).parent / tool), *map(str, files)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_shellcheck_finds_nothing() -> None:
    lint("shellcheck", *SCRIPTS, *ROOT.glob("deploy/docker/**/*.sh"), *(ROOT / ".ci").iterdir())


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


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_gives_scripts_the_environment_that_they_read(workflow: Path) -> None:
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        given = set(job.get("env", {}))
        for step in job["steps"]:
            run = step.get("run", "")
            given |= {name.removeprefix(GIVEN) for name in step.get("env", {}) if GIVEN in name}
            here = given | set(step.get("env", {})) | set(re.findall(r"\b([A-Z_]+)=\$", run))
            for script, _ in CALL.findall(run):
                if script.startswith("deploy/"):
                    assert variables(script) - here <= OF_THE_RUNNER, script


def variables(script: str) -> set[str]:
    """Those that its help lists."""
    usage = subprocess.check_output([ROOT / script, "--help"], text=True)
    names = ", ".join(READ.findall(usage.partition("\nenvironment:\n")[2])).split(", ")
    assert "PATH" in names or "IMAGE_BUILDER" in names
    return {name for listed in names for name in FAMILIES.get(listed, {listed})}


def test_a_variable_that_is_unset_in_github_leaves_the_runner_its_own(tmp_path: Path) -> None:
    steps = 0
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text())["jobs"].values():
            if "self-hosted" not in job["runs-on"]:
                continue
            (step,) = [s for s in job["steps"] if any(GIVEN in n for n in s.get("env", {}))]
            environments = [job.get("env", {}), *(s.get("env", {}) for s in job["steps"])]
            of_vars = {n for env in environments for n, value in env.items() if "vars." in value}
            assert of_vars == set(step["env"])
            name = next(iter(step["env"])).removeprefix(GIVEN)
            for value in ("", "there:1"):
                file = tmp_path / f"{workflow.name}{value}"
                environment = {**os.environ, GIVEN + name: value, name: "own:1"}
                command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
                subprocess.run(command, env=environment | {"GITHUB_ENV": str(file)}, check=True)
                assert file.read_text() == (f"{name}={value}\n" if value else "")
            steps += 1
    assert steps == 4


def test_the_readme_names_the_variables_and_secrets_of_github() -> None:
    text = "".join(workflow.read_text() for workflow in WORKFLOWS)
    names = set(re.findall(r"\b(?:vars|secrets)\.(\w+)", text))
    readme = (ROOT / "deploy/README.md").read_text()
    assert not {name for name in names if f"`{name}`" not in readme}


@pytest.mark.parametrize(
    ("program", "folder"),
    [(name, name) for name in ("gateway", "features", "relay", "rollout")]
    + [("runtime", "model_runtime")],
)
def test_the_readme_tells_a_program_what_provision_was_told(program: str, folder: str) -> None:
    readme = (ROOT / "deploy/README.md").read_text()
    (row,) = re.findall(rf"^\| {program} \| .*$", readme, re.MULTILINE)
    source = "".join(file.read_text() for file in (ROOT / folder).glob("*.py"))
    read = set(re.findall(r'setting\(\s*"(PMESH_\w+)"', source))
    assert read
    shared = read & (variables("deploy/jobs/provision.sh") | {"PMESH_TOPIC_ARN"})
    assert not {name for name in shared if name not in row}
