import os
import subprocess
import sys

from pmesh.stack.processes import kill_session, memory_bytes, session_members, start_time


def test_a_process_is_told_by_its_start_time_while_it_lives() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert start_time(process.pid) == start_time(process.pid) != start_time(1)
    process.communicate()
    assert start_time(process.pid) is None


def test_a_killed_session_is_empty() -> None:
    family = "import subprocess; subprocess.run(['sleep', '600'])"
    parent = subprocess.Popen([sys.executable, "-c", family], start_new_session=True)
    while len(session_members(parent.pid)) < 2:
        pass
    kill_session(parent.pid)
    assert session_members(parent.pid) == []
    parent.wait()


def test_memory_counts_what_a_process_started() -> None:
    hoard = "hoard = bytearray(50_000_000); print(); input()"
    before = memory_bytes([os.getpid()])[os.getpid()]
    command = [sys.executable, "-c", hoard]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    after = memory_bytes([os.getpid(), child.pid])
    child.communicate()
    assert after[child.pid] > 50_000_000
    assert after[os.getpid()] > before + 50_000_000
