"""A real S3 server for tests: rclone, on a directory."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens

KEY, SECRET = "test", "test"
BUCKET = "predict-features"


class S3:
    """Buckets are directories."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="s3-")
        self.directory = Path(self._scratch.name)
        (self.directory / BUCKET).mkdir()
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self._port}"}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._scratch.cleanup()

    def start(self) -> None:
        rclone = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", str(self.directory)]
        options = ["--addr", f"127.0.0.1:{self._port}", "--auth-key", f"{KEY},{SECRET}"]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *rclone, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: listens(self._port))

    def locate(self, uri: str) -> tuple[Path, int]:
        """The file and the row of "s3://bucket/key#row=N"."""
        key, _, row = uri.removeprefix("s3://").partition("#row=")
        return self.directory / key, int(row)

    def stop(self) -> None:
        """What is in the buckets stays."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
