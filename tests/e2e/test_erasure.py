"""Erased means erased: its text is nowhere, and nothing of it is in the features."""

import math
from typing import Any

import psycopg
from predict.v1.prediction_service_pb2 import (
    CreatePredictionRequest,
    DeletePredictionRequest,
    PredictRequest,
    WaitPredictionRequest,
)

from tests.e2e.feature_rows import read_row
from tests.e2e.mesh import Mesh
from tests.parts.polling import wait_until

TEXT = "golden words that a person wrote: Zwölf Boxkämpfer jagen Viktor"


def test_an_erased_text_is_in_no_table_object_or_log(mesh: Mesh) -> None:
    now = mesh.grpc.call("Predict", PredictRequest(model="sentiment", text=TEXT)).message.prediction
    accepted = mesh.rest.call(
        "CreatePrediction", CreatePredictionRequest(model="sentiment", text=TEXT)
    ).message.prediction
    later = mesh.grpc.call(
        "WaitPrediction", WaitPredictionRequest(id=accepted.id, timeout={"seconds": 100})
    ).message.prediction
    for prediction in (now, later):
        assert read_row(mesh, prediction.features_uri)["prediction_id"] == prediction.id
    assert tables_with(mesh, TEXT)
    for door, prediction in ((mesh.rest, now), (mesh.grpc, later)):
        delete = DeletePredictionRequest(id=prediction.id)
        assert door.call("DeletePrediction", delete).message.prediction.HasField("erase_time")
    assert tables_with(mesh, TEXT) == []
    for prediction in (now, later):
        wait_until(lambda: is_erased(read_row(mesh, prediction.features_uri)))  # noqa: B023
    needles = [TEXT.encode(), now.id.encode(), later.id.encode()]
    for place in (mesh.stack.home.path / "s3", mesh.stack.home.logs):
        files = [path for path in place.rglob("*") if path.is_file()]
        assert files
        for file in files:
            content = file.read_bytes()
            found = [
                needle for needle in needles[: 1 if place.name != "s3" else 3] if needle in content
            ]
            assert found == [], file.name


def is_erased(row: dict[str, Any]) -> bool:
    return row["prediction_id"] is None and all(map(math.isnan, row["features"]))


def tables_with(mesh: Mesh, text: str) -> list[str]:
    """Tables of all schemas, and statistics of columns, that say it in any column."""
    pattern = "|".join([text, text.encode().hex()])
    found = []
    for (table,) in mesh.query(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ):
        sql = psycopg.sql.SQL("SELECT FROM {} AS t WHERE t::text ~ %s LIMIT 1").format(
            psycopg.sql.SQL(table)
        )
        if mesh.query(sql, (pattern,)):  # type: ignore[arg-type]
            found.append(str(table))
    found += [
        f"statistics of {table}"
        for (table,) in mesh.query(
            "SELECT tablename FROM pg_stats AS s WHERE s::text ~ %s", (pattern,)
        )
    ]
    return found
