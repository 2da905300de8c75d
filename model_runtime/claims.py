"""Claims on requests, by the two functions that PostgreSQL publishes to runtimes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

_CLAIM = """
SELECT id, outcome, version, attempt, text
FROM claim_requests(%s, %s::uuid[], make_interval(secs => %s), %s)
"""
_EXTEND = "SELECT extend_claims(%s, %s::uuid[], %s::integer[], make_interval(secs => %s))"


class Claim(NamedTuple):
    """A request that is ours for the length of the lease."""

    prediction_id: str
    version: str
    attempt: int
    text: str


class ClaimOutcome(NamedTuple):
    """What became of ids. Those in none are being worked on by another runtime."""

    claimed: list[Claim]
    finished: set[str]
    """Nothing is to be done for these."""
    alone: list[str]
    """These were tried before; each is to be claimed by itself."""


class Claims:
    """The claims of one model's runtime. Every method raises psycopg.Error."""

    def __init__(
        self, *, pool: AsyncConnectionPool, model: str, lease_s: int, max_attempts: int
    ) -> None:
        self._pool = pool
        self._model = model
        self._lease_s = lease_s
        self._max_attempts = max_attempts

    async def claim(self, ids: Sequence[str]) -> ClaimOutcome:
        """Claim what may be worked on."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _CLAIM, (self._model, list(ids), self._lease_s, self._max_attempts)
            )
            rows = await cursor.fetchall()
        outcome = ClaimOutcome([], set(), [])
        for prediction_id, what, version, attempt, text in rows:
            if what == "claimed":
                outcome.claimed.append(Claim(str(prediction_id), version, attempt, text))
            elif what == "finished":
                outcome.finished.add(str(prediction_id))
            elif what == "alone":
                outcome.alone.append(str(prediction_id))
        return outcome

    async def extend(self, claims: Iterable[Claim]) -> set[str]:
        """Renew the leases. Answers the ids that are still ours."""
        return await self._extend(claims, self._lease_s)

    async def release(self, claims: Iterable[Claim]) -> None:
        """Give claims back, so that another runtime may have them at once."""
        await self._extend(claims, 0)

    async def _extend(self, claims: Iterable[Claim], lease_s: int) -> set[str]:
        attempts = {claim.prediction_id: claim.attempt for claim in claims}
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                _EXTEND, (self._model, list(attempts), list(attempts.values()), lease_s)
            )
            rows: list[tuple[UUID]] = await cursor.fetchall()
        return {str(prediction_id) for (prediction_id,) in rows}
