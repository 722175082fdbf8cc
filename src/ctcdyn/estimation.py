"""What a run will need, before it begins: bytes on disk from the schema, memory, time from a pilot.

Rows and paths are an upper bound (nothing is taken to be compressible), and segments and final file are there at the
same time; nodes and histograms in segments depend on how many seconds the run takes and are estimated.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ctcdyn.codegen.kernel import Kernel
from ctcdyn.ensemble import HELD_BYTES, LARGEST_RANGE, OPEN_BYTES, Ensemble, Range, run_range
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.reduction import bins, sketch_bits
from ctcdyn.store import Schema
from ctcdyn.store.layout import LEAF, ROW_NAMES

BASE = 260 << 20  # bytes of a process with numba and LLVM in it: measured, Python 3.11, Linux
SEGMENTS = 16  # that are not yet merged: assumed; a run of more seconds has more, each with more leaves
PILOT = 64  # trajectories
PLACES = 4  # of the range of ids, at which they are taken
PATIENCE = 10.0  # s after which a pilot is given up


@dataclass(frozen=True)
class Estimate:
    """Trajectories of this run; bytes of the result, of the segments before it, and of memory."""

    count: int
    result: int
    segments: int
    memory: int

    @property
    def disk(self) -> int:
        """Bytes that are taken at the end, when segments and result are both there."""
        return self.result + self.segments

    def plain(self) -> dict[str, int]:
        """The figures by name, bytes."""
        return asdict(self) | {"disk": self.disk}

    def line(self) -> str:
        """One line for people."""
        return (
            f"needs up to {size_text(self.disk)} of disk ({size_text(self.result)} for the result, the rest until it "
            f"is written) and {size_text(self.memory)} of memory"
        )


def estimate(schema: Schema, threads: int) -> Estimate:
    """What a run with this schema needs."""
    sizes, variables = schema.sizes, schema.variables()
    row = 0
    for name in ROW_NAMES:
        if name in variables:
            width = 1
            for axis in variables[name].axes[1:]:
                width *= sizes[axis]
            row += width * _bytes_of(variables[name].dtype)
    width = sizes["species"] + sizes["observable"]
    values = sizes["arm"] * sizes["time"] * width
    kept = schema.kept * sizes["time"] * width * _bytes_of(schema.state_dtype)
    leaves = -(-schema.count // LEAF)
    node = sizes["arm"] * sizes["time"] * 8 + 3 * 8 * values
    sketch = 4 * bins(sketch_bits(values)) * values if schema.quantiles else 0
    # nodes of neighbouring leaves are merged, and a part of the histogram is a few bytes for each bin that is not empty
    parts = min(leaves, SEGMENTS)
    filled = min(sketch, LEAF * values * 4) // 4
    segments = schema.count * row + kept + parts * (2 * node + filled)
    leaf = LEAF * sizes["time"] * width * 8
    open_leaves = max(1, min(LARGEST_RANGE, OPEN_BYTES // max(leaf, 1)))
    rows = min(schema.count, LARGEST_RANGE * LEAF) * (row + 8 * sizes["parameter"])
    worker = sketch + min(open_leaves, leaves) * leaf + min(leaves, 2) * HELD_BYTES // 2 + 2 * rows
    return Estimate(schema.count, schema.bytes_before_compression(), segments, BASE + threads * worker)


def refuse(needs: Estimate, target: str, memory: int | None, disk: int | None) -> None:
    """Raises CtcError (exit 5), all at once, where a run is over the study's limits or over what the machine has."""
    told = []
    free = shutil.disk_usage(Path(target).resolve().parent).free
    ways = "keep fewer paths (--keep N), save less often, run fewer trajectories, or split it with --shard i/N"
    for have, what in ((disk, "limits.disk"), (free, "free space")):
        if have is not None and needs.disk > have:
            what = f"the run needs up to {size_text(needs.disk)} of disk, {what} is {size_text(have)}"
            told.append(Problem("R507", what, fix=ways))
    ways = "fewer threads, fewer save times, or fewer species and observables"
    for have, what in ((memory, "limits.memory"), (_memory(), "the machine's memory")):
        if have is not None and needs.memory > have:
            what = f"the run needs about {size_text(needs.memory)} of memory, {what} is {size_text(have)}"
            told.append(Problem("R508", what, fix=ways))
    if told:
        raise CtcError(told, Exit.RESOURCES)


def pilot(kernel: Kernel, ensemble: Ensemble, count: int, threads: int) -> float | None:
    """Seconds that `count` trajectories will take, from 64 of the ensemble; None where these take too long to wait for.

    They come from four places in the order of ids, and so from all over the space of parameters.
    """
    probe = replace(ensemble, halt=np.zeros(1, np.int64), workers=[], local=threading.local(), keep=0, sketched=False)
    alarm = threading.Timer(PATIENCE, probe.stop)
    alarm.start()
    spent, done = 0.0, 0
    try:
        list(run_range(kernel, probe, Range(0, 1)))  # touches the buffers
        for start in sorted({ensemble.leaves * place // PLACES * LEAF for place in range(PLACES)}):
            span = Range(start, min(PILOT // PLACES, ensemble.count - start))
            began = time.monotonic()
            finished = sum(len(result.status) for result in run_range(kernel, probe, span))
            if finished < span.count:
                return None
            spent += time.monotonic() - began
            done += finished
    finally:
        alarm.cancel()
    return spent / done * count / threads


def size_text(size: int) -> str:
    """Bytes as people say them.

    >>> size_text(77_000_000), size_text(1500)
    ('77 MB', '1.5 kB')
    """
    number = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.3g} {unit}" if number < 1000 else f"{number:.0f} {unit}"


def _bytes_of(dtype: str) -> int:
    return int(dtype[-1])


def _memory() -> int | None:
    """Bytes of memory of this machine, None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
