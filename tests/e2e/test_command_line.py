"""`pmesh` against a running stack."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.mesh import Mesh
from tests.e2e.texts import new_text, new_texts

Pmesh = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pmesh(mesh: Mesh) -> Pmesh:
    """Runs the command line on the stack under test."""

    def run(*arguments: str, returncode: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            (sys.executable, "-m", "pmesh.cli", *arguments),
            env={**os.environ, "PMESH_HOME": str(mesh.stack.home.path), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == returncode, done.stderr
        return done

    return run


def json_lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_prediction_is_shown_as_the_gateway_keeps_it(mesh: Mesh, pmesh: Pmesh) -> None:
    text = new_text()
    (shown,) = json_lines(pmesh("predict", "sentiment", text, "--json"))
    assert shown["text"] == text
    assert shown == mesh.rest.client.get(f"/v1/predictions/{shown['id']}").json()
    label, confidence = pmesh("predict", "sentiment", text).stdout.split()[:2]
    assert (label, confidence) == (
        shown["output"]["label"],
        f"{shown['output']['confidence']:.2f}",
    )


def test_a_later_prediction_is_accepted_at_once_or_waited_for(mesh: Mesh, pmesh: Pmesh) -> None:
    (accepted,) = json_lines(pmesh("predict", "genre", new_text(), "--later", "--json"))
    assert accepted["state"] == "PREDICTION_STATE_ACCEPTED"
    assert mesh.rest.client.get(f"/v1/predictions/{accepted['id']}").json()["id"] == accepted["id"]
    (waited,) = json_lines(pmesh("predict", "genre", new_text(), "--later", "--wait", "--json"))
    assert waited["state"] == "PREDICTION_STATE_SUCCEEDED"


@pytest.mark.parametrize("way", [(), ("--later", "--wait")])
def test_the_answers_for_a_file_come_in_its_order(
    pmesh: Pmesh, tmp_path: Path, way: tuple[str, ...]
) -> None:
    texts = new_texts(100)
    file = tmp_path / "rated.tsv"
    rows = [f"test-{n}\t0.0\t{text}" for n, text in enumerate(texts)]
    file.write_text("\n".join(["id\trating\ttext", *rows]), encoding="utf-8")
    answers = json_lines(pmesh("predict", "sentiment", "--file", str(file), "--json", *way))
    assert [answer["text"] for answer in answers] == texts
    assert {answer["state"] for answer in answers} == {"PREDICTION_STATE_SUCCEEDED"}


def test_refused_texts_of_a_file_leave_the_others_answered(pmesh: Pmesh, tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([new_text(), "x" * 70_000, new_text()]), encoding="utf-8")
    done = pmesh("predict", "sentiment", "--file", str(file), "--json", returncode=1)
    first, refused, last = json_lines(done)
    assert first["output"]
    assert last["output"]
    assert refused["error"]["details"][0]["reason"] == "TEXT_TOO_LONG"
    assert "1 of 3 texts have no prediction" in done.stderr


@pytest.mark.parametrize("way", [(), ("--later",)])
@pytest.mark.parametrize(
    ("model", "text", "reason"),
    [("no-such-model", "good", "MODEL_NOT_FOUND"), ("sentiment", "   ", "TEXT_BLANK")],
)
def test_an_error_of_the_gateway_is_shown_with_its_reason(
    pmesh: Pmesh, model: str, text: str, reason: str, way: tuple[str, ...]
) -> None:
    done = pmesh("predict", model, text, *way, returncode=1)
    assert done.stdout == ""
    assert f"({reason})" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_shows_every_part(mesh: Mesh, pmesh: Pmesh) -> None:
    shown = json.loads(pmesh("status", "--json").stdout)
    assert shown["urls"]["gateway"] == mesh.url
    names = {part["name"] for part in shown["parts"]}
    lines = pmesh("status").stdout.splitlines()
    assert {line.split()[0] for line in lines[1 : len(names) + 1]} == names
    assert {"postgres", "aws", "s3", "triton", "mlflow", "relay", "gateway"} < names


def test_doctor_finds_nothing_wrong_with_a_healthy_stack(mesh: Mesh, pmesh: Pmesh) -> None:
    assert "problem" not in pmesh("doctor").stdout


def test_the_logs_hold_no_text(mesh: Mesh, pmesh: Pmesh) -> None:
    text = new_text()
    pmesh("predict", "sentiment", text)
    pmesh("predict", "sentiment", text, "--later", "--wait")
    assert text not in pmesh("logs", "-n", "100000").stdout


def test_a_second_start_is_refused(mesh: Mesh, pmesh: Pmesh) -> None:
    done = pmesh("up", "--port", "1", returncode=1)
    assert "a stack runs on" in done.stderr
    assert mesh.rest.client.get("/healthz").status_code == 200
