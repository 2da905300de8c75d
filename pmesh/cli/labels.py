"""`pmesh label` and `pmesh labels`: what was true of predictions, said and read."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer
from rich.markup import escape
from rich.table import Table

from pmesh.cli.label_files import Format
from pmesh.cli.options import HOME, HomeOption, JsonOption, console, fail, for_home, messages
from pmesh.cli.release import AddressOption, gateway

if TYPE_CHECKING:
    from predict.v1.label_pb2 import Label

    from pmesh.cli.label_files import LabelFile
    from pmesh.cli.label_import import Tally
    from pmesh.cli.label_rows import LabelRow, Refusal
    from pmesh.labels import LabelClient


class ImportSource(StrEnum):
    """Where labels come from."""

    PERSON = "person"
    CLIENT = "client"
    IMPORT = "import"


_FORMATS = {f".{format}": format for format in Format} | {".ndjson": Format.JSONL}
_STOPPED = 130
"""The exit status of what Ctrl-C ended."""


def label(
    prediction: Annotated[str, typer.Argument(metavar="ID", help="Id of the prediction.")],
    label: Annotated[str, typer.Argument(help="What is true of its text.")],
    annotator: Annotated[str, typer.Option(help="Who says so; else you.")] = "",
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="Decide, whatever others say.")
    ] = False,
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Say what was true of a prediction, or correct what you said of it.

    [bold]pmesh label 019ac2f5-8a3e-7c61-b5c4-0f6a3d2e1b90 positive[/]
    """
    from predict.v1.feedback_service_pb2 import AttachLabelRequest
    from predict.v1.label_pb2 import LabelSource

    request = AttachLabelRequest(
        prediction_id=prediction,
        label=label,
        source=LabelSource.LABEL_SOURCE_PERSON,
        annotator=annotator or getpass.getuser(),
        adjudicated=adjudicate,
    )
    with _client(address, home) as client:
        console.print(_line(client.attach(request)), markup=False)


