"""One writer for each result: a lock file with who holds it, taken over only from a holder that is provably dead.

The lock is a file that only one process can create (O_EXCL), so it holds on network file systems that know no flock.
Removing what a dead holder left is guarded by flock where there is one: two starters must not both take over.
Imports nothing heavy: a second starter is told within a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from ctcdyn.errors import CtcError, Exit, Problem

NAME = "lock"
GUARD = "guard"


class Lock:
    """The lock in a folder, held from the constructor to `release`. Raises CtcError (R510, exit 6) where another
    process holds it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._mine = {"host": socket.gethostname(), "boot": _boot(), "space": _space(), "pid": os.getpid()}
        self._mine["start"] = _start(os.getpid())
        if not self._create():
            self._take_over()

    def release(self) -> None:
        """Give the lock up; once is enough, and the folder may be gone."""
        if holder(self.path.parent) == self._mine:
            with contextlib.suppress(OSError):
                self.path.unlink()
        if {found.name for found in self.path.parent.glob("*")} <= {GUARD}:  # nothing was begun
            with contextlib.suppress(OSError):
                (self.path.parent / GUARD).unlink(missing_ok=True)
                self.path.parent.rmdir()

    def _create(self) -> bool:
        """Whether the lock file could be created. It gets its name when it is whole."""
        draft = self.path.with_name(f"{NAME}.{secrets.token_hex(4)}")
        try:
            draft.write_text(json.dumps(self._mine), encoding="utf-8")
            try:
                os.link(draft, self.path)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links
                return self._create_open()
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        return True

    def _create_open(self) -> bool:
        try:
            with self.path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(self._mine))
        except FileExistsError:
            return False
        except OSError:
            with contextlib.suppress(OSError):
                self.path.unlink()  # created here: an empty lock would be nobody's
            raise
        return True

    def _take_over(self) -> None:
        with _guarded(self.path.parent):
            held = holder(self.path.parent)
            if held is not None:  # else it was given up meanwhile, and may be another's by now
                if not is_dead(held):
                    raise _held(self.path, held)
                self.path.unlink()
            if not self._create():
                raise _held(self.path, holder(self.path.parent) or {})


def holder(folder: Path) -> dict[str, Any] | None:
    """Who holds the lock in a folder, as the lock file says; None where there is none. Unreadable: an empty one."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_dead(held: dict[str, Any]) -> bool:
    """Whether the holder is provably dead: on this host, and either before its last start or without its process."""
    if held.get("host") != socket.gethostname() or not isinstance(held.get("pid"), int):
        return False
    if held.get("boot") and _boot() and held["boot"] != _boot():
        return True
    if held.get("space", "") != _space():  # in another container, whose processes cannot be seen from here
        return False
    try:
        os.kill(held["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    start = _start(held["pid"])
    return bool(start and held.get("start") and start != held["start"])


@contextlib.contextmanager
def _guarded(folder: Path) -> Any:
    """Alone among those who take over, where the file system has locks."""
    while True:
        handle = os.open(folder / GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with contextlib.suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_still(handle, folder / GUARD):
                yield
                return
        finally:
            os.close(handle)


def _is_still(handle: int, path: Path) -> bool:
    """Whether an open file still has its name: one that was removed guards nothing."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _held(path: Path, held: dict[str, Any]) -> CtcError:
    who = f"process {held.get('pid', '?')} on {held.get('host', '?')}"
    what = f"{path.parent} is being written by {who}"
    fix = f"wait for it; if you are sure that it is dead: rm {path}"
    return CtcError(Problem("R510", what, fix=fix), Exit.OUTPUT)


def _boot() -> str:
    """Which start of the machine this is; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start(pid: int) -> str:
    """When a process began, in clock ticks since the boot, so that a number that is used again is seen."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]  # a zombie writes nothing any more


def _space() -> str:
    """The space that process numbers are of: a container has its own; empty where the system does not say."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
