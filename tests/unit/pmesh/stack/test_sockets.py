"""The folder of the stack's sockets."""

import os
import stat
from pathlib import Path

import pytest

from pmesh.stack import tritonserver
from pmesh.stack.sockets import make_private, socket_folder

LONGEST_PATH = 107  # unix(7)


def test_it_is_in_the_data_directory(tmp_path: Path) -> None:
    assert socket_folder(Path("/home/anna/project/.pmesh")) == Path(
        "/home/anna/project/.pmesh/sockets"
    )


@pytest.mark.parametrize("home", ["/" + "long/" * 30, "/home/anna/my project", "/home/ännä"])
def test_a_path_that_sockets_cannot_have_is_replaced(home: str) -> None:
    folder = socket_folder(Path(home))
    assert folder.parent == Path("/tmp")  # noqa: S108
    assert folder == socket_folder(Path(home))
    assert folder != socket_folder(Path(home, "another"))


def test_every_socket_has_a_path_that_the_system_takes() -> None:
    for length in range(1, 150):
        address = tritonserver.address(socket_folder(Path("/" + "x" * length)))
        assert len(address.removeprefix("unix:")) <= LONGEST_PATH


def test_nobody_else_may_enter_it(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    for _ in range(2):
        make_private(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "sockets"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(PermissionError):
        make_private(folder)


def test_a_link_to_another_folder_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o755)
    (tmp_path / "sockets").symlink_to(tmp_path / "other")
    with pytest.raises(PermissionError):
        make_private(tmp_path / "sockets")
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o755
