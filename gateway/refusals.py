"""What any exception means to a client: the errors of libraries in the contract's words."""

import logging

import psycopg
from google.rpc import status_pb2
from psycopg import errors

from contract import status
from contract.errors import DeadlineExceeded, PredictError, StoreUnavailable

log = logging.getLogger(__name__)

_INTERNAL = "an internal error; the log of the gateway has the details"


def to_status(error: BaseException) -> status_pb2.Status:
    """What a client sees of an exception; what it does not show is logged."""
    return status.to_status(to_error(error))


def to_error(error: BaseException) -> PredictError:
    """The contract's error for an exception; INTERNAL with a fixed text for an unexpected one."""
    if isinstance(error, PredictError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded()
    # Read-only is what became of a primary that has another one beside it now.
    if isinstance(error, psycopg.OperationalError | errors.ReadOnlySqlTransaction):
        log.warning("the database does not answer: %s", type(error).__name__)
        return StoreUnavailable()
    if isinstance(error, psycopg.Error):
        # Only its kind: PostgreSQL's message may quote what was to be written.
        log.error("unexpected %s, SQLSTATE %s", type(error).__name__, error.sqlstate)
    else:
        log.error("unexpected %s", type(error).__name__, exc_info=error)
    return PredictError(_INTERNAL)
