"""A small run that is struck somewhere and goes on: what must hold, whatever struck it."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import runs
from ctcdyn.errors import Exit
from ctcdyn.store.content import content_hash
from ctcdyn.store.journal import folder_of
from ctcdyn.store.layout import LEAF
from ctcdyn.store.manifest import Entry, Manifest
from faults import Plan
from runs import Ended, Run, Server

STUDY = """schema = 1
[model]
use = "birth_death_immigration"
[initial]
colony = 5
[simulate]
method = "direct"
t_end = "20 days"
save = {{ n = 5 }}
[ensemble]
trajectories = {count}
{seed}
[output]
file = {file}
keep = 600
quantiles = [0.1, 0.5]
picture = false
"""
COUNT = 1100  # five leaves
MAIN = [sys.executable, "-c", "from ctcdyn.cli import main; main()"]


def write_study(path: Path, count: int = COUNT, seed: str = "seed = 42") -> Path:
    file = json.dumps(str(path.with_suffix(".h5")))
    path.write_text(STUDY.format(count=count, seed=seed, file=file), encoding="utf-8")
    return path


def entries(folder: Path) -> list[Entry]:
    """What the manifest in a folder names; nothing where there is none."""
    return Manifest.read(folder).entries if (folder / "manifest.jsonl").exists() else []


@dataclass
class Place:
    """Where one struck run works: its result, the log of its operations, what it removed."""

    folder: Path
    target: Path = field(init=False)
    parts: Path = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.folder / "root" / "out.h5"
        self.parts = folder_of(self.target)
        self.attic.mkdir(parents=True)
        self.target.parent.mkdir()

    @property
    def attic(self) -> Path:
        return self.folder / "attic"

    def plan(self, role: str = "run", at: int = 0, how: str = "count") -> Plan:
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        return Plan(str(self.target.parent), str(log), role, at, how, str(self.attic))

    def operations(self, role: str) -> list[str]:
        """Names of the operations of the last run with a plan."""
        lines = (self.folder / "log").read_text(encoding="utf-8").splitlines()
        return [line.split(" ", 2)[2] for line in lines if line.startswith(f"{role} ")]

    def left(self) -> list[str]:
        return sorted(path.name for path in self.target.parent.iterdir())


@cache
def shared_server() -> Server:
    """One for all scenes of this process, with their kernel."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server("run", write_study(Path(folder) / "warm.toml"), "--progress", "none")
        server.run()
    atexit.register(server.close)
    return server


