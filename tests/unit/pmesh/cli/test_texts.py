from pathlib import Path

import pytest

from pmesh.cli.texts import read_texts


def test_a_file_is_read_by_lines_without_the_empty_ones(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("first\n\n  \nsecond, with a\ttab\n", encoding="utf-8")
    assert list(read_texts(file)) == ["first", "second, with a\ttab"]


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("one\u2028two\nthree\x0bfour\r\nfive", encoding="utf-8", newline="")
    assert list(read_texts(file)) == ["one\u2028two", "three\x0bfour", "five"]


def test_a_tab_separated_file_is_read_by_its_column_text(tmp_path: Path) -> None:
    file = tmp_path / "rated.tsv"
    file.write_text('id\trating\ttext\na-1\t0.5\t"quoted" and so on\na-2\t1.0\n', encoding="utf-8")
    assert list(read_texts(file)) == ['"quoted" and so on']


def test_a_tab_separated_file_without_that_column_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.tsv"
    file.write_text("id\tbody\n1\tx\n", encoding="utf-8")
    with pytest.raises(ValueError, match="column `text`"):
        list(read_texts(file))
