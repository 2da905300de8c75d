"""Load by REST. One connection for each call in flight."""

import json
import re
from pathlib import Path

from benchmarks.load import Load, LoadFailedError, run_tool

_POST = Path(__file__).with_name("post.lua")


def post_json(url: str, bodies: Path, *, in_flight: int, seconds: float, token: str = "") -> Load:
    """Post the lines of a file in turn, for so long. Raises LoadFailedError.

    token: the caller's; "" for none.
    """
    output = run_tool(
        *("wrk", "-t1", f"-c{in_flight}", f"-d{seconds:.0f}s", "--timeout", "20s"),
        *("-s", str(_POST), url, "--", str(bodies), *([token] if token else [])),
    )
    result = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if result is None:
        raise LoadFailedError(f"wrk: {output[-400:]}")
    return Load(**json.loads(result[1]))
