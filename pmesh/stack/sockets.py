"""Where the stack's Unix sockets lie: in a folder that nobody but its owner may enter."""

import hashlib
import os
import re
import stat
from pathlib import Path

_LONGEST_FOLDER = 80
"""Bytes; a socket's whole path has at most 107, unix(7)."""
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
"""What a path may be of to stand in gRPC's `unix:` without being quoted."""


def socket_folder(home: Path, name: str = "sockets") -> Path:
    """A folder of a data directory; if its path is too long for sockets, one in /tmp."""
    folder = home / name
    if len(str(folder)) <= _LONGEST_FOLDER and _PLAIN.fullmatch(str(folder)):
        return folder
    # Not TMPDIR, which may differ between those who look for the sockets.
    return Path("/tmp", f"pmesh-{hashlib.sha256(bytes(folder)).hexdigest()[:16]}")  # noqa: S108


def make_private(folder: Path) -> None:
    """Make the folder. Raises PermissionError where somebody else has made it before."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not this user's own folder; remove it")
    folder.chmod(0o700)
