"""Word of new requests, from the transactions that accept them."""

from collections.abc import Callable

import psycopg

from database.connections import bounded


async def listen(on_outbox: Callable[[], None]) -> None:
    """Call `on_outbox` for each commit that has put requests into the outbox, until cancelled.

    Word may be lost with the connection: whoever is told must look by itself as well.
    Raises psycopg.OperationalError when the connection is lost.
    """
    async with await psycopg.AsyncConnection.connect(bounded(), autocommit=True) as connection:
        await connection.execute("LISTEN outbox")
        on_outbox()
        async for _ in connection.notifies():
            on_outbox()
