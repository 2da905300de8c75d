"""A version that learnt from labels: what is kept of it, and how it is judged."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from modelkit.labelled import Split, read_labels
from modelkit.registry import Registry, Version
from tests.integration.training.labelling import MODEL, Labelling
from tests.parts.faults import FAULTS
from tests.parts.mlflow_server import MlflowServer
from tests.parts.otlp_receiver import receiving_spans
from tests.parts.polling import PATIENCE_S, wait_until
from tests.parts.ports import free_port, listens
from tests.parts.postgres import Database, Postgres

GOLDEN = "snowa snowb snowc snowd zanzibarine"
"""No word of a model, nor a name that somebody would give: found nowhere by chance."""


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    """One for all, with enough labels."""
    database = postgres.create_database()
    yield database
    postgres.drop_database(database)


@pytest.fixture(scope="module")
def labels(database: Database) -> dict[str, tuple[str, str]]:
    """The labelled predictions: id -> text and label."""
    return Labelling.of(database).fill(150)


@pytest.fixture(scope="module")
def labelling(database: Database, labels: dict[str, tuple[str, str]]) -> Labelling:
    return Labelling.of(database)


class Programs:
    """The training programs with a database, run as a user runs them."""

    def __init__(self, labelling: Labelling, mlflow: MlflowServer) -> None:
        self._environment = {
            **os.environ,
            **labelling.variables,
            "MLFLOW_TRACKING_URI": mlflow.uri,
            "PMESH_TRAINING_METRICS_PORT": "0",
            "OMP_NUM_THREADS": "1",  # on a machine that is busy, more of them wait for each other
        }

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            (sys.executable, "-P", "-m", *arguments),
            env={**self._environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """What it says on stdout and on stderr."""
        with self.start(*arguments, **variables) as process:
            said, complained = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == code, complained
        return said, complained


@pytest.fixture(scope="module")
def programs(labelling: Labelling, mlflow: MlflowServer) -> Programs:
    return Programs(labelling, mlflow)


def versions(registry: Registry) -> int:
    """How many there are of the model."""
    return int(registry.latest(MODEL).number)


@pytest.fixture(scope="module")
def golden(labelling: Labelling) -> list[str]:
    """Labelled predictions, chosen as they are hard, of texts that can be looked for."""
    golden = labelling.predicted(*(f"{GOLDEN} {n} of {n * n}" for n in range(30)), seed="golden")
    for prediction in golden:
        labelling.say(prediction, "tweet")
    labelling.execute(
        "UPDATE labels SET choice = 'uncertain', weight = 1.5"
        " WHERE prediction_id = ANY (%s::uuid[])",
        golden,
    )
    return golden


@pytest.fixture(scope="module")
def version(programs: Programs, golden: list[str], registry: Registry) -> Version:
    """One that has learnt from all of them."""
    said, _ = programs.run("training.train", MODEL, "--from-labels")
    return registry.version(MODEL, said.splitlines()[-1])


def test_no_text_of_traffic_is_in_what_mlflow_keeps(
    version: Version, labels: dict[str, tuple[str, str]], mlflow: MlflowServer
) -> None:
    run = MlflowClient(mlflow.uri).get_run(version.run_id)
    everything = mlflow.artifacts.rglob(f"{version.run_id}/**/*")
    kept = [file.read_bytes() for file in everything if file.is_file()]
    assert len(kept) > 10
    rare = GOLDEN.split()[-1]
    assert not any(rare.encode() in content for content in kept)
    assert rare not in str(run.to_dictionary())
    for text, _ in labels.values():
        assert not any(text.encode() in content for content in kept)


def test_a_version_lists_what_it_learnt_from_and_is_judged_by_what_is_not_erased(
    programs: Programs,
    labelling: Labelling,
    labels: dict[str, tuple[str, str]],
    golden: list[str],
    version: Version,
    mlflow: MlflowServer,
    registry: Registry,
    tmp_path: Path,
) -> None:
    file = registry.labels(MODEL, version.number, tmp_path)
    assert file is not None
    rows = read_labels(file)
    expected = {prediction: label for prediction, (_, label) in labels.items()}
    expected |= dict.fromkeys(golden, "tweet")
    assert {str(one.prediction): one.label for one, _ in rows} == expected
    parameters = MlflowClient(mlflow.uri).get_run(version.run_id).data.params
    assert parameters["labelled"] == str(len(rows))
    judged = [str(one.prediction) for one, split in rows if split is Split.HELD_OUT]
    assert parameters["labelled_held_out"] == str(len(judged)) != "0"

    hard = set(judged) & set(golden)
    assert 0 < len(hard) < len(judged)
    (file,) = mlflow.artifacts.rglob(f"{version.run_id}/**/confusion.json")
    confusion = json.loads(file.read_text())
    representative = int(parameters["held_out"]) + len(judged) - len(hard)
    assert sum(map(sum, confusion["counts"])) == representative

    def evaluate() -> tuple[int, int]:
        found = json.loads(programs.run("training.evaluate", str(version), "--json")[0])
        return found["examples"], found["erased"]

    all_held_out = int(parameters["held_out"]) + len(judged)
    assert evaluate() == (all_held_out, 0)
    labelling.erase(judged[0])
    assert evaluate() == (all_held_out - 1, 1)


def test_a_version_with_labels_is_not_judged_without_their_texts(
    programs: Programs, version: Version
) -> None:
    _, complained = programs.run("training.evaluate", str(version), code=1, PGPORT="1")
    assert "does not give the texts of its labelled predictions" in complained
    _, complained = programs.run("training.train", MODEL, "--from-labels", code=1, PGPORT="1")
    assert "does not give its labels" in complained.splitlines()[0]


def test_a_time_of_labels_needs_labels(programs: Programs, registry: Registry) -> None:
    before = versions(registry)
    _, complained = programs.run("training.train", MODEL, "--since", "2026-11-01", code=2)
    assert "--since is of labels: it needs --from-labels" in complained
    assert versions(registry) == before


def test_a_training_that_is_asked_for_registers_one_version_whatever_is_killed(
    programs: Programs,
    labelling: Labelling,
    version: Version,
    registry: Registry,
    tmp_path: Path,
) -> None:
    with labelling.store() as store:
        asked = store.request(MODEL, "anna")
        assert asked is not None
        assert (asked.state, asked.actor) == ("REQUESTED", "anna")
        assert store.request(MODEL, "bob") == asked  # one at a time
        assert store.request("nobody", "anna") is None
    before = versions(registry)

    def state() -> str:
        ((row),) = labelling.execute("SELECT state FROM retrainings WHERE id = %s", asked.id)
        return str(row["state"])

    with programs.start("training", "watch") as first:
        wait_until(lambda: state() == "RUNNING", timeout_s=PATIENCE_S)
        first.kill()
    assert state() == "RUNNING"

    marker = tmp_path / "killed"
    fault = {
        "PYTHONPATH": str(FAULTS),
        "FAULT": "training.store:TrainingStore.finish:before",
        "FAULT_MARKER": str(marker),
    }
    programs.run("training", "run", code=-signal.SIGKILL, **fault)
    assert marker.exists()
    assert (state(), versions(registry)) == ("RUNNING", before + 1)

    programs.run("training", "run")
    with labelling.store() as store:
        (row,) = store.newest(10)
    assert (row.state, row.version, row.error) == ("SUCCEEDED", str(before + 1), "")
    assert versions(registry) == before + 1
    found = registry.of_retraining(MODEL, str(asked.id))
    assert found == registry.latest(MODEL)


def test_a_training_that_fails_says_why(
    programs: Programs, labelling: Labelling, version: Version, registry: Registry
) -> None:
    before = versions(registry)
    with labelling.store() as store:
        asked = store.request(MODEL, "anna")
        assert asked is not None
        labelling.execute("UPDATE requests SET erase_time = now()")
        try:
            programs.run("training", "run")
        finally:
            labelling.execute("UPDATE requests SET erase_time = NULL")
        newest = store.newest(1)[0]
    assert (newest.id, newest.state, newest.version) == (asked.id, "FAILED", "")
    assert newest.error == "0 labelled texts are too few; 50 are the least"
    assert versions(registry) == before


def test_trainings_are_told_as_metrics_spans_and_lines(
    programs: Programs, labelling: Labelling, version: Version
) -> None:
    port = free_port()
    with receiving_spans() as receiver, labelling.store() as store:
        variables = {**receiver.environment, "PMESH_TRAINING_METRICS_PORT": str(port)}
        process = programs.start("training", "watch", PMESH_TRAINING_POLL_S="0.2", **variables)
        try:
            wait_until(lambda: listens(port))
            wait_until(lambda: told(port, MODEL, "failed") == 0)
            labelling.execute("UPDATE requests SET erase_time = now()")
            try:
                store.request(MODEL, "anna")
                wait_until(lambda: told(port, MODEL, "failed") == 1)
            finally:
                labelling.execute("UPDATE requests SET erase_time = NULL")
            store.request(MODEL, "anna")
            wait_until(lambda: told(port, MODEL, "succeeded") == 1, timeout_s=2 * PATIENCE_S)
            lines = read(port)
        finally:
            process.terminate()
            _, said = process.communicate(timeout=PATIENCE_S)
        receiver.wait_for(f"train {MODEL}")
        wait_until(lambda: len(receiver.spans) == 2)
    assert process.returncode == 0
    assert f'pmesh_training_seconds_count{{model="{MODEL}"}} 2.0' in lines
    assert "pmesh_trainings_waiting 0.0" in lines
    failed, trained = sorted(receiver.spans, key=lambda span: span.start_ns)
    assert (failed.failed, trained.failed) == (True, False)
    assert trained.attributes["pmesh.version"]
    logged = [json.loads(line) for line in said.splitlines()]
    assert {line["program"] for line in logged} == {"training"}
    about = [(one["model"], one["trace_id"]) for one in logged if "registered" in one["message"]]
    assert about == [(MODEL, trained.trace_id)]


def read(port: int) -> list[str]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode()).splitlines()


def told(port: int, model: str, outcome: str) -> float:
    name = f'pmesh_trainings_total{{model="{model}",outcome="{outcome}"}} '
    return max((float(one.split()[1]) for one in read(port) if one.startswith(name)), default=-1)


def test_two_do_not_take_the_same_training(labelling: Labelling) -> None:
    with labelling.store() as one, labelling.store() as other:
        asked = one.request(MODEL, "anna")
        assert asked is not None
        assert one.take("another") is None
        task = one.take(MODEL)
        assert task is not None
        assert task.id == asked.id
        assert other.take() is None
        one.finish(task, error="it was a test")
        assert other.take() is None
        assert other.newest(1)[0].error == "it was a test"
