"""Where the time of a whole command goes, from its start to the first trajectories and to the picture (Linux).

    python benchmarks/starting.py [STUDY.toml] [--runs 7] [--cold] [--threads N]

Runs `ctcdyn run` (default: configs/quickstart.toml) and reads the CPU clock of its process whenever it reports: CPU and
wall seconds from the start of the process until the study is checked, the kernel is there, the first range of
trajectories is done, the last one is, and the command ends with its result, summary and picture, the process that
writes the result included. Medians of several runs. `--cold`: each with an empty cache of kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES = ("checked", "kernel", "first range", "last range", "end")
OF = {"note": "checked", "start": "kernel", "advance": "first range", "finish": "last range"}


def once(study: Path, cache: str | None, threads: int | None) -> dict[str, tuple[float, float]]:
    """(CPU s, wall s) from the start of one command to each of STAGES."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", str(study), "-o", f"{folder}/result.h5", "--progress", "json"]
        words += [] if threads is None else ["--threads", str(threads)]
        began = time.monotonic()
        run = subprocess.Popen(
            [sys.executable, "-m", "ctcdyn", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=os.environ | ({} if cache is None else {"CTCDYN_CACHE": cache}),
        )  # fmt: skip
        clock = (~run.pid << 3) | 2  # Linux: the CPU clock of another process
        found: dict[str, tuple[float, float]] = {}
        told = []
        assert run.stderr is not None
        with run.stderr:
            for line in run.stderr:
                told.append(line)
                event = json.loads(line)["event"] if line.startswith("{") else ""
                if event in OF:
                    found.setdefault(OF[event], (time.clock_gettime(clock), time.monotonic() - began))
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        if run.returncode:
            raise SystemExit(f"starting: ctcdyn ended with {run.returncode}: {''.join(told)}")
        return found | {"end": (used.ru_utime + used.ru_stime, time.monotonic() - began)}


def medians(study: Path, runs: int, cold: bool = False, threads: int | None = None) -> dict[str, list[float]]:
    """Medians over runs: {stage: [CPU s, wall s]}."""
    if not cold:
        once(study, None, threads)
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as cache:
            found.append(once(study, cache if cold else None, threads))
    return {
        stage: [round(statistics.median(one[stage][k] for one in found), 3) for k in (0, 1)]
        for stage in STAGES
        if all(stage in one for one in found)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("study", nargs="?", type=Path, default=ROOT / "configs" / "quickstart.toml")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cold", action="store_true")
    given = parser.parse_args()
    for stage, (cpu, wall) in medians(given.study, given.runs, given.cold, given.threads).items():
        print(f"{stage:12} {cpu:7.2f} s of CPU {wall:7.2f} s wall")


if __name__ == "__main__":
    main()
