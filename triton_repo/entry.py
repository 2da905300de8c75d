"""What Triton runs of ours for every model: the files that lie beside an artifact there."""

import hashlib
from functools import cache
from pathlib import Path

from modelkit import loading
from triton_repo import config

FILES = {
    "model.py": Path(__file__).with_name("python_model.py"),  # Triton's backend looks for that name
    "loading.py": Path(loading.__file__),
}
"""Their names there -> where they are."""


@cache
def digest() -> str:
    """12 hexadecimal digits that change with these files, and with what config.pbtxt says."""
    both = hashlib.sha256()
    for file in (*FILES.values(), Path(config.__file__)):
        both.update(hashlib.sha256(file.read_bytes()).digest())
    return both.hexdigest()[:12]
