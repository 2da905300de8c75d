"""Run the tests that start servers, in two halves side by side, as each of them mostly waits.

Each half is a pytest of its own, with servers of its own. What is given goes to both:

    python -m tests --durations 20
"""

import signal
import subprocess
import sys
import threading

ELSEWHERE = ("tests/unit", "tests/images", "tests/landed", "tests/annotation", "tests/mesh")
"""What has a target of its own."""
FIRST = (
    "tests/e2e",
    *(f"tests/integration/{part}" for part in ("monitoring", "training", "model_runtime")),
)
"""Whole stacks, trainings, workers and the hourly job: about half of the time."""

_output = threading.Lock()


def main() -> int:
    """0 if both halves pass, else the exit code of the first that does not."""
    # A shell has what it starts in the background ignore Ctrl-C, and all that starts from there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    halves = [_start(*FIRST), _start(*(f"--ignore={path}" for path in (*ELSEWHERE, *FIRST)))]
    readers = [threading.Thread(target=_pass_on, args=(half,)) for half in halves]
    for reader in readers:
        reader.start()
    codes = [_wait(half) for half in halves]
    for reader in readers:
        reader.join()
    return next((code for code in codes if code), 0)


def _start(*arguments: str) -> subprocess.Popen[str]:
    color = "yes" if sys.stdout.isatty() else "auto"
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", f"--color={color}", *arguments, *sys.argv[1:]],
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait(half: subprocess.Popen[str]) -> int:
    while True:
        try:
            return half.wait()
        except KeyboardInterrupt:  # which it has had as well: it stops what it has started
            continue


def _pass_on(half: subprocess.Popen[str]) -> None:
    """Its lines as they are whole, and the report at its end in one piece."""
    assert half.stdout is not None
    for line in half.stdout:
        is_report = "===" in line and "session starts" not in line
        with _output:
            print(line + half.stdout.read() if is_report else line, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
