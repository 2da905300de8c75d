"""How many there are of the parts that may be several, and how they are called."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """Of each kind of part."""

    gateways: int = 1
    relays: int = 1
    workers: int = 1
    """Of the first model; the others have one each."""
    tritons: int = 1

    @property
    def most(self) -> int:
        """Of any program."""
        return max(self.gateways, self.relays, self.workers)


ALONE = Replicas()
SIDE_BY_SIDE = Replicas(gateways=2, relays=2, workers=3, tritons=2)
"""What `pmesh up --replicas` starts: what holds for these holds for many."""


def numbered(part: str, count: int) -> tuple[str, ...]:
    """The names of so many: relay, or relay-1, relay-2, ..."""
    return (part,) if count == 1 else tuple(f"{part}-{n}" for n in range(1, count + 1))
