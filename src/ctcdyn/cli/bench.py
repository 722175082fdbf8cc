"""`ctcdyn bench`: how fast this installation is, each answer checked first, and whether it became slower."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctcdyn.cli.timings import Entry, Record
    from ctcdyn.cli.workloads import Workload

ROUNDS = 21
SCALE = {"ns": 1e9, "us": 1e6, "s": 1.0}


def bench(
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Write the record as JSON.", show_default=False)
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="Ratios to an earlier record.", show_default=False)
    ] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(
            "--fail-above", metavar="P", min=0.0, help="Exit 7 if anything is surely P % slower.", show_default=False
        ),
    ] = None,
    facts: Annotated[
        bool, typer.Option("--facts", help="Only what no machine's speed changes: counts, instructions, bytes.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --save.")] = False,
) -> None:
    """Time a short set of work, each answer checked first."""
    from ctcdyn.cli import timings
    from ctcdyn.cli.workloads import workloads
    from ctcdyn.errors import CtcError, Exit, Problem

    if fail_above is not None and compare is None:
        raise typer.BadParameter("there is nothing to compare with: give --compare FILE", param_hint="--fail-above")
    if overwrite and save is None:
        raise typer.BadParameter("only --save writes a file", param_hint="--overwrite")
    before = None if compare is None else timings.load(compare)
    problems = []
    if before is not None and not facts and not any(entry.times for entry in before.entries):
        what = f"{compare} has no times: it was made with --facts"
        problems.append(Problem("R509", what, fix="compare with --facts too"))
    if save is not None and save.exists() and not (overwrite and save.is_file()):
        problems.append(Problem("R502", f"{save} exists", fix="give another name with --save, or --overwrite"))
    elif save is not None and not save.parent.is_dir():
        problems.append(Problem("R503", f"cannot write {save}: there is no folder {save.parent}"))
    if problems:
        raise CtcError(problems, Exit.OUTPUT)
    work = workloads()
    for one in work:
        judge(one)
    now = timings.Record(about(), tuple(counted(work) if facts else timed(work, counted(work), ROUNDS)))
    show(now)
    if save is not None:
        timings.save(now, save)
        print(f"wrote    {save}")
    if before is not None:
        worse = compared(before, now, fail_above)
        if worse:
            print(f"worse    {'; '.join(worse)}")
            raise typer.Exit(int(Exit.NO))


def judge(work: Workload) -> None:
    """Raise CtcError (exit 7) for an answer that is wrong: such work is not timed."""
    from ctcdyn.errors import CtcError, Exit, Problem

    found, allowed = work.check()
    if not found <= allowed:  # NaN too
        what = f"{work.name}: the answer is {found:.3g} off, allowed is {allowed:g}: not timed"
        fix = "do not trust results of this installation; report this with the output of `ctcdyn doctor`"
        raise CtcError(Problem("B901", what, fix=fix), Exit.NO)


def counted(work: Sequence[Workload]) -> list[Entry]:
    """Entries with facts alone: events, steps, bytes of the kernel's text, and floating-point instructions of all its
    functions for a fixed processor (on x86-64; elsewhere without them)."""
    import platform

    from ctcdyn.cli.timings import Entry
    from ctcdyn.codegen.vectors import count_instructions

    entries = []
    for one in work:
        known: dict[str, int] = {}
        if one.source is not None:
            known = {**one.run().counts, "bytes": len(one.source.encode())}
            if platform.machine().lower() in ("x86_64", "amd64"):
                whole = [function.whole for function in count_instructions(one.source)]
                for kind in ("packed", "scalar", "fused"):
                    known[kind] = sum(getattr(count, kind) for count in whole)
        entries.append(Entry(one.name, one.unit, facts=known))
    return entries


def timed(work: Sequence[Workload], entries: Sequence[Entry], rounds: int) -> list[Entry]:
    """The same entries with times: all that is due in each round, to and fro, the pace before and after each piece."""
    from dataclasses import replace

    times: list[list[float]] = [[] for _ in work]
    paces: list[list[float]] = [[] for _ in work]
    for round_ in range(rounds):
        due = [k for k, one in enumerate(work) if round_ % one.every == 0]
        for k in due if round_ % 2 == 0 else reversed(due):
            before = pace()
            done = work[k].run()
            paces[k].append(0.5 * (before + pace()))
            times[k].append(SCALE[work[k].unit.partition(" ")[0]] * done.seconds / done.units)
    return [
        replace(entry, times=tuple(t), pace=tuple(p)) for entry, t, p in zip(entries, times, paces, strict=True)
    ]


def pace() -> float:
    """CPU seconds of fixed arithmetic in the first-level cache, by numpy: how fast the machine is at this moment."""
    import numpy as np

    x = np.linspace(0.0, 1.0, 2048)
    y = x.copy()
    start = time.process_time()
    for _ in range(4000):
        np.multiply(y, 0.5, out=y)
        np.add(y, x, out=y)
        np.sqrt(y, out=y)
    return time.process_time() - start


def about() -> dict[str, str]:
    """Machine, versions, date and, in a checkout, the commit."""
    from ctcdyn.preparation import versions

    known = {key: str(value) for key, value in versions().items() if value != ""}
    known |= {"cores": str(os.cpu_count()), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return known
    return known | ({"commit": done.stdout.strip()} if done.returncode == 0 else {})


def show(record: Record) -> None:
    """One table, and where it was measured."""
    import statistics

    from ctcdyn.cli.screen import show_table

    rows = []
    for entry in record.entries:
        middle, span = "", ""
        if entry.times:
            middle, span = f"{statistics.median(entry.times):.4g}", f"{min(entry.times):.4g} to {max(entry.times):.4g}"
        facts = (entry.facts.get(key, "") for key in ("events", "steps", "packed", "scalar", "bytes"))
        rows.append((entry.name, middle, span, entry.unit, *facts))
    head = ("CPU time, one thread", "median", "range", "unit", "events", "steps", "packed", "scalar", "bytes of kernel")
    rounds = max((len(entry.times) for entry in record.entries), default=0)
    show_table(f"every answer is right; {rounds} rounds" if rounds else "every answer is right", head, rows)
    print("\n".join(f"{key:17}  {value}" for key, value in record.about.items()))


def compared(before: Record, now: Record, percent: float | None) -> list[str]:
    """Print what changed and give what is worse than allowed."""
    from ctcdyn.cli.screen import show_table
    from ctcdyn.cli.timings import LEVEL, changes, missing, ratios

    worse = []
    found = list(ratios(before, now))
    if found:
        print()
        rows = [(one.name, f"{one.ratio:.3f}", f"{one.low:.3f} to {one.high:.3f}") for one in found]
        show_table("CPU time now / before, in units of the pace", ("", "ratio", f"{LEVEL:.0%} interval"), rows)
        if percent is not None:
            worse += [f"{one.name} is at least {one.low - 1.0:.1%} slower" for one in found if one.slower_than(percent)]
    different = list(changes(before, now))
    print("facts    all equal" if not different else f"facts    {len(different)} differ")
    for one in different:
        print(f"         {one.name}: {one.fact} {one.before} before, {one.now} now")
    worse += [f"{one.fact} of {one.name} {one.before} to {one.now}" for one in different if one.forbidden(percent)]
    for key in sorted(before.about.keys() | now.about.keys()):
        if key not in ("date", "commit") and before.about.get(key) != now.about.get(key):
            print(f"note     {key} was {before.about.get(key, 'not known')}, is {now.about.get(key, 'not known')}")
    return worse + [f"{name} is missing" for name in missing(before, now)]
