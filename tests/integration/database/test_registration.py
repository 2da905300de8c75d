"""Which models may be listed."""

import psycopg
import pytest

from database.registration import Registration, register_models
from tests.parts.postgres import Database


@pytest.mark.parametrize(
    ("labels", "why"),
    [([], "^mood: a model has at least one label"), (["a", "a"], "^mood: labels are there twice")],
)
def test_a_model_whose_labels_cannot_be_told_apart_is_not_listed(
    database: Database, labels: list[str], why: str
) -> None:
    model = Registration(id="mood", description="", labels=labels, address="unused:1")
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        with pytest.raises(ValueError, match=why):
            register_models(connection, [model])
        assert connection.execute("SELECT FROM models").rowcount == 0
