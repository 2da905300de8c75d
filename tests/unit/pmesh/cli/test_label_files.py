"""Files of labels: what each row says, and what is written of those that say nothing."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from predict.v1.feedback_service_pb2 import AttachLabelRequest
from predict.v1.label_pb2 import LabelSource

from pmesh.cli.label_files import MAX_ROW_BYTES, Format, LabelFile, NotLabels, open_labels
from pmesh.cli.label_rows import LabelRow, Refusal, RowDefaults

SOURCE = LabelSource.LABEL_SOURCE_IMPORT
ID = "019ac2f5-8a3e-7c61-b5c4-0f6a3d2e1b90"


def opened(content: str | bytes, format: Format = Format.CSV) -> LabelFile:
    data = content.encode() if isinstance(content, str) else content
    return open_labels(io.BytesIO(data), format, RowDefaults(SOURCE, "anna"))


def rows(content: str | bytes, format: Format = Format.CSV) -> list[LabelRow]:
    return list(opened(content, format).rows())


def contents(content: str | bytes, format: Format = Format.CSV) -> list[Any]:
    return [row.content for row in rows(content, format)]


def said(label: str = "good", **fields: Any) -> AttachLabelRequest:
    base = {"prediction_id": ID, "label": label, "source": SOURCE, "annotator": "anna"}
    return AttachLabelRequest(**{**base, **fields})


def reasons(found: Sequence[Any]) -> list[str]:
    return [one.reason if isinstance(one, Refusal) else "" for one in found]


ALL = said(
    annotator="otto",
    label_time={"seconds": 1_767_355_200, "nanos": 500_000_000},
    external_id="7",
    choice="control",
    weight=2.5,
    adjudicated=True,
)
NAMES = "label,prediction_id,annotator,label_time,external_id,choice,weight,adjudicated"
CELLS = ("good", ID, "otto", "2026-01-02T14:00:00.5+02:00", "7", "control", "2.5", "True")


@pytest.mark.parametrize(
    ("format", "content"),
    [
        (Format.CSV, f"{NAMES}\n{','.join(CELLS)}\n"),
        (Format.TSV, NAMES.replace(",", "\t") + "\n" + "\t".join(CELLS)),
        (
            Format.JSONL,
            json.dumps(
                dict(zip(NAMES.split(","), CELLS, strict=True))
                | {"weight": 2.5, "adjudicated": True}
            ),
        ),
    ],
)
def test_every_format_says_all_that_a_label_has(format: Format, content: str) -> None:
    assert contents(content, format) == [ALL]


@pytest.mark.parametrize("format", [Format.CSV, Format.TSV])
def test_a_byte_order_mark_line_ends_of_windows_and_empty_lines_are_no_matter(
    format: Format,
) -> None:
    lines = ("prediction_id,label", "", f"{ID},good", "", ",", f"{ID},bad", "")
    separator = "," if format is Format.CSV else "\t"
    content = "\ufeff\r\n" + "\r\n".join(lines).replace(",", separator)
    found = rows(content, format)
    assert [row.content for row in found] == [said("good"), said("bad")]
    assert [row.line for row in found] == [4, 7]
    assert found[-1].end == len(content.encode())


def test_quotes_hold_commas_quotes_and_ends_of_lines() -> None:
    content = f'prediction_id,label\n{ID},"so, ""so""\r\nand so"\n{ID},good\n'
    found = rows(content)
    assert [row.content for row in found] == [said('so, "so"\r\nand so'), said("good")]
    assert [row.line for row in found] == [2, 4]


def test_tabs_separate_and_quotes_are_letters() -> None:
    assert contents(f'prediction_id\tlabel\n{ID}\t"good', Format.TSV) == [said('"good')]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("prediction_id,lable\n", "unknown: 'lable'; missing: 'label'"),
        ("prediction_id,label,label\n", "twice: 'label'"),
        (f"{ID},good\n", "missing: 'prediction_id', 'label'"),
        ("prediction_id,label\n".encode("utf-16"), "UTF-8"),
        ('prediction_id,"label\n', "cannot be read"),
        ("x" * 1_000_000, "more than"),
    ],
)
def test_a_first_line_that_does_not_name_the_columns_is_refused(
    content: str | bytes, problem: str
) -> None:
    with pytest.raises(NotLabels, match=problem) as refused:
        opened(content)
    assert len(str(refused.value)) < 3000


BAD_ROWS = [
    (f"{ID}", "ROW_MALFORMED"),
    (f"{ID},good,,,", "ROW_MALFORMED"),
    (f'{ID},go"od,,"x"y', "ROW_MALFORMED"),
    (f"{ID},{'x' * MAX_ROW_BYTES},,", "ROW_MALFORMED"),
    (f"{ID},{'x' * 20 * MAX_ROW_BYTES},,", "ROW_MALFORMED"),
    (f"{ID},good,much,", "VALUE_MALFORMED"),
    (f"{ID},good,,yesterday", "VALUE_MALFORMED"),
    (f"{ID},good,,2026-11-01T12:00:00", "VALUE_MALFORMED"),
    (f"{ID},good,,0001-01-01T00:00:00+14:00", "VALUE_MALFORMED"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS)
def test_a_bad_row_of_a_table_is_refused_alone(bad: str, reason: str) -> None:
    content = f"prediction_id,label,weight,label_time\n{ID},first,,\n{bad}\n{ID},last,,\n"
    first, refused, last = rows(content)
    assert (first.content, last.content) == (said("first"), said("last"))
    assert isinstance(refused.content, Refusal)
    assert (refused.content.reason, refused.line, last.line) == (reason, 3, 4)
    assert last.end == len(content)


def test_a_quote_without_an_end_takes_no_more_rows_than_a_row_is_long() -> None:
    line = f"{ID},good\n"
    many = 3 * MAX_ROW_BYTES // len(line)
    found = contents(f'prediction_id,label\n{ID},"good\n' + line * many)
    assert reasons(found[:1]) == ["ROW_MALFORMED"]
    assert many / 2 < len(found) < many
    assert set(reasons(found[2:])) == {""}


BAD_OBJECTS = [
    ("[]", "ROW_MALFORMED"),
    ("7", "ROW_MALFORMED"),
    ("{}", "ROW_MALFORMED"),
    ('{"prediction_id": "a"', "ROW_MALFORMED"),
    ('{"label": "a", "label": "b"}', "ROW_MALFORMED"),
    ('{"label": "a", "weight": NaN}', "ROW_MALFORMED"),
    ('{"labels": "a"}', "ROW_MALFORMED"),
    ('{"label": ' + "[" * 30_000 + "}", "ROW_MALFORMED"),
    ('{"label": ' + "9" * 5_000 + "}", "ROW_MALFORMED"),
    ('{"label": 7}', "VALUE_MALFORMED"),
    ('{"label": ["a"]}', "VALUE_MALFORMED"),
    ('{"label": "\\ud800"}', "VALUE_MALFORMED"),
    ('{"weight": "2"}', "VALUE_MALFORMED"),
    ('{"weight": true}', "VALUE_MALFORMED"),
    ('{"weight": 1' + "0" * 400 + "}", "VALUE_MALFORMED"),
    ('{"adjudicated": 1}', "VALUE_MALFORMED"),
    ('{"label_time": 1767355200}', "VALUE_MALFORMED"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_OBJECTS)
def test_a_bad_object_is_refused_alone(bad: str, reason: str) -> None:
    good = json.dumps({"prediction_id": ID, "label": "good", "choice": None})
    before, refused, after = contents(f"{good}\n\n{bad}\r\n{good}", Format.JSONL)
    assert (before, after) == (said(), said())
    assert reasons([refused]) == [reason]
    assert len(refused.message) < 300


@pytest.mark.parametrize("format", [Format.CSV, Format.TSV])
def test_what_is_not_utf8_is_refused_and_written_as_it_came(format: Format) -> None:
    separator = "," if format is Format.CSV else "\t"
    bad = f"{ID}{separator}".encode() + b"sch\xf6n"
    file = opened(f"prediction_id{separator}label\n".encode() + bad, format)
    (row,) = file.rows()
    assert reasons([row.content]) == ["ROW_MALFORMED"]
    written = file.refused(row, Refusal("R", "m")).encode(errors="surrogateescape")
    assert b"sch\xf6n" in written


def refused_file(file: LabelFile, *also: str) -> str:
    """All rows refused, with the reasons that they have or one of the gateway's."""
    written = file.refused_header()
    for row in file.rows():
        why = row.content if isinstance(row.content, Refusal) else Refusal("GONE", 'a\n"b",\tc')
        written += file.refused(row, why)
    return written


