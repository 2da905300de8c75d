"""Short forms of what the tests ask servers."""

from collections.abc import Sequence

from contract.errors import ModelFailed
from inference.answers import Answers
from inference.output import Output
from inference.server import ModelServer
from tests.parts.words import LABELS, POISON


async def ask(
    address: str,
    texts: Sequence[str],
    *,
    model: str = "words",
    version: str = "1",
    features: bool = False,
    timeout_s: float = 20,
) -> Answers:
    """Through a connection of its own, as the gateway and the workers do it."""
    async with ModelServer(address) as server:
        return await server.predict(
            model,
            version,
            texts,
            labels=LABELS,
            features=features,
            timeout_s=timeout_s,
        )


def with_poison(count: int, *bad: int) -> list[str]:
    """So many texts, all different, of which these make the model fail."""
    return [f"{POISON} {n}" if n in bad else "good " * (n % 5) + str(n) for n in range(count)]


def failed(answers: Answers) -> list[int]:
    """Which texts have no answer."""
    return [n for n, output in enumerate(answers.outputs) if isinstance(output, ModelFailed)]


def values(answers: Answers) -> list[float | None]:
    """Of each text; None where the model failed."""
    return [o.value if isinstance(o, Output) else None for o in answers.outputs]
