"""That whoever builds images builds those that are installed."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCKERFILES = sorted((ROOT / "deploy/docker").glob("Dockerfile*"))
BASES = {"project", "program", "spooling"}
"""Stages of the Dockerfile that others are built on."""


def test_lists_of_programs_are_the_same() -> None:
    script = (ROOT / "deploy/jobs/build-image.sh").read_text()
    (listed,) = re.findall(r"^programs=\((.+)\)$", script, re.MULTILINE)
    programs = set(listed.split())
    usage = script.partition("[--version V]")[0]
    assert set(re.findall(r"[a-z-]+(?=\||\s*$)", usage.partition("--program ")[2])) == programs
    stages = (ROOT / "deploy/docker/Dockerfile.programs").read_text()
    assert set(re.findall(r"^FROM .+ AS (\S+)$", stages, re.MULTILINE)) == programs | BASES
    workflow = yaml.safe_load((ROOT / ".github/workflows/build-image.yml").read_text())
    inputs = workflow[True]["workflow_dispatch"]["inputs"]  # YAML 1.1 reads "on" so
    assert set(inputs["program"]["options"]) == programs | {"all", ""}


def test_the_charts_run_what_is_built() -> None:
    script = (ROOT / "deploy/jobs/build-image.sh").read_text()
    (listed,) = re.findall(r"^programs=\((.+)\)$", script, re.MULTILINE)
    run: set[str] = set()
    for template in (ROOT / "deploy/charts").glob("*/templates/*.yaml"):
        text = template.read_text()
        run |= set(re.findall(r'"pod\.image" \(list \S+ "([a-z-]+)"\)', text))
        run |= set(re.findall(r"/predict-mesh/([a-z-]+):", text))
    assert run == set(listed.split())


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.name)
def test_what_an_image_is_built_on_can_be_given_with_its_digest(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    stages = set(re.findall(r"^FROM .+ AS (\S+)$", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages
    copied = set(re.findall(r"--from=(\S+)", text))
    arguments = set(re.findall(r"^ARG (\w+)", text.partition("FROM")[0], re.MULTILINE))
    assert bases == {f"${{{argument}}}" for argument in arguments}
    assert copied <= stages
    script = (ROOT / "deploy/jobs/build-image.sh").read_text()
    (given,) = re.findall(r"^ +for name in (.+_IMAGE); do$", script, re.MULTILINE)
    assert arguments <= {*given.split(), "BASE_IMAGE"}  # the last is one of our own
