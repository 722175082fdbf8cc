"""What a run will need, before it begins: bytes on disk from the schema, memory, time from a pilot.

Rows and paths are an upper bound (nothing is taken to be compressible), and segments and final file are there at the
same time. There is a most of segments, however long the run takes (`store.compaction`); how many bins of a histogram
are not empty in each is estimated, and how many lesions there will be only a pilot can tell.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.kernel import Kernel
from ctcdyn.ensemble import HELD_BYTES, LARGEST_RANGE, OPEN_BYTES, Ensemble, Range, run_range
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.progress import clock_text
from ctcdyn.reduction import bins, sketch_bits
from ctcdyn.store import Schema, compaction, lesions
from ctcdyn.store.journal import folder_of
from ctcdyn.store.layout import LEAF, ROW_NAMES

BASE = 260 << 20  # bytes of a process with numba and LLVM in it: measured, Python 3.11, Linux
PLACES = 4  # in the range of ids, at which a pilot takes trajectories
FRAME = 32 << 10  # bytes of a segment that are not numbers: names, types, ends of pages
SHARE = 64  # blocks of trajectories that a run must have for each block of its pilot
PATIENCE = 2.0  # s after which the pilot of a run is given up


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


def estimate(schema: Schema, threads: int, founded: float = 0.0) -> Estimate:
    """What a run with this schema needs; `founded`: lesions of a trajectory on average, where their table is stored."""
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
    parts = min(leaves, compaction.most(schema.count * row + kept) + 1)  # one more while some become one
    each = -(-leaves // parts)
    nodes = min(each, 2 * each.bit_length())
    filled = min(sketch, LEAF * each * values * 4) // 4
    moved = min(2 * compaction.SMALL, schema.count * row) if leaves >= compaction.MANY else 0
    segments = schema.count * row + kept + moved + parts * (nodes * node + filled + FRAME)
    leaf = LEAF * sizes["time"] * width * 8
    open_leaves = max(1, min(LARGEST_RANGE, OPEN_BYTES // max(leaf, 1)))
    rows = min(schema.count, LARGEST_RANGE * LEAF) * (row + 8 * sizes["parameter"])
    worker = sketch + min(open_leaves, leaves) * leaf + min(leaves, 2) * HELD_BYTES // 2 + 2 * rows
    table = int(founded * schema.count)
    segments += table * lesions.ROW_BYTES
    result = schema.bytes_before_compression() + table * lesions.STORED_BYTES
    return Estimate(schema.count, result, segments, BASE + threads * worker)


def refuse(schema: Schema, threads: int, target: str, memory: int | None, disk: int | None) -> Estimate:
    """What a run into `target` needs, once it is known that it may have it.

    Raises CtcError (exit 5), all at once, where that is over the study's limits (bytes) or over what the machine has.
    What an unfinished run has written already is part of what the limit allows, but needs no free space any more.
    """
    told, needs = [], estimate(schema, threads)
    there = _size_of(folder_of(target))
    free = shutil.disk_usage(Path(target).resolve().parent).free
    for have, wanted, what in ((disk, needs.disk, "limits.disk"), (free, needs.disk - there, "free space")):
        if have is not None and wanted > have:
            had = f" more ({size_text(there)} are there)" if wanted < needs.disk else ""
            what = f"the run needs up to {size_text(wanted)} of disk{had}, {what} is {size_text(have)}"
            told.append(Problem("R507", what, fix=_less_disk(schema, needs, have + needs.disk - wanted)))
    for have, what in ((memory, "limits.memory"), (machine_memory(), "the machine's memory")):
        if have is not None and needs.memory > have:
            what = f"the run needs about {size_text(needs.memory)} of memory, {what} is {size_text(have)}"
            told.append(Problem("R508", what, fix=_less_memory(schema, needs, threads)))
    if told:
        raise CtcError(told, Exit.RESOURCES)
    return needs


def _less_disk(schema: Schema, needs: Estimate, have: int) -> str:
    """Ways out, each with what it saves, those that change least first."""
    ways = []
    if schema.kept:
        none = estimate(replace(schema, keep=0), 1).disk
        each = (needs.disk - none) / schema.kept
        fit = int((have - none) / each) - 1
        fits = f"--keep {fit} fits, " if fit > 0 and not schema.first else ""
        ways.append(f"{fits}--keep none saves {size_text(needs.disk - none)}")
        if schema.state_dtype == "f8":
            single = estimate(replace(schema, state_dtype="f4"), 1).disk
            ways.append(f'output.precision = "single" saves {size_text(needs.disk - single)}')
    parts = -(-needs.disk // max(have, 1)) + 1
    if schema.count == schema.total and parts <= schema.count // LEAF:
        part = estimate(replace(schema, count=-(-schema.count // LEAF // parts) * LEAF), 1).disk
        if part <= have:
            ways.append(f"--shard i/{parts} needs {size_text(part)} for each part")
    return "; ".join([*ways, "fewer trajectories or save times"])


def _less_memory(schema: Schema, needs: Estimate, threads: int) -> str:
    one = estimate(schema, 1).memory
    fewer = f"--threads 1 saves {size_text(needs.memory - one)}; " if threads > 1 else ""
    return f"{fewer}fewer save times, species or observables"


@dataclass(frozen=True)
class Forecast:
    """How long a run will take, s; `more`: at least so long, for the pilot was given up.

    `founded`: rows that a trajectory has in the table of lesions on average; 0 where it is not stored.
    """

    seconds: float
    more: bool = False
    founded: float = 0.0

    def line(self, count: int, pilot: int) -> str:
        """One line for people."""
        time = clock_text(self.seconds) if self.seconds >= 1 else "a second"
        how = "more than" if self.more else "about" if self.seconds >= 1 else "less than"
        there = f"; there will be about {float(f'{self.founded * count:.2g}'):.0f} lesions" if self.founded else ""
        return f"{count} trajectories take {how} {time}, by a pilot of {pilot} of them{there}"


class Pilot:
    """A few trajectories of an ensemble, run and thrown away, to tell how long the rest will take.

    They come from up to four places in the order of ids, and so from all over the space of parameters, at each as many
    as a block has lanes. A trajectory depends on its id alone and a pilot has work space of its own: no bit of the run
    depends on whether there was one.
    """

    def __init__(self, kernel: Kernel, ensemble: Ensemble, leaves: NDArray[np.int64], places: int = PLACES) -> None:
        """`leaves`: numbers of those that are to be run, rising."""
        self._kernel, self._lanes = kernel, int(kernel.module.W)
        self._probe = replace(
            ensemble, halt=np.zeros(1, np.int64), workers=[], local=threading.local(), keep=0, sketched=False
        )
        places = min(places, len(leaves))
        starts = sorted({int(leaves[len(leaves) * place // places]) * LEAF for place in range(places)})
        self._spans = [Range(start, min(self._lanes, ensemble.count - start)) for start in starts]
        self.size = sum(span.count for span in self._spans)

    @classmethod
    def of_run(cls, kernel: Kernel, ensemble: Ensemble, leaves: NDArray[np.int64]) -> Self:
        """A pilot that costs a run some percent of its time at most; of a small run it takes no trajectory at all."""
        return cls(kernel, ensemble, leaves, min(PLACES, len(leaves) * LEAF // (SHARE * int(kernel.module.W))))

    def stop(self) -> None:
        """Give up at once."""
        self._probe.stop()

    def forecast(self, count: int, threads: int, patience: float) -> Forecast | None:
        """How long `count` trajectories will take; None where there was no pilot. Takes `patience` seconds at most."""
        if not self._spans:
            return None
        self._probe.workspace(self._kernel)  # compiles what all kernels share, where that was never done
        alarm = threading.Timer(patience, self._probe.stop)
        alarm.daemon = True
        alarm.start()
        spent, steps, work, founded = 0.0, 0.0, [], 0
        try:
            list(run_range(self._kernel, self._probe, Range(self._spans[0].first, 1)))  # loads what it needs
            for span in self._spans:
                began = time.monotonic()
                found = list(run_range(self._kernel, self._probe, span))
                spent += time.monotonic() - began
                if self._probe.halted:
                    break  # what is not finished tells nothing
                work.append(np.concatenate([result.n_steps for result in found]).astype(np.float64))
                founded += sum(lesions.count(result.lesions) for result in found)
                steps += float(work[-1].max())
        finally:
            alarm.cancel()
        blocks = count / self._lanes / threads
        if not work:
            return Forecast(spent * blocks, more=True)
        # lanes go on together: a block takes as many steps as its slowest lane, but a run refills lanes that are free
        steps_each = np.concatenate(work)
        share = float(steps_each.mean()) * len(work) / steps if steps else 1.0
        return Forecast(spent / len(work) * share * blocks, founded=founded / len(steps_each))


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


def _size_of(folder: Path) -> int:
    """Bytes of the files in a folder; none where there is no such folder."""
    total = 0
    with contextlib.suppress(OSError):
        for found in folder.iterdir():
            total += found.stat().st_size
    return total


def _bytes_of(dtype: str) -> int:
    return int(dtype[-1])


def machine_memory() -> int | None:
    """Bytes of memory of this machine, None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
