"""Peak memory of runs, as the system tells it: no tracing, no sampling."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from scenes import write_study

CHANGES = ('simulate.t_end="2 days"', "simulate.save={ n = 3 }", 'output.keep="none"')
PROGRAM = """
import pathlib, re, sys
from ctcdyn.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
text = pathlib.Path("/proc/self/status").read_text()
print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", text)[1])
"""


def peak(folder: Path, count: int) -> int:
    """Peak resident set of a run of `count` trajectories whose kernel is compiled already, kB."""
    study = write_study(folder / "small.toml", count)
    options = [word for change in CHANGES for word in ("-s", change)]
    words = ["run", str(study), *options, "--threads", "2", "--progress", "none"]
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    study.with_suffix(".h5").unlink()
    return int(done.stdout.splitlines()[-1].removeprefix("peak "))


def by_counts(folder: Path, _rng: random.Random) -> Counter[str]:
    """1e5 and 1e7 trajectories of a small model, sums only: under 600 MB, and within 5 % of each other."""
    peak(folder, 256)  # compiles
    found = {count: peak(folder, count) for count in (10**5, 10**7)}
    assert found[10**7] < 600_000
    assert found[10**7] <= 1.05 * found[10**5], found
    return Counter({f"peak of {count:.0e} trajectories, kB": size for count, size in found.items()})
