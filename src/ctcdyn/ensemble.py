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

from ctcdyn.codegen.kernel import Kernel
from ctcdyn.codegen.layout import extra_values
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.model.network import Network
from ctcdyn.patients import Drawn, shown_parameters, value_rows
from ctcdyn.reduction import LEAF, LOWEST, Histogram, LeafNode, Placed, Sparse, Tree, bins, sketch_bits

OPEN_BYTES = 64 << 20  # of open leaves in one worker
HELD_BYTES = 64 << 20  # of finished leaves that wait to be given
LARGEST_RANGE = 128  # leaves
# Days over which a bound of time-dependent rates holds; assumed: finer than a daily rhythm.
SLICE = (
    256  # looks at the halt word in one call of a kernel: tens of milliseconds, in which no Ctrl-C is seen
)
DEFAULT_WINDOW = 1.0 / 16.0

Array = NDArray[Any]


@dataclass(frozen=True)
class Range:
    """Trajectories `first` to `first + count - 1`; whole leaves, except at the end of the study."""

    first: int
    count: int


@dataclass(frozen=True)
class RangeResult:
    """What a range gave, rows in order of id; see the schema of results for shapes and units."""

    first: int
    status: NDArray[np.uint8]
    n_steps: NDArray[np.uint32]
    n_reactions: NDArray[np.uint64]
    params: NDArray[np.float64]
    final_state: NDArray[np.float64]
    event_time: NDArray[np.float64]
    event_observed: NDArray[np.uint8]
    kept_ids: NDArray[np.int64]
    state: Array
    observables: Array
    nodes: list[Placed]
    sketch: Sparse | None
    log: list[NDArray[np.float64]]