class Scene:
    """A study, its uninterrupted result, and a server that runs it; `many` small segments are made into one."""

    def __init__(self, folder: Path, count: int = COUNT, many: int = 64) -> None:
        self.folder, self.count, self.many = folder, count, many
        self.study = write_study(folder / "study.toml", count)
        self.server = shared_server()
        self._numbers = itertools.count()
        place = self.place()
        assert self.run(place).code == 0
        self.hash = content_hash(place.target)

    @property
    def operations(self) -> int:
        """How many operations the process of a run has that computes."""
        return self.sizes["run"]

    def place(self) -> Place:
        return Place(self.folder / f"place{next(self._numbers)}")

    def words(self, place: Place, *more: object) -> list[object]:
        return ["run", self.study, "-o", place.target, "--progress", "plain", "--threads", 2, *more]

    def run(self, place: Place, *more: object, plan: Plan | None = None, **options: object) -> Ended:
        """One command in a process of its own; no traceback, and no process that outlives it."""
        (ended,) = self.server.run(Run(self.words(place, *more), plan, **options))  # type: ignore[arg-type]
        assert "Traceback" not in ended.err, ended.err
        assert not runs.left_alive(ended.mark)
        return ended

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many operations each process of a run has."""
        place = self.place()
        assert self.run(place, plan=place.plan(), many=self.many).code == 0
        return {role: len(place.operations(role)) for role in ("run", "assembly")}

    def struck(self, role: str, at: int, how: str) -> int:
        """Strike at an operation, look at what is left, go on, and compare. The exit code of the struck run."""
        place = self.place()
        ended = self.run(place, plan=place.plan(role, at, how), many=self.many)
        told = f"{how} at operation {at} of {role}: {place.operations(role)[-1:]}: {ended}"
        if how in ("kill", "torn"):
            assert ended.code == (-9 if role == "run" else Exit.RESOURCES), told
        elif how == "short":
            assert ended.code == 0, told
        else:
            assert ended.code in (0, Exit.RESOURCES, Exit.OUTPUT), told
        if how == "enospc":
            assert ended.code in (0, Exit.RESOURCES), told
        assert ended.code or content_hash(place.target) == self.hash, told
        before = entries(place.parts)
        done = [what for what in place.operations("run")[:-1] if what.startswith("fsync") and "manifest.jsonl" in what]
        if role == "run" and not place.target.exists() and (how in ("kill", "torn") or before):
            commits = len(done) if self.many > len(done) else 1 + len(done) // 2  # with many = 2: one, then two of each
            leaves = sum(-(-count // LEAF) for entry in before for _, count in entry.runs)
            assert leaves >= commits, f"committed and lost: {told}"
        self.goes_on(place, told)
        return ended.code

    def goes_on(self, place: Place, told: str = "", threads: int = 2) -> Ended:
        """Resume: the same content as without a fault, nothing committed is computed again, nothing is left."""
        finished = place.target.exists()
        before = {} if finished else {e: (place.parts / e.name).stat().st_ino for e in entries(place.parts)}
        never = 10**9  # merged now, a segment would leave the manifest that is compared
        resumed = self.run(place, "--resume", "--threads", threads, plan=place.plan(), many=never)
        assert resumed.code == 0, f"{told}\nresumed: {resumed}"
        assert content_hash(place.target) == self.hash, told
        assert place.left() == ["out.h5"], told
        if not finished:
            after = entries(place.attic)
            assert covered(after) == [(0, self.count)], told
            for entry, inode in before.items():
                assert entry in after, f"computed again: {entry.name}, {told}"
                assert (place.attic / entry.name).stat().st_ino == inode, told
        return resumed

    def unfinished(self, seconds: float = 0.0) -> Place:
        """A run whose segments are all committed, killed when it begins to write the result."""
        place = self.place()
        assert self.run(place, plan=place.plan("assembly", 1, "kill"), seconds=seconds).code == Exit.RESOURCES
        assert covered(entries(place.parts)) == [(0, self.count)]
        return place


def covered(found: list[Entry]) -> list[tuple[int, int]]:
    """Runs of trajectories that entries hold, joined; fails where one comes twice."""
    joined: list[tuple[int, int]] = []
    for first, count in sorted(run for entry in found for run in entry.runs):
        end = sum(joined[-1]) if joined else 0
        assert first >= end, "a trajectory comes twice"
        if joined and first == end:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((first, count))
    return joined


@dataclass(frozen=True)
class Signalled:
    """How a process ended after signals: code, seconds from the first signal to its end, what it wrote."""

    code: int
    seconds: float
    err: str
    left: list[int]


def signalled(
    words: list[object], numbers: list[int], delay: float, environment: dict[str, str] | None = None
) -> Signalled:
    """Start the command, wait until it handles signals and `delay` seconds more, and send it these, 0.2 s apart."""
    mark = f"{os.getpid()}.{random.SystemRandom().getrandbits(64)}"
    child = subprocess.Popen(
        [*MAIN, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | (environment or {}) | {runs.MARK: mark},
    )
    try:
        while child.poll() is None and not _handles(child.pid, numbers[0]):
            _ended(child, 0.005)
        sent = time.monotonic()
        if not _ended(child, delay):
            sent = time.monotonic()
            for number in numbers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
                if _ended(child, 0.2):
                    break
        _ended(child, 60)
        seconds = time.monotonic() - sent
        left = runs.left_alive(mark)
        return Signalled(child.wait(), seconds, child.communicate()[1], left)
    finally:
        child.kill()
        child.wait()


def _ended(child: subprocess.Popen[str], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)
    return child.returncode is not None


def _handles(pid: int, number: int) -> bool:
    """Whether a process has a handler for SIGTERM (Python itself has one for SIGINT) and for `number`."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    caught = int(text.partition("SigCgt:")[2].split()[0], 16)
    return all(caught >> (wanted - 1) & 1 for wanted in (number, int(signal.SIGTERM)))

