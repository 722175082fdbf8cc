"""Where the time of an event and a step goes: the instructions of the lane loop, and what a processor could do at best.

    python benchmarks/spent.py [--rounds 7]

The kernel is compiled anew for this processor, its longest packed loop is taken from the machine code, and `llvm-mca`,
where it is installed, says how many cycles an iteration takes at least, if nothing but the ports is waited for. Beside
it: nanoseconds that a unit of work takes by the clock, in cycles of a chain of dependent multiplications and additions,
each of which takes eight. x86-64, Linux.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODELS = (  # of llvm-mca for names of processors that its version does not know
    ("emeraldrapids", "sapphirerapids"),
    ("graniterapids", "sapphirerapids"),
    ("znver5", "znver3"),
    ("znver4", "znver3"),
)
CHAIN = (
    8.0  # cycles of a multiplication and an addition that wait for each other, on all x86-64 processors since 2015
)
WORK = (
    ("exact jumps, ctc_linear", "event"),
    ("Langevin, ctc_linear", "step"),
    ("tau-leap, birth_death", "step"),
    ("stiff ODE, ctc_five", "step"),
)
PACKED = re.compile(r"\s+v(?:add|sub|mul|div|sqrt|min|max)pd\s")
SLOW = re.compile(r"\s+v(?:div|sqrt)pd\s")


def machine_code(source: str) -> list[str]:
    """Lines of the machine code of a linked module, for this processor."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "module.py")
        file.write_text(source, encoding="utf-8")
        command = [sys.executable, "-m", "ctcdyn.codegen.vectors", str(file)]
        told = subprocess.run(
            command, env=os.environ | {"CTCDYN_CACHE": folder}, capture_output=True, text=True, check=True
        )
    return told.stdout.splitlines()


def packed_loops(lines: list[str]) -> list[list[str]]:
    """Innermost loops with packed arithmetic in them, the longest first."""
    from ctcdyn.codegen.vectors import _loops

    found = [loop for loop in _loops(lines) if sum(bool(PACKED.match(line)) for line in loop) > 4]
    return sorted(found, key=lambda loop: -sum(bool(PACKED.match(line)) for line in loop))


def least_cycles(loop: list[str]) -> float | None:
    """Cycles of an iteration by the ports alone (block reciprocal throughput); None without llvm-mca."""
    if shutil.which("llvm-mca") is None:
        return None
    import llvmlite.binding as llvm

    name = dict(MODELS).get(llvm.get_host_cpu_name(), llvm.get_host_cpu_name())
    text = "\n".join(line for line in loop if re.match(r"\s+[a-z]", line) and not re.match(r"\s+(\.|j|call)", line))
    told = subprocess.run(
        ["llvm-mca", f"-mcpu={name}", "-iterations=100"], input=text, capture_output=True, text=True, check=False
    )
    found = re.search(r"Block RThroughput:\s+([\d.]+)", told.stdout)
    return float(found[1]) if found else None


def clock() -> float:
    """Cycles a nanosecond now."""
    from numba import njit

    @njit("float64(int64)", nogil=True)
    def chain(n: int) -> float:
        x = 1e-6 * n
        for _ in range(n):
            x = x * 0.9999999 + 1e-7
        return x

    times = []
    for _ in range(9):
        start = time.process_time()
        chain(5_000_000)
        times.append(time.process_time() - start)
    return CHAIN * 5e6 / (1e9 * min(times))


def spent(rounds: int) -> dict[str, Any]:
    """{"ghz", "rows"}: of each kernel the loop's facts, and what a unit of work takes by the clock."""
    from ctcdyn.cli.workloads import workloads

    known = {one.name: one for one in workloads()}
    rows = []
    for name, unit in WORK:
        one = known[name]
        assert one.source is not None
        off, allowed = one.check()
        if not off <= allowed:
            raise SystemExit(f"spent: the answer of {name} is wrong")
        times = []
        for _ in range(rounds):
            done = one.run()
            times.append(1e9 * done.seconds / done.counts[f"{unit}s"])
        loops = packed_loops(machine_code(one.source))
        loop = loops[0]
        lanes = 8 if any("%zmm" in line for line in loop if PACKED.match(line)) else 4
        rows.append({
            "name": name, "unit": unit, "ns": round(statistics.median(times), 3), "lanes": lanes, "loops": len(loops),
            "instructions": sum(bool(re.match(r"\s+[a-z]", line)) for line in loop),
            "packed": sum(bool(PACKED.match(line)) for line in loop),
            "slow": sum(bool(SLOW.match(line)) for line in loop),
            "least": least_cycles(loop),
        })  # fmt: skip
    return {"ghz": round(clock(), 3), "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    found = spent(parser.parse_args().rounds)
    print(f"{found['ghz']:.2f} cycles a ns")
    for row in found["rows"]:
        print(row)


if __name__ == "__main__":
    main()
