"""The pages of docs/ that show a way, typed as they stand in a fresh copy of the checkout.

Their `sh` blocks are run one after the other. A `text` block shows lines that what was run before
it prints, in this order, whatever their numbers and spaces are; `...` stands for anything. What a
`console` block shows is not typed here: it takes a person, or hours.
"""

import os
import re
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pmesh.stack.ports import assign_ports

ROOT = Path(__file__).parents[2]
PAGES = ("add-a-model.md", "monitor-and-retrain.md")
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SKELETON = re.compile(r"(?P<anything>\.\.\.)|(?P<number>\d+(\.\d+)?)|(?P<space>\s+)")


@dataclass(frozen=True)
class Step:
    """Commands, and what the tutorial shows of their output."""

    commands: str
    shown: str = ""


def read_steps(tutorial: str) -> list[Step]:
    """The steps of the tutorial, in order."""
    steps: list[Step] = []
    for kind, content in BLOCK.findall(tutorial):
        if kind == "sh":
            steps.append(Step(content))
        else:
            assert steps, "the tutorial shows what no command has printed"
            steps[-1] = Step(steps[-1].commands, content)
    return steps


def looks_like(shown: str) -> re.Pattern[str]:
    """Matches a line that differs from this one in its numbers and spaces only."""
    expression, end = "", 0
    for found in SKELETON.finditer(shown):
        expression += re.escape(shown[end : found.start()])
        expression += {"anything": ".*", "number": r"\d+(\.\d+)?", "space": r"\s+"}[
            found.lastgroup or ""
        ]
        end = found.end()
    return re.compile(expression + re.escape(shown[end:]))


def check_output(shown: str, printed: str) -> None:
    """Each line that is shown was printed, after the one before."""
    lines = iter(printed.splitlines())
    for line in shown.splitlines():
        pattern = looks_like(line.strip())
        assert any(pattern.search(candidate) for candidate in lines), (
            f"the tutorial shows {line!r}, but printed was:\n{printed}"
        )


class Reader:
    """Somebody who types what the tutorial says."""

    def __init__(self, checkout: Path, port: int) -> None:
        self._checkout = checkout
        self._port = port
        self._environment = {
            **os.environ,
            "PMESH_PORT": str(port),
            "COLUMNS": "120",
        }
        self._environment.pop("PMESH_HOME", None)

    def type(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands in a shell in which .venv is active."""
        here = commands.replace("localhost:8080", f"localhost:{self._port}")
        script = f"set -e\nsource .venv/bin/activate\n{here}"
        return subprocess.run(
            ("bash", "-c", script),
            cwd=self._checkout,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )


def install(checkout: Path) -> None:
    """What `make` installs into .venv, by links to this environment's packages but for our own."""
    venv.create(checkout / ".venv", symlinks=True)
    (packages,) = checkout.glob(".venv/lib/*/site-packages")
    paths = [checkout, checkout / "build" / "gen", *site.getsitepackages()]
    (packages / "checkout.pth").write_text("".join(f"{path}\n" for path in paths))
    python = checkout / ".venv" / "bin" / "python"
    for program in Path(sys.executable).parent.iterdir():
        ours = python.with_name(program.name)
        if ours.exists():
            continue
        if program.read_bytes().startswith(f"#!{sys.executable}\n".encode()):
            ours.write_text(program.read_text().replace(sys.executable, str(python), 1))
            ours.chmod(0o755)
        else:
            ours.symlink_to(program)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader in a copy of the checkout, whose stack is stopped at the end.

    One for all pages: what the first start has trained, the second finds.
    """
    folder = tmp_path_factory.mktemp("reader")
    checkout = folder / "predict-mesh"
    tracked = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    shutil.copytree(ROOT / "build" / "gen", checkout / "build" / "gen")
    install(checkout)
    port = assign_ports(folder / "gateway-port", ["gateway"])["gateway"]
    reader = Reader(checkout, port)
    yield reader
    reader.type("pmesh down")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_shows(reader: Reader, page: str) -> None:
    steps = read_steps((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert any("pmesh up" in step.commands for step in steps)
    for step in steps:
        done = reader.type(step.commands)
        assert done.returncode == 0, f"{step.commands}\n{done.stdout}"
        check_output(step.shown, done.stdout)


def test_what_is_shown_may_differ_in_numbers_and_spaces_only() -> None:
    shown = "support  1 80%, 2 20%  ...\n9 passed\n"
    check_output(shown, "model serves\nsupport 3  75.5%, 4 25% What a mail\n12 passed in 3 s\n")
    with pytest.raises(AssertionError, match="the tutorial shows"):
        check_output(shown, "support 1 100% What a mail\n9 passed\n")
    with pytest.raises(AssertionError, match="the tutorial shows"):
        check_output(shown, "9 passed\nsupport 1 80%, 2 20% What a mail\n")
