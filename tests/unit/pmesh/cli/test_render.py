"""`pmesh render`, as it is typed."""

from pathlib import Path

from typer.testing import CliRunner

from pmesh.cli import command_line


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command_line(), ["render", *arguments])
    return result.exit_code, result.output


def test_what_is_stale_is_listed_with_what_to_do_about_it(tmp_path: Path) -> None:
    code, output = run("--check", "--output", str(tmp_path))
    assert code == 1
    assert "istio/gateway/callers.yaml" in output
    assert "pmesh render" in output
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_is_not_stale_and_is_not_written_again(tmp_path: Path) -> None:
    code, output = run("--output", str(tmp_path))
    assert code == 0
    assert "deploy/charts/predict-mesh/rendered-values.yaml" in output
    assert run("--check", "--output", str(tmp_path)) == (0, "")
    assert run("--output", str(tmp_path)) == (0, "")
