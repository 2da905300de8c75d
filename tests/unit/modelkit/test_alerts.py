"""The file of a model's rules: errors name it, the line and what to do."""

from pathlib import Path

import pytest

from modelkit.alerts import InvalidAlerts, read_alerts
from pmesh.scaffold.folder import write_model_folder

LABELS = ["a", "b"]


def read(folder: Path, content: str) -> list[str]:
    (folder / "alerts.yaml").write_text(content)
    return [rule.name for rule in read_alerts(folder, LABELS)]


def test_a_new_model_has_rules(tmp_path: Path) -> None:
    write_model_folder(tmp_path, "support", ["a", "b"])
    assert len(read_alerts(tmp_path / "support", LABELS)) == 2


def test_a_model_without_the_file_or_with_an_empty_one_has_no_rules(tmp_path: Path) -> None:
    assert read_alerts(tmp_path, LABELS) == []
    assert read(tmp_path, "# nothing yet\n") == []
    assert read(tmp_path, "alerts: []\n") == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("rules: []\n", ":1: it is alerts: and under it a list"),
        ("- name: x\n", ":1: it is alerts: and under it a list"),
        ("alerts:\n  - name: x\n    name: y\n", ":3: name is there twice"),
        ("alerts:\n  - name: x\n   bad\n", ":3: "),
        ("alerts:\n  - {name: x, metric: f1:c, above: 1}\n", ":2: 'c' is none of the model's"),
        ("alerts:\n  - name: x\n    metric: brier\n    above: high\n", ":4: above is a number"),
        ("alerts:\n  - name: x\n    metric: brier\n", ":2: a rule has above: or below:"),
        ("alerts:\n  - text\n", ":2: a rule is a mapping"),
        ("alerts: [&a {name: x, metric: brier, above: 1}, *a]\n", "there are two rules 'x'"),
        ("alerts:\n  - !!python/object:os.system {}\n", ":2: could not determine a constructor"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, content: str, problem: str) -> None:
    with pytest.raises(InvalidAlerts, match=problem) as refused:
        read(tmp_path, content)
    assert str(refused.value).startswith(str(tmp_path / "alerts.yaml"))
