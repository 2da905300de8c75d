"""Where the code of a model runs: it sees what it needs of the machine, and no more.

    python -I sandbox.py RESULTS PATH... -- COMMAND...

In namespaces of its own, in which it has all rights, this leaves in view the PATHs and the system's
programs and libraries, none of which can be written; the folder RESULTS; an empty /tmp; and a /proc
of the processes in here. There is no network. COMMAND then runs without any rights. A PATH that is
a symbolic link is seen as that link, and what it names only if it is in view itself.

Ends with COMMAND's exit status, or 128 and the signal that ended it; with REFUSED where the system
does not allow this, and FAILED where it cannot just now. These two are never COMMAND's: they become
1. It imports nothing of this project.
"""

import ctypes
import errno
import os
import signal
import sys
from pathlib import Path

REFUSED, FAILED = 125, 124
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/sys", "/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("null", "zero", "full", "random", "urandom", *(f"nvidia{n}" for n in range(16)))
GPU = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
WITHOUT_RIGHTS = (
    *("setpriv", "--no-new-privs", "--bounding-set=-all"),
    *("--inh-caps=-all", "--ambient-caps=-all", "--"),
)

# unshare(2), mount(2), mount_setattr(2), pivot_root(2), prctl(2)
_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000
"""Of users, mounts, processes, the network, and communication."""
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH, _MOUNT_ATTR_RDONLY, _AT_FDCWD, _AT_RECURSIVE = 2, 1, -100, 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442
_PR_SET_PDEATHSIG = 1
_NOT_ALLOWED = {
    *(errno.EPERM, errno.EACCES, errno.EINVAL),
    *(errno.ENOSYS, errno.ENODEV, errno.EOPNOTSUPP),
}

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clr", "propagation", "userns"))


def main() -> None:
    """Do what the module says."""
    results, *rest = sys.argv[1:]
    end = rest.index("--")
    paths, command = rest[:end], rest[end + 1 :]
    try:
        _leave()
        first = os.fork()  # the first process in there, whose end is that of all others
    except OSError as error:
        sys.exit(_refused(error))
    if first:
        sys.exit(_wait(first))
    try:
        _die_with_parent()
        _change_root(results, paths)
        child = os.fork()
    except OSError as error:
        sys.exit(_refused(error))
    if not child:
        os.execvp(WITHOUT_RIGHTS[0], [*WITHOUT_RIGHTS, *command])  # noqa: S606
    code = _wait(child)
    sys.exit(1 if code in (REFUSED, FAILED) else code)


def _leave() -> None:
    """Enter new namespaces, with this user as their root."""
    user, group = os.geteuid(), os.getegid()
    _call(_libc.unshare, _NEW_NAMESPACES)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _die_with_parent()  # entering has made this void


def _die_with_parent() -> None:
    _call(_libc.prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)


def _change_root(results: str, paths: list[str]) -> None:
    _mount("", "/", "", _MS_REC | _MS_PRIVATE)
    root = Path(results, "root")
    root.mkdir()
    _mount("tmpfs", str(root), "tmpfs", _MS_NOSUID | _MS_NODEV)
    for folder in ("/tmp", "/dev/shm"):  # noqa: S108
        _inside(root, folder)
    links = [path for path in paths if os.path.islink(path)]  # noqa: PTH114
    for path in (*SYSTEM, *paths):
        if path not in links and os.path.exists(path):  # noqa: PTH110
            _show(root, path)
    for name in (*DEVICES, *GPU):
        if os.path.exists(f"/dev/{name}"):  # noqa: PTH110
            _mount(f"/dev/{name}", _inside(root, f"/dev/{name}"), "", _MS_BIND)
    _mount(results, _inside(root, results), "", _MS_BIND)
    for link in links:  # at last: none leads what is made here out of the new root
        _link(root, link)
    _mount("proc", _inside(root, "/proc"), "proc", _MS_NOSUID | _MS_NODEV)
    old = _inside(root, "/old")
    _call(_libc.syscall, _PIVOT_ROOT.get(os.uname().machine, -1), bytes(root), old.encode())
    os.chdir("/")
    _call(_libc.umount2, b"/old", _MNT_DETACH)


def _show(root: Path, path: str) -> None:
    """Let a file or a folder, with all in it, be seen and not written."""
    place = _inside(root, path)
    _mount(path, place, "", _MS_BIND | _MS_REC)
    attributes = _MountAttributes(set=_MOUNT_ATTR_RDONLY)
    arguments = (_MOUNT_SETATTR, _AT_FDCWD, place.encode(), _AT_RECURSIVE)
    size = ctypes.sizeof(attributes)
    _call(_libc.syscall, *arguments, ctypes.byref(attributes), ctypes.c_size_t(size))


def _link(root: Path, path: str) -> None:
    """Have a symbolic link where it is not seen already, as in a folder that is."""
    place = Path(f"{root}{path}")
    if not os.path.lexists(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(Path(path).readlink())


def _inside(root: Path, path: str) -> str:
    """A place under the new root for what is at `path`."""
    place = Path(f"{root}{path}")
    if Path(path).is_dir() or not Path(path).exists():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return str(place)


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    _call(_libc.mount, source.encode(), target.encode(), kind.encode(), flags, None)


def _call(function: "ctypes._FuncPointer", *arguments: object) -> None:
    if function(*arguments):
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {arguments[:3]}")


def _refused(error: OSError) -> int:
    print(error, file=sys.stderr)
    return REFUSED if error.errno in _NOT_ALLOWED or _has_no_namespaces(error) else FAILED


def _has_no_namespaces(error: OSError) -> bool:
    """Whether there may never be any, not only no more of them."""
    limits = Path("/proc/sys/user").glob("max_*_namespaces")
    return error.errno == errno.ENOSPC and any(not int(limit.read_text()) for limit in limits)


def _wait(process: int) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main()
