"""The machine that the figures are of."""

import os
import platform
from pathlib import Path

import psutil


def describe() -> dict[str, str]:
    """What a reader needs to compare figures."""
    load = " ".join(f"{average:.1f}" for average in os.getloadavg())
    return {
        "processor": f"{psutil.cpu_count()} x {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load average": f"{load} (1, 5 and 15 minutes, when the benchmark began)",
    }


def _processor() -> str:
    names = (
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    return next(names, platform.machine())
