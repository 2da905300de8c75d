"""Requests on their way through the worker."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from model_runtime.claims import Claim


@dataclass(slots=True)
class Work:
    """Requests with the receipts of the messages that brought them."""

    receipts: dict[str, list[str]]
    """By prediction id: a message may come more than once."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """By prediction id: what is ours."""
    asked: bool = False
    """Whether its server was asked with it: from then on it counts as an attempt."""

    def take(self, claims: Sequence[Claim]) -> None:
        """From now on this work is what was claimed."""
        self.claims = {claim.prediction_id: claim for claim in claims}
        self.receipts = {key: self.receipts[key] for key in self.claims}

    def any_claim(self) -> Claim | None:
        """One of those that are ours; all are alike where they are of one version."""
        return next(iter(self.claims.values()), None)

    def by_version(self) -> "list[Work]":
        """The same in parts, each of one version."""
        claims: defaultdict[str, dict[str, Claim]] = defaultdict(dict)
        for key, claim in self.claims.items():
            claims[claim.version][key] = claim
        return [Work({key: self.receipts[key] for key in part}, part) for part in claims.values()]

    def keep(self, ids: set[str]) -> None:
        """Others than these are no longer ours."""
        self.claims = {key: claim for key, claim in self.claims.items() if key in ids}

    def held_receipts(self) -> list[str]:
        """The receipts of what is still ours."""
        return self.receipts_of(self.claims)

    def all_receipts(self) -> list[str]:
        """Those of what was lost as well."""
        return self.receipts_of(self.receipts)

    def receipts_of(self, ids: Iterable[str]) -> list[str]:
        """Those of some of it."""
        return [receipt for key in ids for receipt in self.receipts[key]]
