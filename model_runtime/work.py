"""Requests on their way through the worker."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bus.deliveries import Delivery
from model_runtime.claims import Claim
from telemetry.trace_context import TraceContext


@dataclass(slots=True)
class Work:
    """Requests with the deliveries of the messages that brought them."""

    deliveries: Mapping[str, Sequence[Delivery]]
    """By prediction id: a message may come more than once."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """By prediction id: what is ours."""
    asked: bool = False
    """Whether its server was asked with it: from then on it counts as an attempt."""

    def take(self, claims: Sequence[Claim]) -> None:
        """From now on this work is what was claimed."""
        self.claims = {claim.prediction_id: claim for claim in claims}
        self.deliveries = {key: self.deliveries[key] for key in self.claims}
        for claim in claims:
            for delivery in self.deliveries[claim.prediction_id]:
                delivery.span.set("pmesh.version", claim.version)
                delivery.span.set("pmesh.attempt", claim.attempt)

    def any_claim(self) -> Claim | None:
        """One of those that are ours; all are alike where they are of one version."""
        return next(iter(self.claims.values()), None)

    def by_version(self) -> "list[Work]":
        """The same in parts, each of one version."""
        claims: defaultdict[str, dict[str, Claim]] = defaultdict(dict)
        for key, claim in self.claims.items():
            claims[claim.version][key] = claim
        return [Work({key: self.deliveries[key] for key in part}, part) for part in claims.values()]

    def keep(self, ids: set[str]) -> None:
        """Others than these are no longer ours."""
        self.claims = {key: claim for key, claim in self.claims.items() if key in ids}

    def held_receipts(self) -> list[str]:
        """The receipts of what is still ours."""
        return self.receipts_of(self.claims)

    def all_receipts(self) -> list[str]:
        """Those of what was lost as well."""
        return self.receipts_of(self.deliveries)

    def receipts_of(self, ids: Iterable[str]) -> list[str]:
        """Those of some of it."""
        return [delivery.receipt for key in ids for delivery in self.deliveries[key]]

    def contexts(self, ids: Iterable[str]) -> list[TraceContext | None]:
        """What each of these is part of, by the first delivery of each."""
        return [self.deliveries[key][0].context for key in ids]

    def context_of(self) -> dict[str, TraceContext | None]:
        """The same for all, by prediction id."""
        return dict(zip(self.deliveries, self.contexts(self.deliveries), strict=True))

    def only(self) -> dict[str, str]:
        """What a line of the log says of a request that is alone; nothing of several."""
        if len(self.deliveries) != 1:
            return {}
        ((prediction_id, (delivery, *_)),) = self.deliveries.items()
        return {"prediction_id": prediction_id, "trace_id": delivery.trace_id}

    def fail(self, error: str, ids: Iterable[str] | None = None) -> None:
        """Have the spans of all, or of these, say why they failed, as Span.fail."""
        for key in self.deliveries if ids is None else ids:
            for delivery in self.deliveries[key]:
                delivery.span.fail(error)

    def end(self) -> None:
        """It is done with, or others may have it."""
        end_all(self.deliveries.values())


def end_all(deliveries: Iterable[Sequence[Delivery]]) -> None:
    """End the deliveries of some requests."""
    for each in deliveries:
        for delivery in each:
            delivery.end()
