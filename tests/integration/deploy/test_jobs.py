"""The jobs, from a training to a release."""

from pathlib import Path

import pytest

from inference.repository import Loaded
from tests.integration.deploy.jobs import ACTOR, JOBS, Jobs
from tests.parts.polling import wait_until
from tests.parts.postgres import Database
from tests.parts.triton import Triton

SCRIPTS = sorted(path.name for path in JOBS.iterdir())
WITH_ARGUMENTS = [script for script in SCRIPTS if script != "provision.sh"]


@pytest.fixture
def alone(tmp_path: Path) -> Jobs:
    """With nothing around them."""
    return Jobs(tmp_path, {})


def test_a_version_is_trained_and_released(
    released: str, triton: Triton, catalog: Database
) -> None:
    assert triton.control.loaded() == [Loaded("genre", released)]
    with catalog.connect() as connection:
        history = connection.execute("SELECT * FROM releases").fetchall()
    assert [(row["version"], row["actor"], row["reason"]) for row in history] == [
        (released, ACTOR, "the first")
    ]


def test_a_version_is_evaluated(jobs: Jobs, released: str, catalog: Database) -> None:
    def has_alias() -> bool:
        with catalog.connect() as connection:
            query = "SELECT FROM aliases WHERE version = %s AND pending = ''"
            return connection.execute(query, (released,)).fetchone() is not None

    wait_until(has_alias)  # whoever releases moves it
    said = jobs.output("eval.sh", f"genre@{released}")
    assert "accuracy" in said
    assert said.splitlines()[-1] == f"version {released} is the champion"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_job_tells_how_it_is_used(alone: Jobs, script: str) -> None:
    usage = alone.output(script, "--help")
    assert usage.startswith(f"{script} ")
    assert "environment:" in usage


@pytest.mark.parametrize("script", WITH_ARGUMENTS)
def test_a_job_without_arguments_fails_and_prints_nothing(alone: Jobs, script: str) -> None:
    run = alone.run(script)
    assert run.returncode == 2
    assert run.stdout == ""
    assert script in run.stderr


def test_a_release_that_is_refused_fails(jobs: Jobs, released: str) -> None:
    run = jobs.run("deploy.sh", "release", "genre@999")
    assert run.returncode == 1
    assert "genre@999 is refused: VERSION_UNKNOWN" in run.stderr


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_without_a_release_under_way_there_is_nothing_to_change(
    jobs: Jobs, released: str, command: str
) -> None:
    run = jobs.run("deploy.sh", command, "genre")
    assert run.returncode == 1
    assert "no release of genre is under way" in run.stderr


def test_what_names_no_version_is_not_asked_for(jobs: Jobs) -> None:
    run = jobs.run("deploy.sh", "release", "genre@one")
    assert run.returncode == 1
    assert "'genre@one' names no version" in run.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("prodution", "there is no folder prodution"),
        ("production/sentiment.yaml", "there is no folder production/sentiment.yaml"),
        ("mistyped", "mistyped/sentimnt.yaml would be left out; values are those of postgres"),
        ("otherwise", "otherwise/sentiment.yml would be left out; values are those of postgres"),
    ],
)
def test_values_that_would_be_left_out_are_refused(alone: Jobs, given: str, message: str) -> None:
    files = {"production": "sentiment.yaml", "mistyped": "sentimnt.yaml"}
    for folder, file in {**files, "otherwise": "sentiment.yml"}.items():
        (alone.directory / folder).mkdir()
        (alone.directory / folder / file).write_text("workers: {most: 3}\n")
    run = alone.run("install.sh", "--tag", "abc123", "--values", "production", "--values", given)
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("install.sh", ["sentimnt", "--tag", "abc123"], "no model sentimnt, but postgres mlflow"),
        ("train.sh", ["unknown"], "there is no models/unknown/model.py"),
        ("eval.sh", ["genre"], "'genre' names no version"),
        ("build-image.sh", ["unknown"], "there is no models/unknown/values.yaml"),
        ("build-image.sh", ["genre", "--target", "test"], "there is no target test"),
        ("build-image.sh", ["genre", "--device", "tpu"], "there is no device tpu"),
        ("build-image.sh", ["genre", "--pull"], "there is no option --pull"),
        ("build-image.sh", ["--program", "genre"], "there is no program genre"),
        ("build-image.sh", ["genre", "--program", "relay"], "a program or a model, not both"),
        ("provision.sh", ["--passwords", "/nowhere"], "there is no folder /nowhere"),
    ],
)
def test_a_refusal_says_why_in_its_last_line(
    jobs: Jobs, script: str, arguments: list[str], message: str
) -> None:
    run = jobs.run(script, *arguments)
    assert run.returncode != 0
    assert message in run.stderr.splitlines()[-1]
