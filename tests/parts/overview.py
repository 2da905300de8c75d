"""HLD's overview as D2 drew it: each group of the SVG is called by the part or the arrow in it."""

import re
from base64 import b64decode
from html import unescape
from pathlib import Path
from typing import NamedTuple

DIAGRAMS = Path(__file__).parents[2] / "HLD" / "diagrams"
_CLASS = re.compile(r'<g class="(?!shape")([^" ]+)')
"""The name, in base64."""
_ARROW = re.compile(r"(?:(.+)\.)?\((\S+) (\S+) (\S+)\)\[\d+\]")


class Overview(NamedTuple):
    """Parts by namespace and name, as istio/services.yaml has them; others as "outside/NAME"."""

    parts: list[str]
    """What nothing is drawn in."""
    arrows: list[tuple[str, str, str]]
    """From, kind, to."""


def read_overview() -> Overview:
    """As it is committed."""
    picture = (DIAGRAMS / "overview.svg").read_text()
    names = [unescape(b64decode(name).decode()) for name in _CLASS.findall(picture)]
    boxes, arrows = [], []
    for name in names:
        if arrow := _ARROW.fullmatch(name):
            within, one, kind, other = arrow.groups(default="")
            arrows.append((_part(within, one), kind, _part(within, other)))
        else:
            boxes.append(_part("", name))
    outer = {box.rpartition("/")[0] for box in boxes}
    return Overview([box for box in boxes if box not in outer | {"mesh"}], arrows)


def _part(within: str, name: str) -> str:
    path = f"{within}.{name}" if within else name
    return path.replace('"', "").removeprefix("mesh.").replace(".", "/")