@dataclass(frozen=True)
class Ensemble:
    """Everything a range needs besides the kernel. Times in days, values in base units."""

    network: Network
    seed: int
    count: int
    times: NDArray[np.float64]
    draws: Sequence[Drawn] = ()
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
        self.slots = max(1, min(LARGEST_RANGE, OPEN_BYTES // max(8 * leaf, 1)))
        self.w = aligned(m.ROWS, np.float64)
        self.v = aligned(m.WORDS, np.uint64)
        self.n = np.full(m.NOTES, -1, np.int64)
        self.book = np.zeros(m.W * (1 + 3 * m.LOGS))
        self.out = aligned(self.slots * leaf, np.float64)
        self.bits = sketch_bits(ensemble.arms * self.columns)
        shape = (ensemble.arms, self.columns)
        self.counts = np.zeros((*shape, bins(self.bits) if ensemble.sketched else 0), np.uint32)
        self.sums = [np.zeros(shape) for _ in range(5)]
        self.leaves = leaf_functions()
        self.scratch = aligned(6 * self.leaves.BLOCK, np.float64)

    def drain(self) -> Sparse:
        """What was counted since the last time."""
        flat = self.counts.reshape(-1)
        index = np.flatnonzero(flat)
        found = Sparse(index.astype(np.uint32), flat[index])
        flat[index] = 0
        return found


def aligned(size: int, dtype: type[np.generic]) -> Array:
    """Zeros at a multiple of 64 bytes: a vector that straddles two cache lines costs two loads (7 % of a run)."""
    raw = np.zeros(8 * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 8 * size].view(dtype)


def plan(ensemble: Ensemble, threads: int, leaves: NDArray[np.int64] | None = None) -> list[Range]:
    """Ranges of 2**k leaves in order of id: enough for all threads, large enough for refill.

    `leaves`: numbers of the leaves to run, rising; None runs all.
    """
    missing = np.arange(ensemble.leaves) if leaves is None else leaves
    if not len(missing):
        return []
    leaf_functions()  # before there are threads: Python 3.11 cannot parse on two at once
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
    leaves = -(-span.count // LEAF)
    slots = min(space.slots, leaves)
    task = np.zeros(m.PATIENCE + 1, np.int64)
    task[m.COUNT], task[m.FIRST], task[m.ARMS] = span.count, span.first, ensemble.arms
    task[m.SEED] = np.uint64(ensemble.seed).astype(np.int64)
    task[m.IDLE], task[m.SLOTS], task[m.PATIENCE] = m.W, slots, SLICE
    task[m.STEP_CAP], task[m.EVENT_CAP] = ensemble.max_steps, ensemble.max_events
    setting = np.array(
        [ensemble.times[0], ensemble.times[-1], ensemble.rtol, ensemble.atol, ensemble.window, ensemble.first_step,
         ensemble.longest_step]
    )  # fmt: skip
    slot = np.full(leaves, -1, np.int64)
    left = np.minimum(LEAF, span.count - LEAF * np.arange(leaves))
    left_before = left.copy()
    free = np.arange(slots, dtype=np.int64)[::-1].copy()
    status = np.full(span.count, 255, np.uint8)
    work, logged = np.zeros(span.count, np.int64), np.zeros(span.count, np.int64)
    final, ended = np.zeros((span.count, m.SHOWN)), np.zeros(span.count)
    passed, log = np.zeros((span.count, m.PASSAGES)), np.zeros((span.count, m.LOGS * 3))
    done = _Finished(kernel, ensemble, span, values, status, work, final, passed, ended, log, logged)
    space.n[:] = -1
    space.w[m.NEXT : m.NEXT + m.W] = -np.inf
    code = -1
    while code != m.DONE:
        code = m.run(
            space.w, space.v, space.n, space.book, task, setting, values, times, space.out, slot, left, free,
            status, work, final, passed, ended, log, logged, ensemble.halt,
        )  # fmt: skip
        for leaf in np.flatnonzero((left == 0) & (left_before > 0)).tolist():
            left_before[leaf] = 0
            rows = min(LEAF, span.count - leaf * LEAF)
            start = slot[leaf] * LEAF * space.columns
            done.add(space, leaf, space.out[start : start + rows * space.columns].reshape(rows, space.columns))
            free[task[m.SLOTS]] = slot[leaf]
            task[m.SLOTS] += 1
        if code == m.HALTED:  # the halt word, or only the end of a slice, in which Python can see a signal
            if ensemble.halt[0]:
                break
            task[m.PATIENCE] = SLICE
        if done.bytes > HELD_BYTES or (done.leaves and due()):
            yield from done.give(space)
    yield from done.give(space)


class _Finished:
    """The finished leaves of a range that were not given yet."""

    def __init__(self, kernel: Kernel, ensemble: Ensemble, span: Range, values: Array, *arrays: Array) -> None:
        self.kernel, self.ensemble, self.span, self.values = kernel, ensemble, span, values
        self.status, self.work, self.final, self.passed, self.ended, self.log, self.logged = arrays
        self.leaves: list[int] = []
        self.nodes: dict[int, LeafNode] = {}
        self.paths: dict[int, Array] = {}
        self.bytes = 0

    def add(self, space: Workspace, leaf: int, rows: Array) -> None:
        """Reduce leaf number `leaf` of the range, rows (n, T * C), and copy the paths that are kept."""
        ensemble, first = self.ensemble, self.span.first + leaf * LEAF
        self.leaves.append(leaf)
        self.nodes[leaf] = reduce_leaf(space, ensemble, rows, first)
        keep = min(max(ensemble.keep - first, 0), len(rows))
        saves = len(ensemble.times)
        with np.errstate(over="ignore"):  # a count beyond float32 is stored as infinity
            self.paths[leaf] = rows[:keep].reshape(keep, saves, space.columns // saves).astype(ensemble.state_dtype)
        self.bytes += self.paths[leaf].nbytes + self.nodes[leaf].mean.nbytes * 3

    def give(self, space: Workspace) -> Iterator[RangeResult]:
        """What was added since the last time; the histogram of all of it goes with the first."""
        sketch = space.drain() if self.leaves and self.ensemble.sketched else None
        self.leaves.sort()
        cuts = [0, *(k for k in range(1, len(self.leaves)) if self.leaves[k] != self.leaves[k - 1] + 1)]
        for start, stop in zip(cuts, [*cuts[1:], len(self.leaves)]):
            if start < stop:
                yield self._result(self.leaves[start:stop], sketch)
                sketch = None
        self.leaves, self.nodes, self.paths, self.bytes = [], {}, {}, 0

    def _result(self, leaves: list[int], sketch: Sparse | None) -> RangeResult:
        m, span, ensemble = self.kernel.module, self.span, self.ensemble
        here = slice(leaves[0] * LEAF, min((leaves[-1] + 1) * LEAF, span.count))
        count, first = here.stop - here.start, span.first + here.start
        tree = ensemble.tree()
        for leaf in leaves:
            tree.add(span.first // LEAF + leaf, self.nodes[leaf])
        paths = np.concatenate([self.paths[leaf] for leaf in leaves])
        values = self.values[here] if len(self.values) > 1 else self.values
        passed, ended, work = self.passed[here], self.ended[here], self.work[here]
        events = self.kernel.emission.semantics == "jump"
        cut = [3 * min(n, m.LOGS) for n in self.logged[here].tolist()]
        return RangeResult(
            first=first,
            status=self.status[here],
            n_steps=np.minimum(work, 2**32 - 1).astype(np.uint32),
            n_reactions=work.astype(np.uint64) if events else np.zeros(count, np.uint64),
            params=shown_parameters(ensemble.network, values, count),
            final_state=self.final[here],
            event_time=event_times(passed, ended, self.kernel.emission.clocks),
            event_observed=(passed[:, : len(self.kernel.emission.clocks)] < np.inf).astype(np.uint8),
            kept_ids=np.arange(first, first + len(paths), dtype=np.int64),
            state=paths[:, :, : m.SHOWN],
            observables=paths[:, :, m.SHOWN :],
            nodes=tree.waiting(),
            sketch=sketch,
            log=[row[:n].reshape(-1, 3) for row, n in zip(self.log[here], cut)] if m.LOGS else [],
        )


def reduce_leaf(space: Workspace, ensemble: Ensemble, rows: NDArray[np.float64], first: int) -> LeafNode:
    """The node of one leaf, rows (n, T * C) from trajectory `first` on; adds the rows to the worker's histogram."""
    arms, saves = ensemble.arms, len(ensemble.times)
    number, shift, total, square, zeros = space.sums
    columns = space.columns // saves
    space.leaves.moments(rows, first, arms, space.scratch, number, shift, total, square, zeros)
    if ensemble.sketched:
        space.leaves.tally(rows, first, arms, space.counts, space.bits, LOWEST)
    shape = (arms, saves, columns)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        there = number > 0
        mean = np.where(there, shift + total / number, np.nan)
        m2 = np.where(there, np.maximum(square - total * total / number, 0.0), 0.0)
    n = number.reshape(shape)[:, :, 0]
    short = number.reshape(shape) < n[..., None]  # a reading that was not a number in a valid trajectory
    mean, m2 = mean.reshape(shape), m2.reshape(shape)
    mean = np.where(n[..., None] > 0, mean, 0.0)
    mean[short], m2[short] = np.nan, np.nan
    return LeafNode(n.astype(np.uint64), mean, m2.copy(), zeros.reshape(shape).astype(np.uint64))


def event_times(
    passed: NDArray[np.float64], ended: NDArray[np.float64], clocks: Sequence[int | None]
) -> NDArray[np.float64]:
    """Time of each kind of event from its clock, or of the end of follow-up where there was none, (n, E), days.

    `passed` (n, at least E): first times, inf where there was none, of the E events and then of treatments; `ended`
    (n,): when each trajectory ended; `clocks`: the column of `passed` that an event is measured from, None: time as it
    is. Follow-up whose clock never started has the length 0.
    """
    times = np.where(passed < np.inf, passed, ended[:, None])[:, : len(clocks)]
    for e, clock in enumerate(clocks):
        if clock is not None:
            began = passed[:, clock]
            times[:, e] = np.where(began < np.inf, times[:, e] - began, 0.0)
    return times


def _values(ensemble: Ensemble, span: Range) -> NDArray[np.float64]:
    """Rows of the kernel's parameter columns: one for all, or one for each trajectory of the range."""
    network = ensemble.network
    if ensemble.values is None:
        return value_rows(
            network, ensemble.seed, ensemble.draws, ensemble.given, ensemble.arms, ensemble.replicates,
            span.first, span.count,
        )  # fmt: skip
    rows = np.empty((span.count, len(network.parameters) + len(extra_values(network))))
    rows[:, len(network.parameters) :] = list(extra_values(network).values())
    rows[:, : len(network.parameters)] = ensemble.values[span.first : span.first + span.count]
    return rows
