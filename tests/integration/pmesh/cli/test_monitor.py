"""`pmesh monitor`, on the stack's own PostgreSQL and monitoring."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pmesh.stack.environment import base_environment
from pmesh.stack.home import Home
from pmesh.stack.local import LocalStack, port_names
from pmesh.stack.model_list import read_model_list
from pmesh.stack.ports import assign_ports
from pmesh.stack.postgres import DATABASE, OWNER
from pmesh.stack.processes import start_time
from pmesh.stack.status import PartStatus, StackStatus, State, write_status
from pmesh.stack.supervisor import Supervisor
from tests.integration.pmesh.stack.waiting import wait_for
from tests.parts.observed import Observed, observe

HOUR = timedelta(hours=1)
NOBODYS = "0199f2d0-0000-7000-8000-000000000001"
"""An id that nothing has."""
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


@asynccontextmanager
async def running(home: Home) -> AsyncIterator[tuple[str, str]]:
    """A stack of two parts; gives the owner's connection string, and where the metrics are."""
    ports = assign_ports(home.ports, port_names(read_model_list()))
    stack = LocalStack(
        home,
        gateway_port=8080,
        ports=ports,
        models=read_model_list(),
        environment=base_environment(),
    )

    def note(parts: list[PartStatus]) -> None:
        write_status(
            home.status,
            StackStatus(
                pid=os.getpid(),
                started=start_time(os.getpid()),
                state=State.READY,
                gateway_port=8080,
                ports=dict(ports),
                failed=[],
                parts=parts,
            ),
        )

    parts = [part for part in stack.parts() if part.name in ("postgres", "monitoring")]
    supervisor = Supervisor(
        parts, log=home.log, environment=home.environment, changed=lambda found: note([*found])
    )
    await supervisor.start()
    try:
        await wait_for(supervisor, "monitoring", lambda part: part.state is State.READY)
        owner = make_conninfo(
            host="127.0.0.1",
            port=ports["postgres"],
            dbname=DATABASE,
            user=OWNER,
            password=home.secret(f"postgres-{OWNER}"),
        )
        yield owner, f"http://127.0.0.1:{ports['monitoring-metrics']}/metrics"
    finally:
        await supervisor.stop()


async def monitor(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return await pmesh(home, "monitor", *arguments)


async def pmesh(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "pmesh.cli", *arguments, "--home", str(home.path))
    return await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "240"},
        check=False,
    )


async def test_figures_are_made_and_shown_and_a_reference_is_chosen(home: Home) -> None:
    async with running(home) as (owner, url):
        answer = await asyncio.to_thread(urlopen, url)
        assert answer.status == 200
        answer.close()
        with psycopg.connect(owner, autocommit=True) as connection:
            rows = [Observed(time=NOW - HOUR, truth="positive", tags={"app": "[red]"})] * 40
            observe(connection, rows)
            observe(connection, [Observed(time=NOW - 5 * HOUR, label="negative")] * 60, seed=1)

        shown = await monitor(home, "run")
        assert shown.returncode == 0, shown.stderr
        header, everything, *slices = shown.stdout.splitlines()
        assert header.split()[:3] == ["hour", "version", "slice"]
        assert everything.split()[2:5] == ["sentiment@1", "all", "40"]
        assert "1.00 (0.91 to 1.00)" in everything
        assert any("tag:app=[red]" in line for line in slices)

        nothing = await monitor(home, "reference", "sentiment")
        assert "compared with nothing yet" in nothing.stderr
        start, end = (f"{NOW + offset * HOUR:%Y-%m-%dT%H:%M:%S}" for offset in (-5, -4))
        chosen = await monitor(home, "reference", "sentiment", "--from", start, "--to", end)
        assert chosen.stdout.startswith("all versions   answers, ")
        assert "60 answers" in chosen.stdout
        again = await monitor(home, "run")
        assert "0.83 (" in again.stdout.splitlines()[1]  # the label: no two are alike

        for arguments, said in (
            (("reference", "nobody"), "there is no model 'nobody'"),
            (("reference", "sentiment", "--from", start), "both --from and --to"),
            (("reference", "sentiment", "--default", "--to", end), "--default has no window"),
            (("report", "genre"), "genre was not asked on"),
            (("report", "nobody"), "there is no model 'nobody'"),
        ):
            refused = await monitor(home, *arguments)
            assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr
        await see_to_alert(home)
        for command in (("retrain",), ("annotate", "agreement")):
            refused = await pmesh(home, *command, "sentimnt")
            assert refused.returncode == 1
            assert "there is no model 'sentimnt'" in refused.stderr


async def see_to_alert(home: Home) -> None:
    """All answers are other ones than those of the reference: a rule of the model says so."""
    for arguments in ((), ("sentiment",), ("list", "sentiment")):
        shown = await pmesh(home, "alerts", *arguments)
        assert shown.returncode == 0, shown.stderr
        (row,) = (line for line in shown.stdout.splitlines() if "answers-drift" in line)
        assert row.split()[1:3] == ["firing", "sentiment@1"]
        assert "label_drift 0.833 (" in row
    assert "nothing is wrong now" in (await pmesh(home, "alerts", "genre")).stderr
    alert = row.split()[0]

    seen = await pmesh(home, "alerts", "ack", alert, "--as", "maria")
    assert seen.returncode == 0, seen.stderr
    (row,) = (
        line
        for line in (await pmesh(home, "alerts")).stdout.splitlines()
        if "answers-drift" in line
    )
    assert (row.split()[1], "maria" in row) == ("acknowledged", True)
    assert (await pmesh(home, "alerts", "resolve", alert, "--as", "jo")).returncode == 0
    assert "answers-drift" not in (await pmesh(home, "alerts")).stdout
    everything = await pmesh(home, "alerts", "--all", "--json")
    (told,) = (one for one in map(json.loads, everything.stdout.splitlines()) if one["id"] == alert)
    assert [(event["change"], event["actor"]) for event in told["history"]] == [
        ("FIRED", "monitoring"),
        ("ACKNOWLEDGED", "maria"),
        ("RESOLVED", "jo"),
    ]
    for arguments, said in (
        (("ack", alert), f"alert {alert} is over"),
        (("resolve", "7"), "'7' is no id of an alert"),
        (("ack", NOBODYS), f"there is no alert {NOBODYS}"),
        (("resolve", NOBODYS), f"there is no alert {NOBODYS}"),
        (("sentimnt",), "there is no model 'sentimnt'; one of: genre, sentiment"),
    ):
        refused = await pmesh(home, "alerts", *arguments)
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr


async def test_it_says_so_where_no_stack_runs(home: Home) -> None:
    refused = await monitor(home, "run")
    assert (refused.returncode, "no stack runs" in refused.stderr) == (1, True)
