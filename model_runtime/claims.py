"""Claims on requests, by the functions that PostgreSQL publishes to workers."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg_pool import AsyncConnectionPool

from database import named_sql

_SQL = named_sql.load("model_runtime")


class Claim(NamedTuple):
    """A request that is ours for the length of the lease."""

    prediction_id: str
    version: str
    token: str
    """Proves to whom it is shown that the request was ours; the answer carries it."""
    text: str
    labels: Sequence[str] | None
    """In the order of the version's scores; None if the catalog does not serve the version."""
    address: str
    """Of the server that answers for the version; "" without labels."""
    attempt: int = 1
    """The how manieth claim of the request this is."""


class ClaimOutcome(NamedTuple):
    """What became of ids. Those in none are being worked on by another worker."""

    claimed: list[Claim]
    finished: set[str]
    """Nothing is to be done for these."""
    alone: list[str]
    """These were tried before; each is to be claimed by itself."""


class Claims:
    """The claims of one model's worker. Every method raises psycopg.Error."""

    def __init__(self, *, pool: AsyncConnectionPool, lease_s: int, max_attempts: int) -> None:
        """pool: of the model's own login."""
        self._pool = pool
        self._lease_s = lease_s
        self._max_attempts = max_attempts

    async def model(self) -> str:
        """Which model the login is for."""
        async with self._pool.connection() as connection:
            ((model,),) = await (await connection.execute(_SQL["model"])).fetchall()
        return str(model)

    async def claim(self, ids: Sequence[str]) -> ClaimOutcome:
        """Claim what may be worked on."""
        limits = {"lease_s": self._lease_s, "max_attempts": self._max_attempts}
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SQL["claim"], {"ids": list(ids), **limits})
            rows = await cursor.fetchall()
        outcome = ClaimOutcome([], set(), [])
        for prediction_id, what, *claim in rows:
            if what == "claimed":
                outcome.claimed.append(Claim(prediction_id, *claim))
            elif what == "finished":
                outcome.finished.add(prediction_id)
            elif what == "alone":
                outcome.alone.append(prediction_id)
        return outcome

    async def extend(self, claims: Iterable[Claim]) -> set[str]:
        """Renew the leases. Answers the ids that are still ours."""
        return await self._extend(claims, self._lease_s)

    async def release(self, claims: Iterable[Claim], *, pause_s: int, untried: bool) -> None:
        """Give claims back, so that any worker may have them in pause_s seconds.

        untried: the model was not asked with them, so that they do not count as attempts.
        """
        await self._extend(claims, pause_s, untried=untried)

    async def _extend(
        self, claims: Iterable[Claim], lease_s: int, *, untried: bool = False
    ) -> set[str]:
        tokens = {claim.prediction_id: claim.token for claim in claims}
        given = {
            "ids": list(tokens),
            "tokens": list(tokens.values()),
            "lease_s": lease_s,
            "untried": untried,
        }
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_SQL["extend"], given)).fetchall()
        return {prediction_id for (prediction_id,) in rows}
