"""The catalog as a gateway reads it, and the traffic that it sets."""

import psycopg
import pytest

from contract.errors import EtagMismatch, VersionNotServing
from database.registration import Registration, register_models
from gateway.release import Signature
from gateway.store.catalog import Catalog
from gateway.store.connections import Connections
from gateway.store.releases import TrafficStore
from rollout.store import ReleaseStore as Rollout
from tests.parts.catalog import register
from tests.parts.postgres import Database

ANNA = Signature(actor="anna", reason="why")


@pytest.fixture
def models(database: Database) -> None:
    register(database, {"sentiment": ["9", "10"], "genre": []})
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        Rollout(connection).set_version(
            "sentiment", "10", "SERVING", labels=["b", "a"], address="theirs:9"
        )


@pytest.fixture
async def catalog(models: None, connections: Connections) -> Catalog:
    catalog = Catalog(connections)
    await catalog.refresh()
    return catalog


def test_each_version_has_its_labels_and_its_server(catalog: Catalog) -> None:
    assert list(catalog.models) == ["genre", "sentiment"]
    model = catalog.models["sentiment"]
    assert list(model.versions) == ["10", "9"]
    assert (model.labels_of("10"), model.address_of("10")) == (["b", "a"], "theirs:9")
    assert (model.labels_of("9"), model.address_of("9")) == (model.labels, "unused:1")
    assert (model.labels_of("8"), model.address_of("8")) == (model.labels, "unused:1")
    assert [model.serves(version) for version in ("10", "9", "8")] == [True, True, False]


async def test_only_registered_models_are_listed(catalog: Catalog, database: Database) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        kept = Registration(
            id="genre", description="new", labels=["x"], address="h:2", feature_share=0.25
        )
        register_models(connection, [kept])
    await catalog.refresh()
    assert list(catalog.models) == ["genre"]
    model = catalog.models["genre"]
    assert (model.description, model.address, model.feature_share) == ("new", "h:2", 0.25)


async def test_clients_are_told_the_labels_of_what_serves(
    catalog: Catalog, connections: Connections, database: Database
) -> None:
    declared = catalog.models["sentiment"].labels
    releases = TrafficStore(connections)
    for shares, labels in (
        ({"9": 6_000, "10": 4_000}, declared),
        ({"9": 4_000, "10": 6_000}, ["b", "a"]),
    ):
        await releases.set_shares("sentiment", shares, ANNA, etag="")
        await catalog.refresh()
        assert catalog.models["sentiment"].labels == labels
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        to_come = Registration(
            id="sentiment", description="", labels=["a", "b", "c"], address="h:2"
        )
        register_models(connection, [to_come])
    await catalog.refresh()
    assert catalog.models["sentiment"].labels == ["b", "a"]


async def test_a_split_is_set_and_noted(catalog: Catalog, connections: Connections) -> None:
    releases = TrafficStore(connections)
    await releases.set_shares("sentiment", {"9": 5_951, "10": 4_049}, ANNA, etag="")
    await catalog.refresh()
    model = catalog.models["sentiment"]
    assert model.traffic == {"9": 5_951, "10": 4_049}
    assert model.percent == {"9": 60, "10": 40}
    (release,) = await releases.list("sentiment", before_id=None, limit=10)
    noted = (release.action, release.actor, release.reason, release.state, release.shares)
    assert noted == ("SET_TRAFFIC", "anna", "why", "DONE", model.traffic)
    with pytest.raises(EtagMismatch):
        await releases.set_shares("sentiment", {"9": 10_000}, ANNA, etag="stale")
    await releases.set_shares("sentiment", {"9": 10_000}, ANNA, etag=model.etag)


async def test_a_split_with_a_version_that_does_not_serve_changes_nothing(
    catalog: Catalog, connections: Connections
) -> None:
    releases = TrafficStore(connections)
    with pytest.raises(VersionNotServing):
        await releases.set_shares("sentiment", {"9": 6_000, "8": 4_000}, ANNA, etag="")
    assert await releases.list("sentiment", before_id=None, limit=10) == []
