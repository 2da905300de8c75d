from pathlib import Path

from pmesh.stack.logs import keep_small, last_lines, rotate


def test_the_last_lines_of_a_log_are_its_end(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    assert last_lines(log, 2) == []
    log.write_bytes(b"one\ntwo \xff\nthree\n")
    assert last_lines(log, 2) == ["two \ufffd", "three"]


def test_a_large_log_is_moved_aside_and_a_small_one_kept(tmp_path: Path) -> None:
    large, small = tmp_path / "triton.log", tmp_path / "relay.log"
    large.write_bytes(b"x" * 6_000_000)
    small.write_text("a line\n")
    rotate(tmp_path)
    assert not large.exists()
    assert (tmp_path / "triton.log.1").stat().st_size == 6_000_000
    assert small.exists()


def test_a_log_that_grows_large_while_it_is_written_is_cut_and_gone_on_with(tmp_path: Path) -> None:
    large, small = tmp_path / "access.log", tmp_path / "relay.log"
    small.write_text("a line\n")
    with large.open("ab") as writing:
        writing.write(b"x" * 900 + b"the last line\n")
        writing.flush()
        keep_small(tmp_path, 800)
        writing.write(b"the next line\n")
    assert large.read_bytes() == b"the next line\n"
    aside = (tmp_path / "access.log.1").read_bytes()
    assert aside.endswith(b"the last line\n")
    assert len(aside) == 400
    assert small.read_text() == "a line\n"