def test_refused_rows_of_a_table_are_read_again_as_they_were() -> None:
    """Whatever is wrong with them, and however often."""
    good = f'{ID},"so, ""so""\nand so",2,\n'
    lines = "".join(f"{bad}\n" for bad, _ in BAD_ROWS)
    first = opened(f"prediction_id,label,weight,label_time\n{good}{lines}{good}")
    written = refused_file(first)
    found = rows(written)
    assert found[0].content == found[-1].content == said('so, "so"\nand so', weight=2)
    assert reasons([row.content for row in found[1:-1]]) == [reason for _, reason in BAD_ROWS]
    again = refused_file(opened(written))
    originals = [row[3:] for row in csv.reader(io.StringIO(written))]
    assert [row[3:] for row in csv.reader(io.StringIO(again))] == originals
    assert next(csv.reader(io.StringIO(again)))[:4] == [
        "line",
        "reason",
        "message",
        "prediction_id",
    ]


def test_refused_rows_with_tabs_are_read_again_as_they_were() -> None:
    content = f"label\tprediction_id\ngood\t{ID}\ngood\n\ngood\t{ID}\tmore\n"
    written = refused_file(opened(content, Format.TSV))
    assert reasons(contents(written, Format.TSV)) == ["", "ROW_MALFORMED", "ROW_MALFORMED"]
    assert written.splitlines()[3] == (
        f"5\tROW_MALFORMED\tit has 3 cells, and the first line 2\tgood\t{ID}\tmore"
    )


def test_refused_objects_are_read_again_as_they_were() -> None:
    good = json.dumps({"prediction_id": ID, "label": "good", "weight": 2})
    lines = "\n".join([good, *(bad for bad, _ in BAD_OBJECTS)])
    written = refused_file(opened(lines, Format.JSONL))
    found = contents(written, Format.JSONL)
    assert found[0] == said(weight=2)
    assert all(reasons(found[1:]))
    assert json.loads(written.splitlines()[0]) == {
        **json.loads(good),
        "line": 1,
        "reason": "GONE",
        "message": 'a\n"b",\tc',
    }
