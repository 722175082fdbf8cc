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
    from collections.abc import Iterable, Sequence

    from ctcdyn.cli.timings import Entry, Ratio, Record
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
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="COMMIT",
            help="Ratios to the kernels of a commit of this checkout, both in turn in one process: on a machine "
            "that others use it sees what two records do not.",
            show_default=False,
        ),
    ] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(
            "--fail-above", metavar="P", min=0.0, help="Exit 7 if anything is surely P % slower.", show_default=False
        ),
    ] = None,
    facts: Annotated[
        bool,
        typer.Option(
            "--facts", help="Only what no machine's speed changes: events, instructions, allocations, bytes."
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --save.")] = False,
) -> None:
    """Time a short set of work, each answer checked first."""
    from ctcdyn.cli import timings
    from ctcdyn.cli.facts import fixed, in_a_process_of_its_own
    from ctcdyn.cli.workloads import workloads
    from ctcdyn.errors import CtcError, Exit, Problem

    if fail_above is not None and compare is None and against is None:
        what = "there is nothing to compare with: give --compare FILE or --against COMMIT"
        raise typer.BadParameter(what, param_hint="--fail-above")
    if overwrite and save is None:
        raise typer.BadParameter("only --save writes a file", param_hint="--overwrite")
    if against is not None and (facts or compare is not None or save is not None):
        what = "it times both sides itself: give neither --save nor --compare nor --facts"
        raise typer.BadParameter(what, param_hint="--against")
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
    if facts and not fixed():
        named = {"--save": save, "--compare": compare, "--fail-above": fail_above}
        words = [word for name, given in named.items() if given is not None for word in (name, str(given))]
        raise typer.Exit(in_a_process_of_its_own(["bench", "--facts", *words, *["--overwrite"][: int(overwrite)]]))
    work = workloads()
    for one in work:
        if one.piece is not None or not facts:  # a whole command has none
            judge(one)
    if against is not None:
        worse = beside(against, work, fail_above)
    else:
        now = _counted(work) if facts else timings.Record(about(), tuple(timed(work, ROUNDS)))
        if not facts:
            show(now)
        if save is not None:
            timings.save(now, save)
            print(f"wrote    {save}")
        worse = [] if before is None else compared(before, now, fail_above)
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


def timed(work: Sequence[Workload], rounds: int) -> list[Entry]:
    """Entries with times and counts: what is due in each round, to and fro, the pace before and after each piece."""
    from dataclasses import replace

    from ctcdyn.cli.facts import counted

    times: list[list[float]] = [[] for _ in work]
    paces: list[list[float]] = [[] for _ in work]
    for round_ in range(rounds):
        due = [k for k, one in enumerate(work) if round_ % one.every == 0]
        before = pace()
        for k in due if round_ % 2 == 0 else reversed(due):
            done = work[k].run()
            after = pace()
            paces[k].append(0.5 * (before + after))
            times[k].append(SCALE[work[k].unit.partition(" ")[0]] * done.seconds / done.units)
            before = after
    return [
        replace(entry, times=tuple(t), pace=tuple(p)) for entry, t, p in zip(counted(work), times, paces, strict=True)
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
        middle = f"{statistics.median(entry.times):.4g}"
        span = f"{min(entry.times):.4g} to {max(entry.times):.4g}"
        facts = (entry.facts.get(key, "") for key in ("events", "steps", "trajectories", "bytes"))
        rows.append((entry.name, middle, span, entry.unit, *facts))
    head = ("CPU time, one thread", "median", "range", "unit", "events", "steps", "trajectories", "bytes of kernel")
    show_table(f"every answer is right; {max(len(x.times) for x in record.entries)} rounds", head, rows)
    _show_about(record)


def _counted(work: Sequence[Workload]) -> Record:
    """A record of facts, shown."""
    from ctcdyn.cli.facts import facts
    from ctcdyn.cli.screen import show_table
    from ctcdyn.cli.timings import Record

    entries, reason = facts(work)
    record = Record(about(), tuple(entries))
    keys = ("events", "steps", "trajectories", "instructions", "packed", "scalar", "allocations", "memory", "bytes")
    rows = [(entry.name, *(entry.facts.get(key, "") for key in keys)) for entry in entries]
    head = ("", *keys[:3], "instructions of a call", "packed", "scalar", "allocations", "bytes of a run", "of kernel")
    show_table("every answer is right; what no machine's speed changes", head, rows)
    if reason is not None:
        print(f"note     no instructions were counted: {reason}")
    _show_about(record)
    return record


def _show_about(record: Record) -> None:
    print("\n".join(f"{key:17}  {value}" for key, value in record.about.items()))


def beside(commit: str, work: Sequence[Workload], percent: float | None) -> list[str]:
    """Compare with a commit, print how, and give what is slower than allowed."""
    from ctcdyn.cli.against import against
    from ctcdyn.cli.screen import show_table
    from ctcdyn.cli.timings import LEVEL

    found = against(commit, work)
    rows = [(x.name, f"{x.ratio:.3f}", f"{x.low:.3f} to {x.high:.3f}", how) for x, how in found.ratios]
    rows += [(name, "", "", why) for name, why in found.notes]
    show_table(f"CPU time here / at {commit}, every answer is right", ("", "ratio", f"{LEVEL:.0%} interval", ""), rows)
    return _slower((one for one, _ in found.ratios), percent)


def _slower(found: Iterable[Ratio], percent: float | None) -> list[str]:
    allowed = float("inf") if percent is None else percent
    return [f"{one.name} is at least {one.low - 1.0:.1%} slower" for one in found if one.slower_than(allowed)]


def compared(before: Record, now: Record, percent: float | None) -> list[str]:
    """Print what changed and give what is worse than allowed."""
    from ctcdyn.cli.screen import show_table
    from ctcdyn.cli.timings import LEVEL, changes, missing, other_makers, ratios

    found = list(ratios(before, now))
    if found:
        print()
        rows = [(one.name, f"{one.ratio:.3f}", f"{one.low:.3f} to {one.high:.3f}") for one in found]
        show_table("CPU time now / before, in units of the pace", ("", "ratio", f"{LEVEL:.0%} interval"), rows)
    worse = _slower(found, percent)
    different = list(changes(before, now))
    makers = other_makers(before, now)
    which = "counts   of events, steps and trajectories" if makers else "facts   "
    print(f"{which} all equal" if not different else f"{which} {len(different)} differ")
    if makers:
        print(f"note     nothing else is compared, it depends on versions: {'; '.join(makers)}")
    for one in different:
        print(f"         {one.name}: {one.fact} {one.before} before, {one.now} now")
    worse += [f"{one.fact} of {one.name} {one.before} to {one.now}" for one in different if one.forbidden(percent)]
    for key in sorted(before.about.keys() | now.about.keys()):
        if key not in ("date", "commit") and before.about.get(key) != now.about.get(key):
            print(f"note     {key} was {before.about.get(key, 'not known')}, is {now.about.get(key, 'not known')}")
    return worse + [f"{name} is missing" for name in missing(before, now)]
