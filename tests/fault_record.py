"""Runs the long versions of the fault tests, and writes down how they ended: `python tests/fault_record.py [NAME ...]`.

Each row of docs/record-faults.md is one of them, with its date, seed and counts; a row that is run again is replaced.
"""

from __future__ import annotations

import os
import platform
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("CTCDYN_CACHE", os.environ.get("CTCDYN_TEST_CACHE") or tempfile.mkdtemp(prefix="kernels"))

import matrix
import memory
import strikes
from ctcdyn.preparation import versions
from faults import WAYS
from scenes import COUNT, Scene
from strikes import Counts

PAGE = Path(__file__).parents[1] / "docs" / "record-faults.md"
LONG = 30_000
HEAD = """# Record of faults

Written by `python tests/fault_record.py`; `pytest -m faults` runs the same, and the normal tests a short version of
each. A row holds only where nothing went wrong in any of its repeats: no committed trajectory lost or computed twice,
no traceback, no process left, no result with another content hash than the uninterrupted run, nothing left beside the
result. Processes die here, machines do not: the page cache survives, so loss of power is not covered.

The run has {count} trajectories of `birth_death_immigration` in five leaves, each committed for itself (in rows that
say so, each two segments are made into one at once), with two threads, 600 kept paths and quantiles; rows of signals
have {long} trajectories and commit once a second. In the row of combinations it has {many}: threads 1, 2, 7 (of Dask:
workers on loopback) x shards 1, 3, 10 x local, Dask x no kills, or three in each shard, merged as a virtual file and as
a copy: one content hash.

| what | when | machine | seed | counts | outcome | minutes |
|---|---|---|---|---|---|---|
"""


def every(role: str, how: str, many: int = 64) -> Callable[[Path, random.Random], Counts]:
    def strike(folder: Path, _rng: random.Random) -> Counts:
        scene = Scene(folder, many=many)
        return strikes.at_operations(scene, role, how, range(1, scene.sizes[role] + 1))

    return strike


def signals(number: signal.Signals, times: int, cold: bool) -> Callable[[Path, random.Random], Counts]:
    def strike(folder: Path, rng: random.Random) -> Counts:
        return strikes.by_signals(Scene(folder, LONG), [number], times, rng, 6.0 if cold else 2.5, cold)

    return strike


ROWS: dict[str, Callable[[Path, random.Random], Counts]] = {
    f"{how} at every operation of run, segments merged": every("run", how, 2) for how in WAYS[1:]
}
ROWS |= {f"{how} at every operation of assembly": every("assembly", how) for how in WAYS[1:]}
ROWS |= {
    "files limited by the system (RLIMIT_FSIZE)": lambda folder, rng: strikes.by_limits(
        Scene(folder), [int(10 ** rng.uniform(3.2, 5.2)) for _ in range(60)]
    ),
    "a file system that something else fills": lambda folder, rng: strikes.by_full_disks(Scene(folder), 100, rng),
    "threads x shards x executor x kills": matrix.by_matrix,
    "SIGKILL at random moments": lambda folder, rng: strikes.at_random(Scene(folder), 200, rng, 0.4),
    "SIGTERM at random moments": signals(signal.SIGTERM, 75, False),
    "SIGTERM, kernel not compiled": signals(signal.SIGTERM, 25, True),
    "SIGINT at random moments": signals(signal.SIGINT, 75, False),
    "SIGINT, kernel not compiled": signals(signal.SIGINT, 25, True),
    "SIGTERM, then SIGINT 0.2 s later": lambda folder, rng: strikes.by_signals(
        Scene(folder, LONG), [signal.SIGTERM, signal.SIGINT], 50, rng, 2.5, False
    ),
    "bits flipped and ends cut off": lambda folder, rng: strikes.by_flips(Scene(folder), 1000, 200, 120, rng),
    "eight starters, new interpreters": lambda folder, _rng: strikes.by_starters(Scene(folder), 50, True),
    "eight starters, forks": lambda folder, _rng: strikes.by_starters(Scene(folder), 150, False),
    "memory of many trajectories": memory.by_counts,
    "holder killed, eight resume": lambda folder, rng: strikes.by_takers(Scene(folder), 50, rng),
}


def record(name: str) -> bool:
    """Run one row and write it; whether all went well."""
    seed = random.SystemRandom().getrandbits(32)
    began, failed = time.monotonic(), ""
    with tempfile.TemporaryDirectory() as folder:
        try:
            counts = ROWS[name](Path(folder), random.Random(seed))
            told = ", ".join(f"{what}: {number}" for what, number in sorted(counts.items()) if number)
        except AssertionError:
            traceback.print_exc()
            failed, told = traceback.format_exc(limit=-1).strip().splitlines()[-1][:200], ""
    minutes = (time.monotonic() - began) / 60
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    machine = f"{os.cpu_count()} x {versions()['cpu_name']}, {platform.system()}"
    outcome = f"FAILED: {failed}" if failed else "all held"
    cells = (name, when, machine, str(seed), told, outcome, f"{minutes:.1f}")
    write("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    print(*cells, sep=" | ", flush=True)
    return not failed


def write(row: str) -> None:
    """Put a row in its place on the page."""
    import fcntl

    with PAGE.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two of this program may run at once
        file.seek(0)
        rows = {line.split(" | ")[0]: line for line in file.read().splitlines() if line.count(" | ") > 5}
        rows = {name: line for name, line in rows.items() if name.removeprefix("| ") in ROWS}
        rows[row.split(" | ")[0]] = row
        order = [rows[f"| {name}"] for name in ROWS if f"| {name}" in rows]
        file.truncate(0)
        file.write(HEAD.format(count=COUNT, long=LONG, many=matrix.COUNT) + "\n".join(order) + "\n")


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - set(ROWS)
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)}; there are: {', '.join(ROWS)}")
    went_well = [record(name) for name in sys.argv[1:] or ROWS]
    sys.exit(not all(went_well))
