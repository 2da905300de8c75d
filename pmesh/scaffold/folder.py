"""The files of a new model: a small one that learns and answers as it is."""

import json
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import yaml

from pmesh.scaffold.names import DEFAULT_LABELS, check_labels, check_name

ROWS_PER_LABEL = 30
_LINE_LENGTH = 100
_TEMPLATE = files("pmesh.scaffold") / "template"


def write_model_folder(
    models: Path, name: str, labels: Sequence[str] = DEFAULT_LABELS
) -> dict[str, str]:
    """Write the folder <models>/<name>, whole or not at all. Answers its files: path -> content.

    Raises InvalidName, FileExistsError when there is something of that name, and OSError.
    """
    check_name(name)
    check_labels(labels)
    folder = models / name
    contents = _contents(name, labels)
    # Beside `models`, not in it: what lists the models would see half a folder.
    with tempfile.TemporaryDirectory(prefix=".new-model-", dir=models.parent) as scratch:
        staging = Path(scratch) / name
        for path, content in contents.items():
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_text(content, encoding="utf-8")
        if folder.exists():  # an empty one would be replaced
            raise FileExistsError(f"there is a {folder} already")
        staging.rename(folder)
    return contents


def _contents(name: str, labels: Sequence[str]) -> dict[str, str]:
    """The files' contents by their paths inside the folder."""
    values = {
        "name": name,
        "title": name.capitalize(),
        "description": json.dumps(_description(labels), ensure_ascii=False),
        "labels": _python_tuple(labels),
        "yaml_labels": _yaml_list(labels),
    }
    rendered = ("model.py", "test_model.py", "values.yaml", "alerts.yaml", "requirements.txt")
    return {
        **{file: Template(_read(f"{file}.template")).substitute(values) for file in rendered},
        "data/sample.tsv": _sample(labels),
        "__init__.py": "",
    }


def _description(labels: Sequence[str]) -> str:
    if labels == DEFAULT_LABELS:
        return "What a mail to the support team is about."
    return f"Which of these a text is: {', '.join(labels)}."


def _python_tuple(labels: Sequence[str]) -> str:
    """As the formatter wants it: on one line if it fits."""
    items = [json.dumps(label, ensure_ascii=False) for label in labels]
    line = f"({', '.join(items)})"
    if len(f"    labels = {line}") <= _LINE_LENGTH:
        return line
    return "\n".join(["(", *(f"        {item}," for item in items), "    )"])


def _yaml_list(labels: Sequence[str]) -> str:
    """On one line; what YAML takes for a number or a truth value is quoted."""
    flow = yaml.safe_dump(
        list(labels), default_flow_style=True, allow_unicode=True, width=float("inf")
    )
    return str(flow).strip()


def _sample(labels: Sequence[str]) -> str:
    """Rows to learn from: of support mails, or made up for other labels."""
    if labels == DEFAULT_LABELS:
        return _read("sample.tsv")
    rows = [label for _ in range(ROWS_PER_LABEL) for label in labels]
    # Each differs from the others in several words, or it would count as a near-duplicate.
    numbered = [
        f"sample-{n}\t{label}\treplace this row of {label}: words {n}a {n}b {n}c"
        for n, label in enumerate(rows, start=1)
    ]
    return "\n".join(["id\tlabel\ttext", *numbered, ""])


def _read(file: str) -> str:
    return (_TEMPLATE / file).read_text(encoding="utf-8")
