"""What rows of features cost answers made now: small models, each beside itself without them."""

from collections.abc import Iterator

from benchmarks import questions
from benchmarks.against.lines import Line
from benchmarks.against.turns import NEW, OLD, Turn, order, take_turn
from benchmarks.checkout import Checkout
from benchmarks.h2load import Call, call_grpc
from benchmarks.mesh import Mesh

WIDTHS = (64, 768)
"""Floats in a row: those of the model that comes with the product, and of a common encoder."""
KINDS = {OLD: "without", NEW: "with"}
"""The sides that are compared -> how the names of their models start."""
MODELS = tuple(f"{kind}{width}" for kind in KINDS.values() for width in WIDTHS)
IN_FLIGHT = 64


def set_widths(checkout: Checkout) -> None:
    """Make the small models of a checkout those that are compared."""
    for side, kind in KINDS.items():
        for width in WIDTHS:
            folder = checkout.path / "models" / f"{kind}{width}"
            code, values = folder / "model.py", folder / "values.yaml"
            code.write_text(code.read_text().replace("FEATURES = 16", f"FEATURES = {width}"))
            if side == OLD:
                values.write_text(f"{values.read_text()}feature_share: 0\n")


def take_turns(mesh: Mesh, text: str, *, pairs: int, seconds: int) -> Iterator[Turn]:
    """Every width with and without, again and again."""
    for pair in range(pairs):
        for position, width in enumerate(WIDTHS):
            for side in order(pair, position):
                line = _line(mesh, width, f"{KINDS[side]}{width}", text)
                yield take_turn(mesh, line, side, pair=pair, seconds=seconds)


def _line(mesh: Mesh, width: int, model: str, text: str) -> Line:
    message = questions.predict_message(text, model=model)
    call = Call(mesh.gateway, questions.PREDICT, message)
    return Line(
        name=f"{width} floats",
        load=lambda _, seconds: call_grpc([call], in_flight=IN_FLIGHT, amount=f"-D{seconds}"),
    )
