"""Runs of `ctcdyn` in processes of their own, many in a second: a server that has all loaded forks for each.

    (ended,) = server.run(Run(["run", study, "--resume"], plan))

What the process tree of a run leaves is found by a mark in its environment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import json
import os
import select
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import faults

MARK = "CTCDYN_TEST_MARK"
LOAD = "CTCDYN_TEST_LOAD"
TESTS = Path(__file__).parent
LIMIT = 5.0  # s, the upper limit that the issue states


@dataclasses.dataclass(frozen=True)
class Run:
    """One command: its words, what goes wrong, seconds between commits, limits of the system (RLIMIT_...), and how many
    small segments are made into one.
    """

    words: Sequence[object]
    plan: faults.Plan | None = None
    seconds: float = 0.0
    limits: Mapping[str, int] = dataclasses.field(default_factory=dict)
    many: int = 64


@dataclasses.dataclass(frozen=True)
class Ended:
    """How it ended: exit code (negative: the signal that killed it), and what it wrote."""

    code: int
    out: str
    err: str
    mark: str
    pid: int = 0


class Server:
    """A process with everything imported, and with the kernels it has run; not for two threads at once."""

    def __init__(self, *warm: object, load: Sequence[str] = ()) -> None:
        """`warm`: a command that the server runs itself, so that its kernel is loaded; `load`: modules it imports."""
        words = [str(word) for word in warm]
        command = [sys.executable, __file__, *words]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
            env=os.environ | {LOAD: " ".join(load)},
        )

    def run(self, *runs: Run) -> list[Ended]:
        """Run these, all at once, and wait for them."""
        return self.wait(self.start(*runs))

    def start(self, *runs: Run) -> list[dict[str, Any]]:
        """Begin these, all at once; each has its `pid`."""
        orders = []
        for run in runs:
            plan = dataclasses.asdict(run.plan) if run.plan else None
            orders.append({"words": [str(word) for word in run.words], "plan": plan, "seconds": run.seconds,
                           "limits": dict(run.limits), "many": run.many, "mark": uuid.uuid4().hex})  # fmt: skip
        found: list[dict[str, Any]] = self._ask({"begin": orders})
        return found

    def wait(self, started: list[dict[str, Any]]) -> list[Ended]:
        return [Ended(**found) for found in self._ask({"wait": started})]

    def _ask(self, what: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the server of runs has died"
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def wait_for(handle: int, seconds: float) -> bool:
    """Whether the process of this pidfd ends within so many seconds."""
    return bool(select.select([handle], [], [], max(0.0, seconds))[0])


def left_alive(mark: str, patience: float = LIMIT) -> list[int]:
    """Processes with this mark that are still there after `patience` seconds; waits for each to end."""
    end = time.monotonic() + patience
    left = []
    for pid in _marked(mark):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if not wait_for(handle, end - time.monotonic()):
                    left.append(pid)
            finally:
                os.close(handle)
    return left


def _marked(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
    return found


def _serve() -> None:
    import ctcdyn.ensemble
    import ctcdyn.preparation
    import ctcdyn.results
    import ctcdyn.store.assembly
    import ctcdyn.study
    import ctcdyn.summary  # noqa: F401
    from ctcdyn.cli import app

    for name in os.environ.get(LOAD, "").split():
        importlib.import_module(name)
    if sys.argv[1:]:
        nothing = io.StringIO()
        with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing), contextlib.suppress(SystemExit):
            app(sys.argv[1:])
    reports: dict[int, dict[str, Any]] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "begin" in order:
            begun = []
            for run in order["begin"]:
                (out, to), (err, errors) = _scratch(), _scratch()
                pid = os.fork()
                if not pid:
                    _become(run, to, errors)
                reports[pid] = {"out": out, "err": err, "fds": (to, errors)}
                begun.append({"pid": pid, "mark": run["mark"]})
            print(json.dumps(begun), flush=True)
        else:
            print(json.dumps([_reap(reports.pop(run["pid"]), run) for run in order["wait"]]), flush=True)


def _scratch() -> tuple[int, int]:
    handle = os.memfd_create("output")
    return handle, handle


def _reap(report: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    _, status = os.waitpid(run["pid"], 0)
    found = {"code": os.waitstatus_to_exitcode(status), "mark": run["mark"], "pid": run["pid"]}
    for name in ("out", "err"):
        handle = report[name]
        found[name] = os.pread(handle, 1 << 24, 0).decode("utf-8", "replace")
        os.close(handle)
    return found


def _become(run: dict[str, Any], out: int, err: int) -> None:
    """In the child: be the command, and end."""
    import resource
    import traceback

    import ctcdyn.cli
    import ctcdyn.preparation
    import ctcdyn.store.compaction
    import ctcdyn.store.journal

    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.environ[MARK] = run["mark"]
    for name, value in run["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, resource.RLIM_INFINITY))
    ctcdyn.store.journal.SECONDS = ctcdyn.preparation.SECONDS = run["seconds"]
    ctcdyn.store.compaction.MANY = run["many"]
    if run["plan"] is not None:
        plan = faults.Plan(**run["plan"])
        os.environ.update(plan.environment())
        faults.arm(plan)
    sys.argv = ["ctcdyn", *run["words"]]
    code: object = 0
    try:
        ctcdyn.cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 (as the interpreter would)
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush() if sys.stdout else None
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve()
