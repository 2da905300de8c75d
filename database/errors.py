"""What may be said of PostgreSQL's errors where people read it who may not read the rows."""

import psycopg


def said(error: psycopg.Error) -> str:
    """Of an error, without any value of a row or of a statement.

    PostgreSQL quotes these after the first line; of what it could not take, on that as well.
    """
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return f"{type(error).__name__}, SQLSTATE {error.sqlstate}"
    return str(error).partition("\n")[0]
