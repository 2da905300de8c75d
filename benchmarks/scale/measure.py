"""One load on a running stack, and what it took of each part."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from predict.v1.prediction_service_pb2 import CreatePredictionRequest

from benchmarks.h2load import Call, call_grpc
from benchmarks.later import CREATE
from benchmarks.load import Load
from benchmarks.processes import Parts, measure
from benchmarks.questions import MODEL, PREDICT, predict_message
from benchmarks.record import Record

FINISH_S = 300.0
WARM_UP_S, REST_S = 2, 10
TEXT = "What a wonderful surprise, I did not think that it would end so well. " * 3
"""Of 210 bytes: a sentence or two, as reviews and messages have."""


Rest = Mapping[str, float]
"""What each part takes in a second while nobody asks: health checks and looks for work."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one load, for each prediction; seconds of CPU by part, without those at rest."""

    load: Load
    foreign_share: float
    cpu_s: Mapping[str, float]
    commits: float
    wal_bytes: float
    stored_bytes: float
    """What the database has grown by, indexes included."""


class Scale:
    """A running stack, under one load after the other."""

    def __init__(self, conninfo: str, parts: Parts, gateway: str) -> None:
        self._conninfo = conninfo
        self._parts = parts
        self._gateway = gateway
        self.rest = _at_rest(parts)

    def now(self, *, in_flight: int, seconds: int) -> Cost:
        """Predictions that are answered at once."""
        call = Call(self._gateway, PREDICT, predict_message(TEXT))
        call_grpc([call], in_flight=in_flight, amount=f"-D{WARM_UP_S}")
        return self._measure(call, in_flight=in_flight, amount=f"-D{seconds}")

    def later(self, *, count: int, in_flight: int) -> Cost:
        """As many that go over the bus."""
        message = CreatePredictionRequest(model=MODEL, text=TEXT).SerializeToString()
        call = Call(self._gateway, CREATE, message)
        return self._measure(call, in_flight=in_flight, amount=f"-n{count}")

    def _measure(self, call: Call, *, in_flight: int, amount: str) -> Cost:
        record = Record(self._conninfo)
        _wait_until_done(record)
        before, began = _database(self._conninfo), time.monotonic()
        with measure(self._parts) as usage:
            load = call_grpc([call], in_flight=in_flight, amount=amount)
            _wait_until_done(record)
        took_s = time.monotonic() - began
        used = {part: s - took_s * self.rest[part] for part, s in usage.cpu_s.items()}
        return _cost(load, used, usage.foreign_share, before, _database(self._conninfo))


def _cost(
    load: Load,
    used: Mapping[str, float],
    foreign_share: float,
    before: tuple[int, ...],
    after: tuple[int, ...],
) -> Cost:
    commits, wal, size = ((a - b) / load.answers for a, b in zip(after, before, strict=True))
    return Cost(
        load=load,
        foreign_share=foreign_share,
        cpu_s={part: seconds / load.answers for part, seconds in used.items()},
        commits=commits,
        wal_bytes=wal,
        stored_bytes=size,
    )


def _at_rest(parts: Parts) -> Rest:
    with measure(parts) as usage:
        time.sleep(REST_S)
    return {part: used / REST_S for part, used in usage.cpu_s.items()}


def _wait_until_done(record: Record) -> None:
    until = time.monotonic() + FINISH_S
    while record.unfinished() and time.monotonic() < until:
        time.sleep(0.2)
    record.settle()
    time.sleep(1.5)  # backends tell of their commits once a second


def _database(conninfo: str) -> tuple[int, int, int]:
    query: LiteralString = (
        "SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,"
        " pg_database_size(datname) FROM pg_stat_database WHERE datname = current_database()"
    )
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])
