"""`pmesh label` and `pmesh labels`, of a gateway with its database."""

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from predict.v1.label_pb2 import LabelSource
from typer.testing import CliRunner

from pmesh.calls import CallFailedError
from pmesh.cli import command_line, label_import
from pmesh.cli.label_files import Format, open_labels
from pmesh.cli.label_import import LabelImport, Tally
from pmesh.cli.label_rows import RowDefaults
from pmesh.labels import LabelClient
from tests.integration.gateway.program.running import NOBODY, Running, running
from tests.parts.polling import wait_until
from tests.parts.postgres import Postgres

MANY = 2500


@pytest.fixture(scope="module")
def gateway(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that is soon told too much: it refuses labels of every import, which come again."""
    database = postgres.create_database()
    spool = str(tmp_path_factory.mktemp("spool"))
    with running(database, spool, max_waiting=64) as gateway:
        yield gateway
    postgres.drop_database(database)


Pmesh = Callable[..., Result]


@pytest.fixture
def pmesh(gateway: Running) -> Pmesh:
    """The command line, without a process of its own."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command_line(), [*arguments, "--address", gateway.address])

    return run


def predictions(gateway: Running, count: int = 1) -> list[str]:
    """The ids of finished ones."""
    ids = gateway.requests.accept(count)
    gateway.requests.execute("UPDATE requests SET state = 'CANCELLED' WHERE id = ANY(%s)", (ids,))
    return ids


def table(header: str, *rows: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([header.split(","), *rows])
    return text.getvalue()


def imported(
    gateway: Running, content: str, *, tell: Callable[[int], None] = lambda _: None
) -> tuple[Tally, str]:
    """What became of it, and the refused rows."""
    defaults = RowDefaults(LabelSource.LABEL_SOURCE_IMPORT, "anna")
    file = open_labels(io.BytesIO(content.encode()), Format.CSV, defaults)
    refused = [file.refused_header()]
    with LabelClient(gateway.address) as client:
        under_way = LabelImport(
            client, refuse=lambda row, why: refused.append(file.refused(row, why)), tell=tell
        )
        under_way.run(file.rows())
    return under_way.tally, "".join(refused)


def history(gateway: Running, *ids: str) -> list[str]:
    """What was said of predictions, as it was recorded."""
    rows = gateway.requests.query(
        "SELECT label FROM labels WHERE prediction_id = ANY(%s) ORDER BY id", (list(ids),)
    )
    return [row["label"] for row in rows]


def test_each_row_of_a_file_is_recorded_or_refused_and_can_be_mended(
    gateway: Running, pmesh: Pmesh, tmp_path: Path
) -> None:
    first, second, third, *others = predictions(gateway, 6)
    (unfinished,) = gateway.requests.accept()
    nobody = "019ac2f5-8a3e-7c61-b5c4-0f6a3d2e1b90"
    rows = [
        (first, "positive", "2", "true"),
        (second, "sarcastic", "", ""),
        (nobody, "positive", "", ""),
        (third, "negative", "", ""),
        ("7", "positive", "", ""),
        (others[0], "positive", "0.5", ""),
        (others[1], "positive", "nan", ""),
        (unfinished, "positive", "", ""),
        (others[2], "positive", "", "perhaps"),
    ]
    file = tmp_path / "judged.csv"
    file.write_text(table("prediction_id,label,weight,adjudicated", *rows))
    done = pmesh("labels", "import", str(file), "--annotator", "anna")
    assert done.exit_code == 1
    shown = [line.split() for line in done.stdout.splitlines()]
    assert shown[:3] == [["recorded", "2"], ["already", "there", "0"], ["refused", "7"]]
    refused = tmp_path / "judged.refused.csv"
    assert "7 rows are refused" in done.stderr
    assert refused.name in done.stderr
    found = list(csv.DictReader(io.StringIO(refused.read_text())))
    assert [(row["line"], row["reason"]) for row in found] == [
        ("3", "LABEL_NOT_OF_MODEL"),
        ("4", "PREDICTION_NOT_FOUND"),
        ("6", "INVALID_ID"),
        ("7", "OUT_OF_RANGE"),
        ("8", "OUT_OF_RANGE"),
        ("9", "PREDICTION_UNFINISHED"),
        ("10", "VALUE_MALFORMED"),
    ]
    assert sorted(" ".join(line) for line in shown[3:]) == sorted(
        f"{reason} {[row['reason'] for row in found].count(reason)}"
        for reason in {row["reason"] for row in found}
    )
    assert "negative, neutral, positive" in found[0]["message"]

    mended = refused.read_text().replace("sarcastic", "neutral").splitlines()
    refused.write_text("\n".join(mended[:2]) + "\n")
    again = pmesh("labels", "import", str(refused), "--annotator", "anna")
    assert again.exit_code == 0
    assert again.stdout.split()[:2] == ["recorded", "1"]
    assert history(gateway, first, second, third) == ["positive", "negative", "neutral"]

    whole = pmesh("labels", "import", str(file), "--annotator", "anna", "--source", "import")
    assert whole.exit_code == 1
    assert whole.stdout.splitlines()[0].split() == ["recorded", "0"]
    assert len(history(gateway, first, second, third)) == 3


@pytest.mark.parametrize("also", ["", ",external_id", ",label_time", ",external_id,label_time"])
def test_a_row_that_has_changed_corrects_and_one_that_has_not_changes_nothing(
    gateway: Running, also: str
) -> None:
    """There and back again; where rows have times, the later one is the correction."""
    (id_,) = predictions(gateway)
    told = ["positive", "negative", "positive"]
    for n, label in enumerate(told):
        values = {"external_id": id_, "label_time": f"2026-01-02T00:00:0{n}Z"}
        more = tuple(values[name] for name in also.split(",") if name)
        content = table(f"prediction_id,label{also}", (id_, label, *more))
        tallies = [imported(gateway, content)[0] for _ in range(2)]
        assert [(tally.recorded, tally.known) for tally in tallies] == [(1, 0), (0, 1)]
    assert history(gateway, id_) == told


def test_a_row_that_contradicts_one_before_it_is_refused(gateway: Running) -> None:
    first, second = predictions(gateway, 2)
    at = "2026-01-02T00:00:00Z"
    content = table(
        "prediction_id,label,annotator,label_time",
        (first, "positive", "", ""),
        (first.upper(), "negative", "", ""),
        (first, "positive", "", ""),
        (first, "negative", "otto", ""),
        (second, "positive", "", at),
        (second, "negative", "anna", at),
        (second, "negative", "", "2026-01-02T00:00:01Z"),
    )
    tally, refused = imported(gateway, content)
    assert (tally.recorded, tally.known) == (4, 1)
    assert tally.refused == {"ROW_CONTRADICTS": 2}
    rows = list(csv.DictReader(io.StringIO(refused)))
    assert [row["line"] for row in rows] == ["3", "7"]
    assert "line 2" in rows[0]["message"]
    again, _ = imported(gateway, content)
    assert (again.recorded, again.known) == (0, 5)


def test_a_gateway_that_is_killed_loses_and_doubles_nothing(gateway: Running) -> None:
    ids = predictions(gateway, MANY)
    kills = iter([gateway.restart])
    content = table("prediction_id,label", *((id_, "neutral") for id_ in ids))
    done: list[int] = []

    def tell(offset: int) -> None:
        """Others are on their way when the first batch is done."""
        done.append(offset)
        for kill in kills:
            kill()

    tally, _ = imported(gateway, content, tell=tell)
    assert (tally.recorded + tally.known, tally.refused.total()) == (MANY, 0)
    assert tally.line == MANY + 1
    assert done == sorted(done)
    assert done[-1] == len(content)
    assert history(gateway, *ids) == ["neutral"] * MANY


def test_a_gateway_that_is_not_there_is_told_at_once_and_one_that_is_gone_after_a_while(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = predictions(gateway)
    content = table("prediction_id,label", (ids[0], "neutral"))
    monkeypatch.setattr(gateway, "address", NOBODY)
    with pytest.raises(CallFailedError, match="nothing answers"):
        imported(gateway, content)
    monkeypatch.undo()
    monkeypatch.setattr(label_import, "_PATIENCE_S", 0.1)
    held = "SELECT FROM requests WHERE id = ANY(%s) FOR UPDATE"
    with gateway.database.connect() as connection, connection.transaction():
        connection.execute(held, (ids,))
        with pytest.raises(CallFailedError, match="STORE_UNAVAILABLE"):
            imported(gateway, content)
    assert history(gateway, *ids) == []


def test_an_import_that_is_stopped_says_how_far_it_came_and_goes_on_when_run_again(
    gateway: Running, pmesh: Pmesh, tmp_path: Path
) -> None:
    ids = predictions(gateway, MANY)
    file = tmp_path / "judged.jsonl"
    rows = [json.dumps({"prediction_id": id_, "label": "positive"}) for id_ in ids]
    rows[1] = "{"
    command = ("labels", "import", str(file))
    file.write_text("\n".join(rows))
    with gateway.database.connect() as connection, connection.transaction():
        connection.execute("SELECT FROM requests WHERE id = %s FOR UPDATE", (ids[1500],))
        process = subprocess.Popen(
            [sys.executable, "-m", "pmesh.cli", *command, "--address", gateway.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        refused = tmp_path / "judged.refused.jsonl"
        wait_until(refused.exists)  # with the end of the first batch
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert 999 <= int(out.split()[1]) <= len(history(gateway, *ids))
    assert "stopped after line 1000" in err
    assert "Traceback" not in err
    assert json.loads(refused.read_text())["row"] == "{"
    again = pmesh(*command)
    assert again.exit_code == 1
    assert history(gateway, *ids) == ["positive"] * (MANY - 1)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("labels.csv", "prediction_id,lable\n", "unknown: 'lable'; missing: 'label'"),
        ("labels.xlsx", "", "--format"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_what_is_wrong(
    pmesh: Pmesh, tmp_path: Path, name: str, content: str, problem: str
) -> None:
    file = tmp_path / name
    file.write_text(content)
    done = pmesh("labels", "import", str(file))
    assert done.exit_code == 1
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    own = pmesh("labels", "import", str(file), "--format", "csv", "--refused", str(file))
    assert (own.exit_code, file.read_text()) == (1, content)


def test_labels_are_said_and_corrected_and_listed(gateway: Running, pmesh: Pmesh) -> None:
    (id_,) = predictions(gateway)
    for label, more in (("neutral", ()), ("negative", ()), ("positive", ("--adjudicate",))):
        done = pmesh("label", id_, label, "--annotator", "anna [b]", *more)
        assert (done.exit_code, id_ in done.stdout, label in done.stdout) == (0, True, True)
    assert "(LABEL_NOT_OF_MODEL)" in pmesh("label", id_, "sarcastic").stderr

    def listed(*options: str) -> list[dict[str, Any]]:
        done = pmesh("labels", "list", "--json", "--prediction", id_, *options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    (counts,) = listed("--model", "sentiment", "--annotator", "anna [b]")
    assert (counts["label"], counts["adjudicated"]) == ("positive", True)
    assert counts["source"] == "LABEL_SOURCE_PERSON"
    assert [one["label"] for one in listed("--history")] == ["positive", "negative", "neutral"]
    assert listed("--annotator", "otto") == []
    (line,) = pmesh("labels", "list", "--prediction", id_).stdout.splitlines()
    assert line.endswith(f"{id_}  sentiment  positive  anna [b] (person) decides")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--model", "sentimnt", "MODEL_NOT_FOUND"),
        ("--prediction", "019ac2f5-8a3e-7c61-b5c4-0f6a3d2e1b90", "PREDICTION_NOT_FOUND"),
    ],
)
def test_of_what_is_not_there_labels_are_not_listed_as_none(
    pmesh: Pmesh, option: str, value: str, reason: str
) -> None:
    done = pmesh("labels", "list", option, value)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"({reason})" in done.stderr
