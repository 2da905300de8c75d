"""The one loader of SQL."""

import pytest

from database import named_sql

PLACES = [
    ("database", "queries.sql"),
    ("gateway.store", "queries.sql"),
    ("gateway.store", "catalog.sql"),
    ("gateway.store", "releases.sql"),
    ("relay", "queries.sql"),
    ("rollout", "queries.sql"),
    ("monitoring", "queries.sql"),
    ("training", "queries.sql"),
    ("annotation", "queries.sql"),
    ("model_runtime", "queries.sql"),
]


@pytest.mark.parametrize(("package", "filename"), PLACES)
def test_each_statement_says_what_it_is_for_and_is_one(package: str, filename: str) -> None:
    statements = named_sql.load(package, filename)
    assert statements
    for name, statement in statements.items():
        assert statement.startswith("-- "), name
        code = "\n".join(line.partition("--")[0] for line in statement.splitlines())
        assert code.strip(), name
        assert ";" not in code, name