def list_labels(
    model: Annotated[str, typer.Option(help="Only of its predictions.")] = "",
    prediction: Annotated[str, typer.Option(metavar="ID", help="Only of this one.")] = "",
    annotator: Annotated[str, typer.Option(help="Only what this one said.")] = "",
    history: Annotated[
        bool, typer.Option("--history", help="Also what was corrected or withdrawn since.")
    ] = False,
    as_json: JsonOption = False,
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Show what was said of predictions, the last recorded first.

    [bold]pmesh labels list --model sentiment[/]
    [bold]pmesh labels list --prediction 019ac2f5-8a3e-7c61-b5c4-0f6a3d2e1b90 --history[/]
    """
    from google.protobuf.json_format import MessageToDict
    from predict.v1.feedback_service_pb2 import ListLabelsRequest

    request = ListLabelsRequest(
        model=model, prediction_id=prediction, annotator=annotator, with_history=history
    )
    with _client(address, home) as client:
        for found in client.list(request):
            if as_json:
                print(json.dumps(MessageToDict(found), ensure_ascii=False))
            else:
                console.print(_line(found), markup=False)


def import_labels(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV, TSV or JSON lines.")
    ],
    format: Annotated[
        Format | None, typer.Option(help="How it is written; else its name tells.")
    ] = None,
    annotator: Annotated[str, typer.Option(help="Who says what names nobody.")] = "",
    source: Annotated[
        ImportSource, typer.Option(help="Where the labels come from.")
    ] = ImportSource.IMPORT,
    refused: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Where refused rows go; else FILE.refused beside it."),
    ] = None,
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Record the labels of a file.

    Its columns are prediction_id and label, and perhaps annotator, label_time, external_id,
    choice, weight and adjudicated. Each row is recorded or refused. Refused ones are written to a
    file of their own, with the reason: mend them there, and import that. Importing a file again
    changes nothing; a row that has changed corrects.

    [bold]pmesh labels import judged.csv --annotator anna[/]
    """
    from predict.v1.label_pb2 import LabelSource

    from pmesh.cli.label_files import NotLabels, open_labels
    from pmesh.cli.label_rows import RowDefaults

    if (format := format or _FORMATS.get(file.suffix.lower())) is None:
        fail(f"{file} is not named as one of {', '.join(_FORMATS)}", "--format csv")
    refused = refused or file.with_name(f"{file.stem}.refused{file.suffix}")
    if refused.resolve() == file.resolve():
        fail("the refused rows cannot go to the file that is read")
    number = cast(LabelSource, LabelSource.Value(f"LABEL_SOURCE_{source.name}"))
    defaults = RowDefaults(number, annotator)
    try:
        with file.open("rb") as opened, _client(address, home) as client:
            labels = open_labels(opened, format, defaults)
            tally = _import(client, labels, file, refused)
    except NotLabels as error:
        fail(f"{file}: {error}")
    except OSError as error:
        fail(str(error))
    if count := tally.refused.total():
        fail(f"{count} rows are refused", f"mend {refused}, and import it")


def _import(client: "LabelClient", labels: "LabelFile", file: Path, refused: Path) -> "Tally":
    """What became of the rows, which is shown however it ends."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from pmesh.cli.label_import import LabelImport

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with (
        _Refused(refused, labels) as refuse,
        Progress(*columns, console=messages, transient=True) as progress,
    ):
        bar = progress.add_task("", total=file.stat().st_size)
        under_way = LabelImport(
            client, refuse=refuse, tell=lambda done: progress.update(bar, completed=done)
        )
        is_done = False
        try:
            under_way.run(labels.rows())
            is_done = True
        except KeyboardInterrupt:
            raise typer.Exit(_STOPPED) from None
        finally:
            progress.stop()
            _show(under_way.tally)
            if not is_done:
                messages.print(
                    f"stopped after line {under_way.tally.line}; import it again to go on"
                )
    return under_way.tally


class _Refused:
    """The file of refused rows; there is one from the first on."""

    def __init__(self, path: Path, labels: "LabelFile") -> None:
        self._path = path
        self._labels = labels
        self._file: TextIO | None = None

    def __enter__(self) -> "_Refused":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def __call__(self, row: "LabelRow", why: "Refusal") -> None:
        """Write one down."""
        if self._file is None:
            # Bytes that are no text go back as they came.
            self._file = self._path.open(
                "w", encoding="utf-8", errors="surrogateescape", newline=""
            )
            self._file.write(self._labels.refused_header())
        self._file.write(self._labels.refused(row, why))


@contextmanager
def _client(address: str, home: Path) -> "Iterator[LabelClient]":
    from pmesh.calls import CallFailedError
    from pmesh.labels import LabelClient

    try:
        with LabelClient(*gateway(address, home)) as client:
            yield client
    except CallFailedError as error:
        fail(str(error), for_home(error.remedy, home))


def _show(tally: "Tally") -> None:
    rows = Table(box=None, pad_edge=False, show_header=False)
    rows.add_column()
    rows.add_column(justify="right")
    rows.add_row("recorded", str(tally.recorded))
    rows.add_row("already there", str(tally.known))
    rows.add_row("refused", str(tally.refused.total()))
    for reason, count in tally.refused.most_common():
        rows.add_row(f"  {escape(reason)}", str(count))
    console.print(rows)


def _line(label: "Label") -> str:
    """When, of what, what, and who says so."""
    from predict.v1.label_pb2 import LabelSource

    source = LabelSource.Name(label.source).removeprefix("LABEL_SOURCE_").lower()
    who = f"{label.annotator or '-'} ({source})" + " decides" * label.adjudicated
    clock = label.label_time.ToDatetime(UTC).astimezone()
    said = label.label or "(withdrawn)"
    return f"{clock:%Y-%m-%d %H:%M:%S}  {label.prediction_id}  {label.model}  {said}  {who}"
