"""What `ctcdyn bench --facts` counts: figures of the work that no machine's speed changes.

Two commits can be compared by them on any two machines.

Events, steps and trajectories are those of the work itself. All else is of kernels that are compiled for one fixed
processor: floating-point instructions of every lane loop, instructions that are executed (by callgrind), allocations
and memory of a run, bytes of the kernel's text. It depends on versions of Python, numba and llvmlite, which the record
has.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctcdyn.cli.timings import Entry
    from ctcdyn.cli.workloads import Piece, Workload
    from ctcdyn.codegen.executed import Call, MachineCode

RUNS = 3  # before memory is looked at: the first ones fill what is used again
FOREVER = 1 << 62  # looks at the halt word: the call ends when its work is done


def fixed() -> bool:
    """Whether this process compiles for the fixed processor; where there is no such processor, any will do."""
    return not _x86() or all(os.environ.get(name) == value for name, value in _fixed_to().items())


def in_a_process_of_its_own(arguments: Sequence[str]) -> int:
    """`ctcdyn ARGUMENTS` compiling for the fixed processor, with no kernel in the cache; gives its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "ctcdyn", *arguments],
            env=os.environ | _fixed_to() | {"NUMBA_NRT_STATS": "1", "CTCDYN_CACHE": folder},
            check=False,
        )
    return done.returncode


def _fixed_to() -> dict[str, str]:
    """The environment in which numba compiles for the fixed processor: by its name alone it would take the features of
    this one."""
    from ctcdyn.codegen.vectors import TARGET

    return {"NUMBA_CPU_NAME": TARGET, "NUMBA_CPU_FEATURES": ""}


def counted(work: Sequence[Workload]) -> Iterator[Entry]:
    """Entries with counts of the work and the bytes of the kernel's text: what a run tells by itself."""
    from ctcdyn.cli.timings import Entry

    for one in work:
        source = one.source
        known = {} if source is None else {**one.run().counts, "bytes": len(source.encode())}
        yield Entry(one.name, one.unit, facts=known)


def facts(work: Sequence[Workload]) -> tuple[list[Entry], str | None]:
    """Entries with all facts, and why instructions are not among them. See `fixed`."""
    from ctcdyn.codegen.executed import executed, machine_code, why_not

    entries = list(counted(work))
    pieces = {one.name: one.piece for one in work if one.piece is not None}
    found = {name: _allocated(piece) for name, piece in pieces.items()}
    reason: str | None = f"they are counted on x86-64, this is {platform.machine()}"
    if _x86():
        codes = {name: machine_code(piece.kernel.module.run) for name, piece in pieces.items()}
        for name, code in codes.items():
            found[name] |= _looped(code.assembly)
        reason = why_not()
        if reason is None:
            calls = [first_call(piece, codes[name]) for name, piece in pieces.items()]
            for (name, piece), call, done in zip(pieces.items(), calls, executed(calls), strict=True):
                _same_as_here(piece, call, done.arguments)
                found[name]["instructions"] = done.instructions
    return [replace(entry, facts=entry.facts | found.get(entry.name, {})) for entry in entries], reason


def first_call(piece: Piece, code: MachineCode) -> Call:
    """The call of the kernel, compiled to `code`, that does the short work, at most a leaf of it, to its end."""
    from ctcdyn.codegen.executed import Call
    from ctcdyn.ensemble import plan, run_range
    from ctcdyn.reduction import LEAF

    module, given = piece.kernel.module, list[Any]()

    def run(*arguments: Any) -> int:
        given.extend(array.copy() for array in arguments)
        raise _SeenError

    stand_in: Any = SimpleNamespace(**vars(module) | {"run": run})
    kernel = replace(piece.kernel, module=stand_in)
    one = piece.fresh(count=min(piece.short.count, LEAF), sketched=False)
    try:
        list(run_range(kernel, one, plan(one, 1)[0]))
    except _SeenError:
        given[4][module.PATIENCE] = FOREVER
    return Call(code, given)


class _SeenError(Exception):
    """The kernel was called."""


def _same_as_here(piece: Piece, call: Call, left: list[Any]) -> None:
    """Raise CtcError where the call that was counted did something else than it does here."""
    from ctcdyn.errors import CtcError, Problem

    here = [array.copy() for array in call.arguments]
    piece.kernel.module.run(*here)
    if any(one.tobytes() != other.tobytes() for one, other in zip(here, left, strict=True)):
        raise CtcError(Problem("B901", f"{piece.name}: under callgrind the kernel gives another answer"))


def _allocated(piece: Piece) -> dict[str, int]:
    """Of one run of the short work: allocations of numba's runtime, where it tells them, and the most memory of Python
    and NumPy."""
    import gc
    import tracemalloc

    from numba.core.runtime import rtsys

    one = piece.fresh()
    for _ in range(RUNS):
        piece.run(ensemble=one)
    known: dict[str, int] = {}
    if os.environ.get("NUMBA_NRT_STATS") == "1":
        before = rtsys.get_allocation_stats().alloc
        piece.run(ensemble=one)
        known["allocations"] = rtsys.get_allocation_stats().alloc - before
    gc.collect()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        piece.run(ensemble=one)
        known["memory"] = tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()
    return known


def _looped(assembly: str) -> dict[str, int]:
    """Floating-point instructions of all functions, and packed ones of every loop that has any."""
    from ctcdyn.codegen.vectors import functions

    found = list(functions(assembly))
    known = {kind: sum(getattr(one.whole, kind) for one in found) for kind in ("packed", "scalar", "fused")}
    for one in found:
        loops = [loop.packed for loop in one.loops if loop.packed]
        known |= {f"packed, {one.name}, loop {k + 1}": packed for k, packed in enumerate(loops)}
    return known


def _x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")
