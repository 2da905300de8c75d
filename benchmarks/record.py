"""What PostgreSQL holds, looked at from outside: whether answers are durable and work is done."""

import time

import psycopg

_POLL_S = 0.1


class Record:
    """The gateway's tables."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)

    def predictions(self) -> int:
        """Finished predictions that are kept."""
        return self._count("SELECT count(*) FROM predictions")

    def unfinished(self) -> int:
        """Accepted predictions that are not finished."""
        return self._count("SELECT count(*) FROM requests WHERE state IN ('ACCEPTED', 'RUNNING')")

    def failed(self) -> int:
        """Predictions that were given up."""
        return self._count("SELECT count(*) FROM requests WHERE state IN ('FAILED', 'EXPIRED')")

    def settle(self, *, limit_s: float = 60) -> None:
        """Wait until every event is published, so that no run works in the time of the next."""
        until = time.monotonic() + limit_s
        while self._count("SELECT count(*) FROM outbox") and time.monotonic() < until:
            time.sleep(_POLL_S)

    def _count(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])
