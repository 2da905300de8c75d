"""Takes spans, in a process of its own, until its input ends; then says how many, by service."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.parts.otlp_receiver import receiving_spans


class Receiver:
    """As who starts it sees it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process = process
        self.endpoint = process.stdout.readline().strip()

    def stop(self) -> Mapping[str, int]:
        """How many spans have come, by service."""
        said, _ = self._process.communicate()
        counts: dict[str, int] = json.loads(said)
        return counts


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Start it; it ends with the block."""
    process = subprocess.Popen(
        (sys.executable, "-m", "benchmarks.otlp_receiver"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Receiver(process)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Take them."""
    with receiving_spans() as receiving:
        print(receiving.endpoint, flush=True)
        sys.stdin.read()
        print(json.dumps(Counter(span.service for span in receiving.spans)))


if __name__ == "__main__":
    main()
