"""Whether `ctcdyn bench` sees a slowdown that is there, and none that is not: slowdowns put into kernels, and counted.

    python benchmarks/injected.py [--slowed 20] [--unchanged 50] [--work WORD ...] [--write docs/record-regressions.md]

Work that does nothing, but that no compiler can leave out, is written into the loop of a kernel's text behind every
sweep, as much of it as makes the kernel a fifth slower. `chain` is a chain of floating-point multiplications and
additions, each of which waits for the one before: it takes time, but few instructions; `shuffle` shuffles the bits of a
whole number, which takes more of them. Then the same is done as `ctcdyn bench --against` does it: both kernels in turn
in one process, 41 rounds, of which the 30 % are left out in which the machine moved most; a slowdown is seen where the
lower end of the 90 % interval is above P per cent. In unchanged trials both sides are the same kernel, compiled twice,
so that code and work space lie elsewhere. Last, instructions of slowed and unchanged kernels are counted by callgrind,
as `ctcdyn bench --facts` does it, in a new process for every few trials.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ctcdyn.cli import against, timings
from ctcdyn.cli.facts import first_call
from ctcdyn.cli.workloads import Piece, workloads
from ctcdyn.codegen import cache
from ctcdyn.codegen.executed import Call, executed, machine_code, why_not
from ctcdyn.codegen.kernel import Kernel, entries
from ctcdyn.codegen.vectors import TARGET
from ctcdyn.preparation import versions

WORK = ("exact jumps, ctc_linear", "stiff ODE, ctc_five", "Langevin, ctc_linear")
SLOWER = 1.2
P_TIMES, P_FACTS = 8.0, 1.0  # per cent of --fail-above: of times, and of facts as CI compares them
COPIES = 4  # of an unchanged kernel, each compiled anew
FIRST = {"chain": 30, "shuffle": 40}  # turns that are tried first
PROCESSES = 5  # among which the counting is divided
SWEEP = re.compile(r"^( +)flags = sweep\(w, v, setting\)\n", re.MULTILINE)
END = re.compile(r"^( +)if task\[IDLE\] == W:\n", re.MULTILINE)
START = re.compile(r"^( +)vacant = True.*\n", re.MULTILINE)
INJECTED = {
    "chain": ("waste = 0.5", "waste = waste * 0.999 + 0.001", "waste < 0.0"),
    "shuffle": (
        "waste = uint64(88172645463325252)",
        "waste = (waste ^ (waste << uint64(13))) ^ (waste >> uint64(7))",
        "waste == uint64(0)",
    ),
}


def slowed(text: str, kind: str, turns: int) -> str:
    """The text of a kernel that does work for nothing behind each sweep, so many turns of it."""
    first, each, never = INJECTED[kind]
    text = START.sub(rf"\g<0>\g<1>{first}\n", text, count=1)
    text = SWEEP.sub(rf"\g<0>\g<1>for burn in range({turns}):\n\g<1>    {each}\n", text, count=1)
    text = END.sub(rf"\g<1>if {never}:\n\g<1>    task[SWEEPS] += 1\n\g<0>", text, count=1)
    if text.count("waste") < 4:
        raise SystemExit("injected: the loop of the kernel is written in another way now: mend the patterns")
    return text


def compiled(piece: Piece, text: str) -> Kernel:
    return replace(piece.kernel, source=text, module=cache.load(text, entries))


def compared(piece: Piece, before: Kernel, now: Kernel, rounds: int = against.ROUNDS) -> timings.Ratio:
    """As `ctcdyn bench --against`: one piece of work by two kernels, with new work space."""
    rival = against.in_one_process(replace(piece, kernel=now), before, "one process", rounds)
    found = against.alternated([rival])[piece.name]
    return timings.paired(piece.name, found.before, found.now)


def calibrated(piece: Piece, kind: str) -> tuple[int, float]:
    """Turns that make the kernel a fifth slower, and how much slower it was with them."""
    source = piece.linked.source
    turns, took = FIRST[kind], 0.0
    for _ in range(6):
        took = compared(piece, piece.kernel, compiled(piece, slowed(source, kind, turns))).ratio
        if abs(took - SLOWER) < 0.01:
            break
        last, turns = turns, max(1, min(round(turns * (SLOWER - 1.0) / max(took - 1.0, 0.02)), 8 * turns))
        if last == turns:
            break
    return turns, took


def timed(piece: Piece, trials: int, unchanged: int) -> tuple[list[dict[str, object]], dict[str, int]]:
    source = piece.linked.source
    same = [piece.kernel, *(compiled(piece, f"{source}\nCOPY = {k}\n") for k in range(1, COPIES))]
    rows, turns_of = [], {}
    start = time.process_time()
    ratios = [compared(piece, same[k % COPIES], same[(k + 1 + k // COPIES % 3) % COPIES]) for k in range(unchanged)]
    alarms = sum(one.slower_than(P_TIMES) for one in ratios)
    row = {"work": piece.name, "what": "unchanged", "told": alarms, "trials": unchanged}
    rows.append(row | {"ratios": [one.ratio for one in ratios], "seconds": time.process_time() - start})
    for kind in INJECTED:
        turns_of[kind], took = calibrated(piece, kind)
        slow = compiled(piece, slowed(source, kind, turns_of[kind]))
        start = time.process_time()
        ratios = [compared(piece, same[k % COPIES], slow) for k in range(trials)]
        seen = sum(one.slower_than(P_TIMES) for one in ratios)
        what = f"{kind}, {100 * (took - 1):.0f} % slower ({turns_of[kind]} turns)"
        row = {"work": piece.name, "what": what, "told": seen, "trials": trials}
        rows.append(row | {"ratios": [one.ratio for one in ratios], "seconds": time.process_time() - start})
    return rows, turns_of


def counted(turns: dict[str, dict[str, int]], trials: int, unchanged: int) -> list[dict[str, object]]:
    """Run in a process that compiles for TARGET: instructions of slowed and unchanged kernels beside the kernel's."""
    rows = []
    for one in workloads():
        piece = one.piece
        if piece is None or one.name not in turns:
            continue
        source = piece.linked.source
        kernels = {"unchanged": compiled(piece, f"{source}\nCOPY = 0\n")}
        kernels |= {kind: compiled(piece, slowed(source, kind, n)) for kind, n in turns[one.name].items()}
        small = replace(piece, short=replace(piece.short, count=64, times=piece.short.times[:3]))
        calls = {what: _call(replace(small, kernel=kernel)) for what, kernel in kernels.items()}
        before = executed([_call(small)])[0].instructions
        found: dict[str, list[int]] = {what: [] for what in kernels}
        start = time.process_time() + sum(os.times()[2:4])
        for process in range(PROCESSES):
            queue = [w for w in kernels for _ in range(process, unchanged if w == "unchanged" else trials, PROCESSES)]
            for what, done in zip(queue, executed([calls[what] for what in queue]), strict=True):
                found[what].append(done.instructions)
        seconds = time.process_time() + sum(os.times()[2:4]) - start
        for what, numbers in found.items():
            told = sum(timings.Change(one.name, "instructions", before, n).forbidden(P_FACTS) for n in numbers)
            ratios = [n / before for n in numbers]
            rows.append({"work": one.name, "what": what, "told": told, "trials": len(numbers), "ratios": ratios,
                         "seconds": seconds / len(found)})  # fmt: skip
    return rows


