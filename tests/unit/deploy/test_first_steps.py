"""That a fresh cluster gets what it needs in the order in which the pages tell it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "istio/README.md"


def test_istio_has_its_kinds_before_its_control_plane_and_that_before_our_objects() -> None:
    commands = re.findall(r"^(?:helm|kubectl) .*", PAGE.read_text(), re.MULTILINE)
    starts = (
        "helm repo add istio ",
        "helm upgrade --install base istio/base ",
        "helm upgrade --install istiod istio/istiod ",
        "helm upgrade --install ingress istio/gateway ",
        "kubectl apply -k istio",
    )
    for command, start in zip(commands[: len(starts)], starts, strict=True):
        assert command.startswith(start)
