import stat
from pathlib import Path

import pytest

from pmesh.stack.home import AlreadyRunningError, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_long_kept_and_readable_by_the_owner_only(home: Home) -> None:
    first = home.secret("postgres")
    assert len(first) >= 32
    assert home.secret("s3") != first
    assert Home(home.path).secret("postgres") == first
    assert mode(home.path / "secrets.json") == 0o600
    assert mode(home.path) == 0o700


def test_a_part_gets_the_variables_set_for_it_and_no_other(home: Home) -> None:
    home.set_environment("relay", {"LIMIT": "5"})
    home.set_environment("gateway", {"LIMIT": "6"})
    assert home.environment("relay") == {"LIMIT": "5"}
    assert home.environment("triton") == {}
    home.set_environment("relay", {})
    assert home.environment("relay") == {}
    assert home.environment("gateway") == {"LIMIT": "6"}


def test_a_directory_is_held_by_one_stack_at_a_time(home: Home) -> None:
    with home.lock(), pytest.raises(AlreadyRunningError, match=str(home.path)), home.lock():
        pass
    with home.lock():
        pass
