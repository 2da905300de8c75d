"""What PostgreSQL's errors mean to a client."""

import psycopg
import pytest
from psycopg import errors

from contract.errors import DeadlineExceeded, StoreUnavailable
from gateway.refusals import to_error

# https://www.postgresql.org/docs/current/errcodes-appendix.html
PASSING = {
    "08006": "the connection is lost",
    "25006": "it became a standby",
    "40001": "serialization failed",
    "40P01": "deadlock",
    "53100": "the disk is full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "a lock is not to be had",
    "57014": "a statement took too long",
    "57P01": "it is being stopped",
    "57P02": "it crashed",
    "57P03": "it starts",
    "58030": "the disk fails",
}
OURS = {"22P02": "no number", "23505": "twice", "42501": "no right", "42P01": "no table"}


@pytest.mark.parametrize("sqlstate", PASSING, ids=PASSING.get)
def test_what_passes_may_be_tried_again(sqlstate: str) -> None:
    assert isinstance(to_error(errors.lookup(sqlstate)("secret")), StoreUnavailable)


@pytest.mark.parametrize("sqlstate", OURS, ids=OURS.get)
def test_a_fault_of_ours_shows_nothing(sqlstate: str, caplog: pytest.LogCaptureFixture) -> None:
    error = to_error(errors.lookup(sqlstate)("secret"))
    assert not isinstance(error, StoreUnavailable)
    assert error.retry_delay_s is None
    assert "secret" not in str(error) + caplog.text


def test_a_connection_that_cannot_be_had_may_be_tried_again() -> None:
    for kind in (psycopg.OperationalError, errors.ConnectionTimeout):
        assert isinstance(to_error(kind("connection refused")), StoreUnavailable)


def test_a_timeout_is_the_callers() -> None:
    assert isinstance(to_error(TimeoutError()), DeadlineExceeded)
