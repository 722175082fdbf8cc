"""Faults on purpose: the I/O of a process is counted, and its n-th operation kills it, fails, or writes only half.

A process is told by the environment (VARIABLE: a `Plan` as JSON), through `hook/sitecustomize.py`; the package knows
nothing of it. Operations are those that change files under `Plan.root`, as Python makes them: HDF5 writes through
Python files here. The process that computes and the one that writes the result count for themselves.
"""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

VARIABLE = "CTCDYN_TEST_FAULT"
WAYS = ("count", "kill", "torn", "enospc", "eio", "dead", "short")
_NAMES = ("write", "pwrite", "fsync", "ftruncate", "link", "replace", "rename", "unlink", "mkdir", "rmdir")
_NEED_SPACE = {"open", "write", "pwrite", "ftruncate", "fsync", "mkdir", "link"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What goes wrong: from operation `at` (from 1) of the process `role` on.

    kill: SIGKILL before it; torn: half of it, then SIGKILL; enospc: no space from then on; eio: it fails, once; dead:
    all operations fail from then on; short: all writes from then on write half.
    """

    root: str
    log: str  # a line for every operation that was begun
    role: str = "run"
    at: int = 0
    how: str = "count"
    attic: str = ""  # a folder that gets a link to each segment and manifest before it is removed

    def environment(self) -> dict[str, str]:
        here = Path(__file__).parent
        path = os.pathsep.join([str(here / "hook"), str(here), os.environ.get("PYTHONPATH", "")])
        return {VARIABLE: json.dumps(dataclasses.asdict(self)), "PYTHONPATH": path}


def arm_as_told() -> None:
    """Wrap the I/O of this process where the environment says so."""
    if VARIABLE in os.environ:
        arm(Plan(**json.loads(os.environ[VARIABLE])))


def arm(plan: Plan) -> None:
    """Wrap the I/O of this process for good."""
    role = "assembly" if any("ctcdyn.store.assembly" in word for word in sys.orig_argv) else "run"
    _Layer(plan, role).wrap()


def _opened(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class _Layer:
    def __init__(self, plan: Plan, role: str) -> None:
        self.plan, self.role, self.armed = plan, role, role == plan.role
        self.number = 0
        self.log = os.open(plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self.real: dict[str, Any] = {}

    def wrap(self) -> None:
        self.real["open"] = os.open
        for name in _NAMES:
            self.real[name] = getattr(os, name)
        for name in _NAMES:
            setattr(os, name, self._wrapped(name))
        os.open = self._open  # type: ignore[assignment]
        os.remove = os.unlink
        self.real["io.open"] = io.open
        io.open = self._io_open  # type: ignore[assignment]

    def _wrapped(self, name: str) -> Callable[..., Any]:
        real = self.real[name]

        def act(first: Any, *rest: Any, **more: Any) -> Any:
            path = self._path(first, more.get("dir_fd") if "dir_fd" in more else None)
            if path is None:
                return real(first, *rest, **more)
            data = rest[0] if name in ("write", "pwrite") else None
            part = self.meet(name, path, len(data) if data is not None else None)
            if name == "unlink":
                self._keep(path)
            try:
                if data is None or part is None:
                    return real(first, *rest, **more)
                return real(first, memoryview(data)[:part], *rest[1:], **more) if part else 0
            finally:
                self.over()

        return act

    def _open(self, path: Any, flags: int, *rest: Any, **more: Any) -> int:
        where = self._path(path, more.get("dir_fd")) if flags & os.O_CREAT else None
        if where is None:
            return int(self.real["open"](path, flags, *rest, **more))
        self.meet("open", where, None)
        handle = int(self.real["open"](path, flags, *rest, **more))
        self.over()
        return handle

    def _io_open(self, file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        path = self._path(file, None) if set(mode) & set("wxa") and not isinstance(file, int) else None
        if path is None:
            return self.real["io.open"](file, mode, *rest, **more)
        self.meet("open", path, None)
        raw = io.BufferedWriter(_File(self, path, mode.replace("b", "").replace("t", "")))
        self.over()
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding="utf-8")

    def _path(self, what: Any, folder: int | None) -> str | None:
        """The path under the root that an operation is about, None for all others."""
        try:
            if isinstance(what, int):
                path = _opened(what)
            else:
                path = Path(what) if folder is None else _opened(folder) / what
        except OSError:
            return None
        return str(path) if path.is_relative_to(self.plan.root) else None

    def meet(self, name: str, path: str, size: int | None) -> int | None:
        """Count an operation, and do to it what is planned. How much of a write is to be done; None: all."""
        self.number += 1
        self.real["write"](self.log, f"{self.role} {self.number} {name} {path}\n".encode())
        at, how = self.plan.at, self.plan.how
        if not self.armed or self.number < at or how == "count":
            return None
        if how == "kill":
            die()
        if how == "torn":
            return size // 2 if size is not None else None
        if how == "enospc" and name in _NEED_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if how == "dead" or (how == "eio" and self.number == at):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        if how == "short" and size is not None:
            return (size + 1) // 2
        return None

    def over(self) -> None:
        if self.armed and self.plan.how == "torn" and self.number >= self.plan.at:
            die()

    def _keep(self, where: str) -> None:
        path = Path(where)
        if self.plan.attic and path.suffix in (".h5", ".jsonl") and path.parent.suffix == ".parts":
            kept = Path(self.plan.attic, path.name)
            if kept.exists():
                self.real["unlink"](kept)
            if path.exists():
                self.real["link"](path, kept)


class _File(io.FileIO):
    """A file opened by `open`, whose writes are counted too."""

    def __init__(self, layer: _Layer, path: str, mode: str) -> None:
        self._layer, self._where = layer, path
        super().__init__(path, mode)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        part = self._layer.meet("write", self._where, len(view))
        done = super().write(view if part is None else view[:part]) if part != 0 else 0
        self._layer.over()
        return int(done or 0)
