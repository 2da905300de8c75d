"""The texts of a file that is to be predicted."""

from collections.abc import Iterator
from pathlib import Path


def read_texts(file: Path) -> Iterator[str]:
    """Each line; of a .tsv, each row's column `text`, which its first line names.

    Empty ones are left out. Raises ValueError for a .tsv without that column.
    """
    # Not splitlines: a text may hold other characters that end a line for Unicode.
    lines = file.read_text(encoding="utf-8").split("\n")
    if file.suffix == ".tsv":
        lines = list(_column(lines, file))
    yield from (line for line in lines if line.strip())


def _column(lines: list[str], file: Path) -> Iterator[str]:
    header = lines[0].split("\t") if lines else []
    if "text" not in header:
        raise ValueError(f"{file} does not name a column `text` in its first line")
    position = header.index("text")
    for line in lines[1:]:
        cells = line.split("\t")
        yield cells[position] if len(cells) > position else ""
