"""What to do about a part that keeps dying, judged by how it died and by its log."""

import re

_BY_LOG = {
    r"No space left on device|disk is full": "free some disk space; pmesh doctor shows how much"
    " there is",
    r"[Aa]ddress already in use|cannot bind|could not bind": "end what has its port, or start"
    " again: other inner ports are then chosen",
    r"Cannot allocate memory|MemoryError|bad_alloc": "end other programs: memory is short",
    r"shared memory|/dev/shm": "make /dev/shm larger; pmesh doctor shows how large it is",
    r"ModuleNotFoundError|ImportError|cannot open shared object": "install the project again:"
    " make clean run",
    r"lock file .postmaster.pid. already exists": "end the other PostgreSQL that has this data"
    " directory",
}


def advice(*, last_exit: str, log: str) -> str:
    """What to do, in one sentence; empty when nothing is known."""
    for pattern, remedy in _BY_LOG.items():
        if re.search(pattern, log):
            return remedy
    if last_exit == "killed by SIGKILL":
        return "see with dmesg whether the system killed it for lack of memory"
    return ""
