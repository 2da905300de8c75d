"""Which models may be listed."""

import psycopg
import pytest

from contract.alert_rules import read_rules
from database.registration import Change, Registration, register_models
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


def test_a_models_rules_of_alerts_are_those_of_its_last_registration(database: Database) -> None:
    drift = {"name": "drift", "metric": "label_drift", "above": 0.1}
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        for said, change in (
            ([], Change.LISTED),
            ([drift], Change.CHANGED),
            ([drift], Change.UNCHANGED),
            ([], Change.CHANGED),
        ):
            rules = read_rules(said, ["a"])
            model = Registration(
                id="mood", description="", labels=["a"], address="unused:1", alerts=rules
            )
            assert register_models(connection, [model]) == {"mood": change}
            ((kept,),) = connection.execute("SELECT alert_rules FROM models").fetchall()
            assert read_rules(kept, ["a"]) == rules