def _call(piece: Piece) -> Call:
    return first_call(piece, machine_code(piece.kernel.module.run))


def in_a_process(turns: dict[str, dict[str, int]], trials: int, unchanged: int) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        fixed = {"NUMBA_CPU_NAME": TARGET, "NUMBA_CPU_FEATURES": "", "CTCDYN_CACHE": folder}
        command = [sys.executable, __file__, "--slowed", str(trials), "--unchanged", str(unchanged)]
        command += ["--counted", json.dumps(turns)]
        return json.loads(subprocess.run(command, env=os.environ | fixed, check=True, stdout=subprocess.PIPE).stdout)


HEAD = """# Record of regressions

Written by `python benchmarks/injected.py --write docs/record-regressions.md`, whose head says how: work that does
nothing was written into the text of kernels, as much as makes them a fifth slower, and the two ways of
[regressions.md](regressions.md) were asked. Promised are 19 of 20 slowdowns seen and at most 1 of 50 unchanged kernels
called slower, with 30 % of the rounds left out.
"""
TABLE = """
| work | kernel | told slower | ratios found: median, lowest, highest | CPU s |
|---|---|---|---|---|"""


def record(times: list[dict[str, object]], facts: list[dict[str, object]], reason: str | None, load: str) -> str:
    known = versions()
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    made_by = ", ".join(f"{name} {known[f'{name}_version']}" for name in ("numba", "llvmlite", "numpy"))
    machine = f"{known['cpu_name']}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}"
    lines = [HEAD, f"{date} UTC, {machine}, {made_by}."]
    lines += [f"\n## In turn in one process, P = {P_TIMES:g}", TABLE, *map(row, times)]
    lines += [f"\n## Instructions counted by callgrind for {TARGET}, P = {P_FACTS:g}"]
    lines += [TABLE, *map(row, facts)] if reason is None else [f"\nNot counted: {reason}."]
    return "\n".join(lines) + "\n"


def row(one: dict[str, object]) -> str:
    ratios = np.array(one["ratios"])
    spread = f"{np.median(ratios):.3f}, {ratios.min():.3f}, {ratios.max():.3f}"
    return f"| {one['work']} | {one['what']} | {one['told']} of {one['trials']} | {spread} | {one['seconds']:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Put slowdowns into kernels and see whether they are seen.")
    parser.add_argument("--slowed", type=int, default=20, help="trials with a slowed kernel, of each kind")
    parser.add_argument("--unchanged", type=int, default=50, help="trials with an unchanged kernel")
    parser.add_argument("--work", nargs="+", default=WORK, help="beginnings of names of work")
    parser.add_argument("--write", type=Path, help="the record, as Markdown")
    parser.add_argument("--counted", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.counted:
        print(json.dumps(counted(json.loads(given.counted), given.slowed, given.unchanged)))
        return
    times, turns = [], {}
    loads = [os.getloadavg()[0]]
    for one in workloads():
        if one.piece is not None and one.name.startswith(tuple(given.work)):
            rows, turns[one.name] = timed(one.piece, given.slowed, given.unchanged)
            times += rows
            loads.append(os.getloadavg()[0])
            print("\n".join(map(row, rows)), flush=True)
    reason = why_not()
    facts = in_a_process(turns, given.slowed, given.unchanged) if reason is None else []
    print("\n".join(map(row, facts)))
    text = record(times, facts, reason, f"{min(loads):.1f} to {max(loads):.1f}")
    if given.write is not None:
        given.write.write_text(text, encoding="utf-8")
        print(f"wrote {given.write}")


if __name__ == "__main__":
    main()
