"""Which trajectories there are and how a range of them is run: no file, no thread, no clock.

id = (patient * replicates + replicate) * arms + arm. A trajectory is a pure function of (seed, id): streams are keyed
by id // arms, a patient's parameters by the patient. Work comes in ranges of whole leaves; the order of ranges, their
size and who runs them change no bit of the result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.batch import Batch, Lanes, aligned
from ctcdyn.codegen.kernel import Kernel
from ctcdyn.codegen.layout import extra_values
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.draws import fill, is_drawn
from ctcdyn.harvest import Finished, RangeResult
from ctcdyn.lesions import Colonies
from ctcdyn.model.cohort import Cohort
from ctcdyn.model.network import Network
from ctcdyn.model.quantiles import Draw
from ctcdyn.patients import masks, value_rows
from ctcdyn.reduction import LEAF, Histogram, Sparse, Tree, bins, sketch_bits

OPEN_BYTES = 64 << 20  # of open leaves in one worker
HELD_BYTES = 64 << 20  # of finished leaves that wait to be given
LARGEST_RANGE = 32  # leaves: more take 1 % of memory for each doubling, and no less time
DEFAULT_WINDOW = 1.0 / 16.0  # days over which a bound of time-dependent rates holds; assumed: finer than a daily rhythm

Array = NDArray[Any]


@dataclass(frozen=True)
class Range:
    """Trajectories `first` to `first + count - 1`; whole leaves, except at the end of the study."""

    first: int
    count: int


@dataclass(frozen=True)
class Ensemble:
    """Everything a range needs besides the kernel. Times in days, values in base units."""

    network: Network
    seed: int
    count: int
    times: NDArray[np.float64]
    cohort: Cohort = field(default_factory=Cohort)
    lesion_draws: Sequence[Draw] = ()  # of each lesion, in the place of its patient's
    lesion_table: bool = False  # every lesion is a row of the result
    values: NDArray[np.float64] | None = None  # (count, P): parameters of each trajectory, instead of draws
    replicates: int = 1
    arms: int = 1
    given: NDArray[np.bool_] | None = None  # (arms, treatments): which of them an arm gives; None: all of them
    keep: int = 0
    state_dtype: str = "f4"
    rtol: float = 1e-6
    atol: float = 1e-6
    window: float = DEFAULT_WINDOW
    first_step: float = 0.0
    longest_step: float = np.inf
    epsilon: float = 0.03  # relative change of a propensity in a leap
    switch: tuple[float, float] = (500.0, 200.0)  # cells, of hybrid: continuous from here on, discrete below this
    max_steps: int = 10_000_000
    max_events: int = 10_000_000_000
    sketched: bool = True
    halt: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    workers: list[Workspace] = field(default_factory=list)
    local: threading.local = field(default_factory=threading.local)

    @property
    def leaves(self) -> int:
        """Number of leaves of the reduction tree."""
        return -(-self.count // LEAF)

    def stop(self) -> None:
        """Make kernels that are running return as soon as they look: within milliseconds."""
        self.halt[0] = 1

    @property
    def halted(self) -> bool:
        """Whether it was asked to stop."""
        return bool(self.halt[0])

    @property
    def caps(self) -> tuple[int, int]:
        """Steps and events at which a trajectory ends."""
        return self.max_steps, self.max_events

    def setting(self) -> NDArray[np.float64]:
        """What a kernel reads as its setting: see `kernels.lanes`."""
        return np.array(
            [self.times[0], self.times[-1], self.rtol, self.atol, self.window, self.first_step,
             self.longest_step, self.epsilon, *self.switch]
        )  # fmt: skip

    def tree(self) -> Tree:
        """An empty reduction tree for this ensemble."""
        return Tree(self.leaves)

    def workspace(self, kernel: Kernel) -> Workspace:
        """The work space of the calling thread."""
        space = getattr(self.local, "space", None)
        if space is None or space.kernel is not kernel:
            space = Workspace(kernel, self)
            self.local.space = space
            self.workers.append(space)
        return space

    def histogram(self, columns: int) -> Histogram | None:
        """An empty histogram for this ensemble, with so many columns (species and observables) at each save."""
        return Histogram(self.arms, len(self.times), columns) if self.sketched else None


class Workspace:
    """Buffers of one worker, reused for all its ranges."""

    def __init__(self, kernel: Kernel, ensemble: Ensemble) -> None:
        m = kernel.module
        self.kernel = kernel
        self.columns = len(ensemble.times) * (m.SPECIES + m.READINGS)
        leaf = LEAF * self.columns
        self.slots = max(1, min(LARGEST_RANGE, ensemble.leaves, OPEN_BYTES // max(8 * leaf, 1)))
        self.lanes = Lanes(m)
        self.out = aligned(self.slots * leaf, np.float64)
        self.bits = sketch_bits(ensemble.arms * self.columns)
        shape = (ensemble.arms, self.columns)
        # a single leaf counts its values without 11 000 bins to a column: a loop of one's own calls it 1e5 times
        dense = ensemble.sketched and ensemble.leaves > 1
        self.counts = np.zeros((*shape, bins(self.bits)), np.uint32) if dense else None
        self.few = Sparse(np.empty(0, np.uint32), np.empty(0, np.uint32))
        self.sums = [np.zeros(shape) for _ in range(5)]
        self.leaves = leaf_functions()
        self.colonies = Colonies(kernel.lesion, kernel, ensemble) if kernel.lesion is not None else None
        self.scratch = aligned(6 * self.leaves.BLOCK, np.float64)

    def drain(self) -> Sparse:
        """What was counted since the last time."""
        if self.counts is None:
            return self.few
        flat = self.counts.reshape(-1)
        index = np.flatnonzero(flat)
        found = Sparse(index.astype(np.uint32), flat[index])
        flat[index] = 0
        return found


def plan(ensemble: Ensemble, threads: int, leaves: NDArray[np.int64] | None = None) -> list[Range]:
    """Ranges of 2**k leaves in order of id: enough for all threads, large enough for refill.

    `leaves`: numbers of the leaves to run, rising; None runs all.
    """
    missing = np.arange(ensemble.leaves) if leaves is None else leaves
    if not len(missing):
        return []
    leaf_functions()  # before there are threads: Python 3.11 cannot parse on two at once
    if leaves is None and ensemble.leaves == 1:
        return [Range(0, ensemble.count)]
    size = LARGEST_RANGE
    while threads > 1 and size > 1 and size * threads * 4 > len(missing):
        size //= 2
    spans = []
    for run in np.split(missing, np.flatnonzero(np.diff(missing) != 1) + 1):
        for start in range(0, len(run), size):
            first = int(run[start]) * LEAF
            stop = min((int(run[min(start + size, len(run)) - 1]) + 1) * LEAF, ensemble.count)
            spans.append(Range(first, stop - first))
    return spans


def run_range(
    kernel: Kernel, ensemble: Ensemble, span: Range, due: Callable[[], bool] = lambda: False
) -> Iterator[RangeResult]:
    """Run one range and give what is finished: neighbouring leaves together, when `due()` says so and at the end.

    Where the halt word is set it gives the leaves that are finished and ends; no leaf is given in part.
    """
    m, space = kernel.module, ensemble.workspace(kernel)
    values, times = _values(ensemble, span), np.ascontiguousarray(ensemble.times)
    slots = min(space.slots, -(-span.count // LEAF))
    reported = m.SPECIES if ensemble.network.tilts else m.SHOWN  # weights need hidden counters
    batch = Batch(
        space.lanes, ensemble.setting(), ensemble.caps, ensemble.seed, span.count, slots, reported,
        span.first, ensemble.arms,
    )  # fmt: skip
    done = Finished(kernel, ensemble, span, values, *batch.ends)
    left_before = batch.left.copy()
    code = -1
    while code != m.DONE:
        code = batch.advance(values, times, space.out, ensemble.halt)
        for leaf in np.flatnonzero((batch.left == 0) & (left_before > 0)).tolist():
            left_before[leaf] = 0
            rows = min(LEAF, span.count - leaf * LEAF)
            start = batch.slot[leaf] * LEAF * space.columns
            found = space.out[start : start + rows * space.columns].reshape(rows, space.columns)
            if space.colonies is not None and not space.colonies.settle(done, leaf, found):
                yield from done.give(space)
                return
            done.add(space, leaf, found)
            batch.give_back(leaf)
        if code == m.HALTED and ensemble.halted:
            break
        if done.bytes > HELD_BYTES or (done.leaves and due()):
            yield from done.give(space)
    yield from done.give(space)


def _values(ensemble: Ensemble, span: Range) -> NDArray[np.float64]:
    """Rows of the kernel's parameter columns: one for all, or one for each trajectory of the range."""
    network = ensemble.network
    if ensemble.values is None:
        rows = value_rows(
            network, ensemble.seed, ensemble.cohort, ensemble.given, ensemble.arms, ensemble.replicates,
            span.first, span.count,
        )  # fmt: skip
        return _scheduled(ensemble, span, rows)
    extra = extra_values(network)
    rows = np.empty((span.count, len(network.parameters) + len(extra)))
    rows[:, len(network.parameters) :] = list(extra.values())
    if ensemble.given is not None:
        rows[:, masks(network, extra)] = ensemble.given[0]
    rows[:, : len(network.parameters)] = ensemble.values[span.first : span.first + span.count]
    return _scheduled(ensemble, span, rows)


def _scheduled(ensemble: Ensemble, span: Range, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows with what chance decides of schedules and samples, which makes them one for each trajectory."""
    if not is_drawn(ensemble.network):
        return rows
    rows = np.repeat(rows, span.count, axis=0) if len(rows) < span.count else rows
    pairs = np.arange(span.first, span.first + span.count) // ensemble.arms
    fill(ensemble.network, ensemble.seed, float(ensemble.times[0]), pairs, rows)
    return rows
