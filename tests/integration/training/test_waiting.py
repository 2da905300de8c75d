"""How many trainings wait, as it is told: during one that takes long, and without the database."""

import os
import socket
import subprocess
import sys
from urllib.request import urlopen

import psycopg

from database.logins import TRAINING
from tests.parts.catalog import PASSWORD, environment, register
from tests.parts.polling import wait_until
from tests.parts.ports import free_port, listens
from tests.parts.postgres import Database
from training.store import TrainingStore

SOON = """
import sys, training.__main__, training.retraining
training.retraining.LOOK_S = 0.1
sys.argv = ["training", "watch"]
training.__main__.main()
"""


def waiting(port: int) -> list[float]:
    """None, or one figure."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return [float(line.split()[1]) for line in lines if line.startswith("pmesh_trainings_waiting")]


def test_what_waits_is_told_as_it_is_now_or_not(database: Database) -> None:
    register(database, {"sentiment": ["1"], "genre": ["1"]})
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        psycopg.connect(database.conninfo, autocommit=True) as owner,
    ):
        variables = {
            **os.environ,
            **environment(database, TRAINING),
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "PMESH_TRAINING_METRICS_PORT": str(port),
            "PMESH_TRAINING_POLL_S": "0.1",
        }
        process = subprocess.Popen((sys.executable, "-P", "-c", SOON), env=variables)
        try:
            wait_until(lambda: listens(port))
            wait_until(lambda: waiting(port) == [0])
            with psycopg.connect(
                database.conninfo, user=TRAINING.name, password=PASSWORD, autocommit=True
            ) as connection:
                store = TrainingStore(connection)
                store.request("sentiment", "anna")
                wait_until(lambda: store.newest(1)[0].state == "RUNNING")
                store.request("genre", "anna")
                wait_until(lambda: waiting(port) == [1])
            owner.execute(f"ALTER ROLE {TRAINING.name} NOLOGIN".encode())
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                (TRAINING.name,),
            )
            wait_until(lambda: waiting(port) == [])
        finally:
            process.terminate()
            process.wait(60)
            owner.execute(f"ALTER ROLE {TRAINING.name} LOGIN".encode())
