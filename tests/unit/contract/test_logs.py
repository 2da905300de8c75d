"""Lines of a real process: their form, what they are about, and that they quote no exception."""

import json
import subprocess
import sys
from typing import Any

import pytest

CANARY = "xylophonquartett"
BEGIN = """
import asyncio, logging, threading, warnings
from contract.logs import about, end, log_to_stderr
log_to_stderr("a-program")
log = logging.getLogger("a.part")
"""


def lines(code: str, *, format: str = "", status: int = 0) -> list[str]:
    done = subprocess.run(
        (sys.executable, "-c", BEGIN + code),
        env={"PMESH_LOG_FORMAT": format},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert CANARY not in done.stderr
    return done.stderr.splitlines()


def line(code: str, *, status: int = 0) -> dict[str, Any]:
    """The only one."""
    (found,) = lines(code, status=status)
    said: dict[str, Any] = json.loads(found)
    return said


def test_a_line_is_json_and_says_what_it_is_about() -> None:
    said = line("""
with about(prediction_id="one", model="sentiment"), about(version="2", caller=""):
    log.warning("%s of\\n%d", "some", 3)
""")
    assert said.pop("time").endswith("+00:00")
    assert said == {
        "level": "WARNING",
        "program": "a-program",
        "logger": "a.part",
        "message": "some of\n3",
        "prediction_id": "one",
        "model": "sentiment",
        "version": "2",
    }


def test_it_is_readable_where_that_is_asked_for() -> None:
    (found,) = lines('with about(model="genre"): log.warning("some")', format="text")
    assert found.partition(",")[2][4:] == "WARNING a.part some model=genre"


@pytest.mark.parametrize("format", ["json", "text"])
def test_an_exception_is_told_without_its_words(format: str) -> None:
    """Nor with those of what it came of, and of a group's."""
    found = "\n".join(
        lines(
            f"""
def fail():
    raise KeyError("{CANARY}".lower())
try:
    try:
        fail()
    except KeyError as error:
        raise ExceptionGroup("{CANARY}", [OSError("{CANARY}")]) from error
except ExceptionGroup:
    log.exception("it failed")
""",
            format=format,
        )
    )
    for said in ("builtins.KeyError", "in fail", "builtins.ExceptionGroup", "builtins.OSError"):
        assert said in found


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (f'warnings.warn("of {CANARY[:3]}")', "<string>:6: UserWarning: of xyl"),
        (
            f"""
def work(): raise ValueError("{CANARY}")
thread = threading.Thread(target=work, name="a-thread")
thread.start()
thread.join()
""",
            "thread a-thread ends: unexpected ValueError",
        ),
        (
            f"""
class One:
    def __del__(self): raise ValueError("{CANARY}")
One()
""",
            "unexpected ValueError where none can be raised",
        ),
        (
            f"""
async def fail(): raise ValueError("{CANARY}")
async def main():
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
""",
            "Task exception was never retrieved",
        ),
    ],
    ids=["warning", "thread", "unraisable", "task"],
)
def test_what_others_write_comes_as_a_line(code: str, message: str) -> None:
    assert line(code)["message"].startswith(message)


def test_what_ends_a_program_is_its_last_line() -> None:
    said = line(f'raise ValueError("{CANARY}")', status=1)
    assert said["message"] == "the program ends: unexpected ValueError"
    assert (said["level"], "ValueError" in said["exception"]) == ("CRITICAL", True)
    taken = line('raise OSError("a port is taken")', status=1)
    assert taken["message"] == "the program ends: a port is taken"
    assert line('end("a reason")', status=1)["message"] == "a reason"
    assert lines('end("a reason")', format="text", status=1) == ["a reason"]


def test_a_format_that_there_is_not_is_told() -> None:
    (said,) = lines("", format="xml", status=1)
    assert said == "a-program: PMESH_LOG_FORMAT must be json or text, not 'xml'"
