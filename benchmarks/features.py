"""What rows of features cost answers made now: models of two widths, each with and without them."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import questions
from benchmarks.against.ratios import median_ratio
from benchmarks.bootstrap import Figure
from benchmarks.checkout import Checkout
from benchmarks.h2load import Call, call_grpc
from benchmarks.processes import measure, wait_until_idle
from benchmarks.stack import RunningStack

WIDTHS = (64, 768)
"""Floats in a row: those of the model that comes with the product, and of a common encoder."""
MODELS = tuple(f"{kind}{width}" for width in WIDTHS for kind in ("with", "without"))
IN_FLIGHT = 64


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One load on one model."""

    model: str
    rate: float
    """Answers a second."""
    cpu_s_per_1000: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """With features, as a share of without."""

    width: int
    rate: Figure
    cpu: Figure


def set_widths(checkout: Checkout) -> None:
    """Make the small models of a checkout those that are compared."""
    for model in MODELS:
        folder = checkout.path / "models" / model
        code, values = folder / "model.py", folder / "values.yaml"
        width = model.removeprefix("without").removeprefix("with")
        code.write_text(code.read_text().replace("FEATURES = 16", f"FEATURES = {width}"))
        if model.startswith("without"):
            values.write_text(f"{values.read_text()}feature_share: 0\n")


def take_turns(stack: RunningStack, text: str, *, pairs: int, seconds: int) -> Iterator[Turn]:
    """Each model again and again; who of two comes first changes."""
    for pair in range(pairs):
        for model in MODELS if pair % 2 else reversed(MODELS):
            call = Call(
                stack.gateway, questions.PREDICT, questions.predict_message(text, model=model)
            )
            call_grpc([call], in_flight=IN_FLIGHT, amount="-D1")  # warm
            parts = stack.parts()
            wait_until_idle(parts)
            with measure(parts) as usage:
                load = call_grpc([call], in_flight=IN_FLIGHT, amount=f"-D{seconds}")
                wait_until_idle(parts)
            cpu_s = sum(usage.cpu_s.values())
            yield Turn(model=model, rate=load.rate, cpu_s_per_1000=cpu_s / load.answers * 1000)


def costs(turns: list[Turn]) -> list[Cost]:
    """For each width, over the pairs."""
    by_model = {model: [turn for turn in turns if turn.model == model] for model in MODELS}
    return [
        Cost(
            width=width,
            rate=median_ratio(
                [turn.rate for turn in by_model[f"with{width}"]],
                [turn.rate for turn in by_model[f"without{width}"]],
            ),
            cpu=median_ratio(
                [turn.cpu_s_per_1000 for turn in by_model[f"with{width}"]],
                [turn.cpu_s_per_1000 for turn in by_model[f"without{width}"]],
            ),
        )
        for width in WIDTHS
    ]
