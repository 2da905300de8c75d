import pytest

from pmesh.stack.advice import advice


@pytest.mark.parametrize(
    ("last_exit", "log", "remedy"),
    [
        ("exit code 1", "OSError: [Errno 28] No space left on device", "free some disk space"),
        ("exit code 1", "bind: Address already in use", "end what has its port"),
        ("exit code 1", "ModuleNotFoundError: No module named 'moto'", "install the project again"),
        ("killed by SIGKILL", "", "lack of memory"),
    ],
)
def test_known_causes_come_with_what_to_do(last_exit: str, log: str, remedy: str) -> None:
    assert remedy in advice(last_exit=last_exit, log=log)


def test_an_unknown_cause_comes_with_no_guess() -> None:
    assert advice(last_exit="exit code 1", log="AssertionError") == ""
