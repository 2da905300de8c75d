"""The data directory: all that the local stack keeps, readable by its owner only."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast


class AlreadyRunningError(Exception):
    """Another stack runs on this data directory."""


class Home:
    """Names the files of a data directory and keeps the small ones."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def create(self) -> None:
        """Make the directory if there is none."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    @property
    def logs(self) -> Path:
        """Where the parts write: one file each."""
        return self.path / "logs"

    @property
    def ports(self) -> Path:
        """The ports of the parts."""
        return self.path / "ports.json"

    @property
    def status(self) -> Path:
        """What the supervisor says of the parts; see status.py."""
        return self.path / "status.json"

    @property
    def access(self) -> Path:
        """Who may call, where the last start asked for it; see issuer.py."""
        return self.path / "access.json"

    def log(self, part: str) -> Path:
        """The log of one part."""
        return self.logs / f"{part}.log"

    def secret(self, name: str) -> str:
        """A password of this stack: made at the first call, then always the same."""
        file = self.path / "secrets.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        if name not in kept:
            kept[name] = secrets.token_urlsafe(24)
            _write_private(file, json.dumps(kept, indent=2) + "\n")
        return cast(str, kept[name])

    def private(self, name: str, make: Callable[[], str]) -> str:
        """What a file holds that is this stack's alone: made at the first call, then as it is."""
        file = self.path / name
        if not file.exists():
            _write_private(file, make())
        return file.read_text(encoding="utf-8")

    def environment(self, part: str) -> Mapping[str, str]:
        """What environment.json adds for one part: {"relay": {"NAME": "value"}}."""
        file = self.path / "environment.json"
        overrides = json.loads(file.read_text()) if file.exists() else {}
        return cast(Mapping[str, str], overrides.get(part, {}))

    def set_environment(self, part: str, environment: Mapping[str, str]) -> None:
        """Replace what environment.json adds for one part; it holds from the part's next start."""
        file = self.path / "environment.json"
        overrides = json.loads(file.read_text()) if file.exists() else {}
        _write_private(file, json.dumps(overrides | {part: dict(environment)}, indent=2) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for one stack. Raises AlreadyRunningError."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunningError(f"a stack is running on {self.path}") from None
            yield


def _write_private(file: Path, text: str) -> None:
    """Replace a file that only its owner may read, whole or not at all."""
    new = file.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    new.replace(file)
