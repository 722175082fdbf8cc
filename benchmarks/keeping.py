"""What keeping every path costs, and what memory a run takes.

    python benchmarks/keeping.py cpu --pairs 9 [--compression gzip] [--saves "100 days"]
    python benchmarks/keeping.py memory 100_000 10_000_000

`cpu`: 60 000 draws of `ctc_five` with one thread, CPU (user and system) from the first trajectory to the last commit,
`keep = "all"` in single precision against `keep = "none"`, in interleaved pairs; without the process that writes the
result. `memory`: peak resident set of `ctcdyn run` and of the process that writes the result (Linux).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL = """schema = 1
[model]
use = "birth_death_immigration"
[initial]
colony = 5
[simulate]
method = "direct"
t_end = "2 days"
save = { n = 3 }
[ensemble]
trajectories = 1
seed = 1
[output]
file = "small.h5"
keep = "none"
quantiles = [0.1, 0.5]
picture = false
"""


class CommittedError(Exception):
    """All is committed."""


def one(target: str, keep: str, compression: str, saves: str) -> None:
    """In a process of its own: CPU seconds and bytes until the last commit, as JSON."""
    from ctcdyn import study
    from ctcdyn.progress import Silent
    from ctcdyn.store.journal import Journal

    def used() -> float:
        mine = resource.getrusage(resource.RUSAGE_SELF)
        return mine.ru_utime + mine.ru_stime

    class Watch(Silent):
        def start(self, _total: int) -> None:
            self.began = used()

    def stop(journal: Journal, *_: object) -> None:
        size = sum(entry.size for entry in journal.manifest.entries)
        print(json.dumps({"cpu": used() - watch.began, "bytes": size, "segments": len(journal.manifest.entries)}))
        raise CommittedError

    watch, study.assemble = Watch(), stop  # type: ignore[assignment]
    changes = [f'output.file="{target}"', f'output.keep="{keep}"', f'output.compression="{compression}"']
    changes += ["population.patients=60000", 'output.precision="single"', f'simulate.save={{every="{saves}"}}']
    from ctcdyn.config import load_study

    plan = load_study(ROOT / "configs" / "ctc_five_ode.toml", changes)
    try:
        study.run(plan, threads=1, progress=watch, overwrite=True)
    except CommittedError:
        return


def cpu(pairs: int, compression: str, saves: str) -> list[list[dict[str, float]]]:
    """Of each pair what `keep = "none"` and "all" took: CPU seconds and bytes."""
    pairs_found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(pairs):
            found = []
            for keep in ("none", "all"):
                command = [sys.executable, __file__, "one", f"{folder}/{keep}.h5", keep, compression, saves]
                found.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
            pairs_found.append(found)
            print(*(f"{one['cpu']:.2f} s" for one in found), f"{overhead([found])[0]:.3f}", found[1], flush=True)
    return pairs_found


def overhead(pairs: list[list[dict[str, float]]]) -> tuple[float, float, float]:
    """CPU with every path kept / CPU with none, of pairs: median, least and largest."""
    ratios = [kept["cpu"] / none["cpu"] for none, kept in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def memory(counts: list[int]) -> dict[int, dict[str, float]]:
    """MiB of the run and of its assembly at the most, by number of trajectories."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "small.toml").write_text(SMALL, encoding="utf-8")
        for count in counts:
            program = "from ctcdyn.cli import main; main()"
            words = ["run", "small.toml", "-o", f"{count}.h5", "-s", f"ensemble.trajectories={count}", "--threads", "2"]
            run = subprocess.Popen([sys.executable, "-c", program, *words, "--progress", "none"], cwd=folder,
                                   stdout=subprocess.DEVNULL)  # fmt: skip
            peak: dict[str, int] = {}
            while run.poll() is None:
                for name, pid in [("run", run.pid), *(("assembly", child) for child in children(run.pid))]:
                    peak[name] = max(peak.get(name, 0), high_water(pid))
                time.sleep(0.02)
            if run.returncode:
                raise SystemExit(f"keeping: ctcdyn ended with {run.returncode}")
            found[count] = {name: kilo / 1024 for name, kilo in peak.items()}
            print(count, {name: f"{mega:.0f} MiB" for name, mega in found[count].items()}, flush=True)
    return found


def children(pid: int) -> list[int]:
    """Processes that write a result; one that is still a copy of its parent is none."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [int(w) for w in words if b"ctcdyn.store.assembly" in Path(f"/proc/{w}/cmdline").read_bytes()]
    return []


def high_water(pid: int) -> int:
    """Peak resident set, KiB."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except OSError:
        return 0
    return int(found[1]) if found else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        one(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        which = parser.add_subparsers(dest="what", required=True)
        paired = which.add_parser("cpu")
        paired.add_argument("--pairs", type=int, default=9)
        paired.add_argument("--compression", default="none")
        paired.add_argument("--saves", default="10 days")
        which.add_parser("memory").add_argument("counts", type=int, nargs="+")
        given = parser.parse_args()
        if given.what == "cpu":
            middle, low, high = overhead(cpu(given.pairs, given.compression, given.saves))
            print(f"median {middle:.3f}, {low:.3f} to {high:.3f}")
        else:
            memory(given.counts)
