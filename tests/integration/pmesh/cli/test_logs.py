"""`pmesh logs`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pmesh.stack.home import Home

LOGS = (sys.executable, "-m", "pmesh.cli", "logs")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    home.log("relay").write_text("one\ntwo\nthree\n")
    home.log("aws").write_text("four\n")
    return home


def run(home: Home, *arguments: str) -> str:
    command = (*LOGS, *arguments, "--home", str(home.path))
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def test_the_last_lines_of_one_part_are_shown_as_they_are(home: Home) -> None:
    assert run(home, "relay", "-n", "2") == "two\nthree\n"


def test_the_lines_of_all_parts_are_shown_with_the_parts_name(home: Home) -> None:
    lines = [line.split() for line in run(home, "-n", "1").splitlines()]
    assert lines == [["aws", "four"], ["relay", "three"]]


def test_lines_of_json_are_readable(home: Home) -> None:
    line = {
        "time": "12:00",
        "level": "WARNING",
        "program": "relay",
        "logger": "relay.responses",
        "message": "dropped it",
        "prediction_id": "one",
        "exception": "  at\n  here",
    }
    access = {"time": "12:01", "method": "POST", "status": 200, "caller": ""}
    broken = "{it is none}"
    lines = (json.dumps(line), json.dumps(access), broken)
    home.log("relay").write_text("".join(f"{one}\n" for one in lines))
    assert run(home, "relay") == (
        "12:00 WARNING relay.responses dropped it prediction_id=one \n  at\n  here\n"
        "12:01 method=POST status=200\n"
        "{it is none}\n"
    )


def test_following_shows_whole_lines_as_they_are_written(home: Home) -> None:
    command = (*LOGS, "relay", "-f", "-n", "1", "--home", str(home.path))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "three\n"
        with home.log("relay").open("a") as log:
            for part in ("fo", "ur\n", "five\n"):
                log.write(part)
                log.flush()
        assert process.stdout.readline() == "four\n"
        assert process.stdout.readline() == "five\n"
        os.truncate(home.log("relay"), 0)  # as the supervisor does with a large one
        with home.log("relay").open("a") as log:
            log.write("six\n")
        assert process.stdout.readline() == "six\n"
    finally:
        process.kill()
        process.communicate()
