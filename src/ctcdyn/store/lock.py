"""One writer for each result: a lock file with who holds it, taken over only from a holder that is provably dead.

The lock is a file that only one process can create (O_EXCL), so it holds on network file systems that know no flock.
Removing what a dead holder left is guarded by flock where there is one: two starters must not both take over.
Imports nothing heavy: a second starter is told within a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from ctcdyn.errors import CtcError, Exit, Problem

NAME = "lock"
_GUARD = "guard"


class Lock:
    """The lock in a folder, held from the constructor to `release`. Raises CtcError (R510, exit 6) where another
    process holds it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._mine = {"host": socket.gethostname(), "boot": _boot(), "pid": os.getpid(), "start": _start(os.getpid())}
        if not self._create():
            self._take_over()

    def release(self) -> None:
        """Give the lock up; once is enough, and the folder may be gone."""
        if holder(self.path.parent) == self._mine:
            with contextlib.suppress(OSError):
                self.path.unlink()
        if {found.name for found in self.path.parent.glob("*")} <= {_GUARD}:  # nothing was begun
            with contextlib.suppress(OSError):
                (self.path.parent / _GUARD).unlink(missing_ok=True)
                self.path.parent.rmdir()

    def _create(self) -> bool:
        """Whether the lock file could be created. It gets its name when it is whole."""
        draft = self.path.with_name(f"{NAME}.{os.getpid()}")
        draft.write_text(json.dumps(self._mine), encoding="utf-8")
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with self.path.open("x", encoding="utf-8") as file:
                    file.write(json.dumps(self._mine))
            except FileExistsError:
                return False
        finally:
            draft.unlink()
        return True

    def _take_over(self) -> None:
        with _guarded(self.path.parent):
            held = holder(self.path.parent)
            if held is not None and not is_dead(held):
                raise _held(self.path, held)
            with contextlib.suppress(FileNotFoundError):
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
    handle = os.open(folder / _GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


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
    return text.rpartition(")")[2].split()[19]
