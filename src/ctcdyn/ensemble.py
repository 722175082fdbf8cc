"""Which trajectories there are and how a range of them is run: no file, no thread, no clock.

id = (patient * replicates + replicate) * arms + arm. A trajectory is a pure function of (seed, id): streams are keyed
by id // arms, a patient's parameters by the patient. Work comes in ranges of whole leaves; the order of ranges, their
size and who runs them change no bit of the result.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen import cache
from ctcdyn.codegen.kernel import Kernel
from ctcdyn.codegen.layout import extra_values
from ctcdyn.codegen.link import library
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network
from ctcdyn.reduction import LEAF, LOWEST, LeafNode, Sketch, Tree, bin_edges, bins, sketch_bits

OPEN_BYTES = 64 << 20  # of open leaves in one worker
LARGEST_RANGE = 128  # leaves
# Days over which a bound of time-dependent rates holds; assumed: finer than a daily rhythm.
SLICE = (
    256  # looks at the halt word in one call of a kernel: tens of milliseconds, in which no Ctrl-C is seen
)
DEFAULT_WINDOW = 1.0 / 16.0

Array = NDArray[Any]


class Drawn(Protocol):
    """How one parameter differs between patients (ctcdyn.model.resolve.Draw)."""

    @property
    def parameter(self) -> int: ...
    @property
    def dist(self) -> str: ...
    @property
    def a(self) -> float: ...
    @property
    def b(self) -> float: ...


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
    nodes: list[tuple[int, LeafNode]]
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

    def sketch(self) -> Sketch | None:
        """The histogram over all ranges run so far, by all workers."""
        if not self.sketched or not self.workers:
            return None
        counts = self.workers[0].counts.copy()
        for other in self.workers[1:]:
            counts += other.counts
        arms, columns, bin_count = counts.shape
        saves = len(self.times)
        return Sketch(
            counts.reshape(arms, saves, columns // saves, bin_count), bin_edges(self.workers[0].bits)
        )


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


def aligned(size: int, dtype: type[np.generic]) -> Array:
    """Zeros at a multiple of 64 bytes: a vector that straddles two cache lines costs two loads (7 % of a run)."""
    raw = np.zeros(8 * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 8 * size].view(dtype)


def plan(ensemble: Ensemble, threads: int) -> list[Range]:
    """Ranges of 2**k leaves in order of id: enough for all threads, large enough for refill."""
    size = LARGEST_RANGE
    while size > 1 and size * threads * 4 > ensemble.leaves:
        size //= 2
    step = size * LEAF
    return [Range(first, min(step, ensemble.count - first)) for first in range(0, ensemble.count, step)]


def run_range(kernel: Kernel, ensemble: Ensemble, span: Range) -> RangeResult | None:
    """Run one range to its end; None where the halt word ended it before."""
    m, space = kernel.module, ensemble.workspace(kernel)
    values, times = _values(ensemble, span), np.ascontiguousarray(ensemble.times)
    saves, width = len(ensemble.times), m.SPECIES + m.READINGS
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
    kept = np.arange(span.first, min(span.first + span.count, max(ensemble.keep, span.first)), dtype=np.int64)
    paths = np.zeros((len(kept), saves, width), ensemble.state_dtype)
    nodes: list[tuple[int, LeafNode]] = []
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
            block = space.out[start : start + rows * space.columns].reshape(rows, space.columns)
            node = reduce_leaf(space, ensemble, block, span.first + leaf * LEAF)
            nodes.append((span.first // LEAF + leaf, node))
            keep = min(max(len(kept) - leaf * LEAF, 0), rows)
            if keep:
                paths[leaf * LEAF : leaf * LEAF + keep] = block[:keep].reshape(keep, saves, width)
            free[task[m.SLOTS]] = slot[leaf]
            task[m.SLOTS] += 1
        if code == m.HALTED:  # the halt word, or only the end of a slice, in which Python can see a signal
            if ensemble.halt[0]:
                return None
            task[m.PATIENCE] = SLICE
    events = kernel.emission.semantics == "jump"
    return RangeResult(
        first=span.first,
        status=status,
        n_steps=np.minimum(work, 2**32 - 1).astype(np.uint32),
        n_reactions=work.astype(np.uint64) if events else np.zeros(span.count, np.uint64),
        params=_shown_parameters(ensemble.network, values, span.count),
        final_state=final,
        event_time=np.where(passed < np.inf, passed, ended[:, None]),
        event_observed=(passed < np.inf).astype(np.uint8),
        kept_ids=kept,
        state=paths[:, :, : m.SHOWN],
        observables=paths[:, :, m.SHOWN :],
        nodes=nodes,
        log=[log[k, : 3 * min(logged[k], m.LOGS)].reshape(-1, 3) for k in range(span.count)]
        if m.LOGS
        else [],
    )


def completed(result: RangeResult | None) -> RangeResult:
    """The result of a range that ran to its end. Raises KeyboardInterrupt for one that the halt word ended before."""
    if result is None:
        raise KeyboardInterrupt
    return result


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


def draw_values(ensemble: Ensemble, patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Drawn parameters of consecutive patients, (n, D) in base units, by inversion of addressed uniforms."""
    uniforms = np.empty((len(patients), len(ensemble.draws)))
    leaf_functions().draw_uniforms(
        np.uint64(ensemble.seed).astype(np.int64), int(patients[0]), leaf_functions().DRAWS, uniforms
    )
    columns = []
    for column, draw in zip(uniforms.T, ensemble.draws, strict=True):
        if draw.dist in ("normal", "lognormal"):
            from scipy.special import ndtri

            x = draw.a + draw.b * ndtri(column)
        else:
            x = draw.a + (draw.b - draw.a) * column
        columns.append(np.exp(x) if draw.dist.startswith("log") else x)
    return np.stack(columns, axis=1)


def _values(ensemble: Ensemble, span: Range) -> NDArray[np.float64]:
    """Rows of the kernel's parameter columns: one for all, or one for each trajectory of the range."""
    base = np.concatenate(
        [ensemble.network.parameter_values(), list(extra_values(ensemble.network).values())]
    )
    if ensemble.values is not None:
        rows = np.repeat(base[None, :], span.count, axis=0)
        rows[:, : ensemble.values.shape[1]] = ensemble.values[span.first : span.first + span.count]
        return rows
    if not ensemble.draws:
        return np.ascontiguousarray(base[None, :])
    each = ensemble.replicates * ensemble.arms
    patients = np.arange(span.first // each, (span.first + span.count - 1) // each + 1)
    drawn = draw_values(ensemble, patients)
    rows = np.repeat(base[None, :], span.count, axis=0)
    of = np.arange(span.first, span.first + span.count) // each - patients[0]
    rows[:, [draw.parameter for draw in ensemble.draws]] = drawn[of]
    return rows


def _shown_parameters(network: Network, values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Parameters in force at the start, (count, P), derived ones included."""
    shown = values[:, : len(network.parameters)]
    order = network.derived_order()
    if order:
        shown = shown.copy()
        named = {p.name: shown[:, q] for q, p in enumerate(network.parameters)}
        for q in order:
            expression = network.parameters[q].expr
            assert expression is not None
            shown[:, q] = evaluate(expression, named)
    return shown if len(shown) == count else np.broadcast_to(shown, (count, shown.shape[1]))


@functools.cache
def leaf_functions() -> Any:
    """The compiled module of `kernels/leaves.py`, the same for all models."""
    return cache.load(library("leaves", "streams"), _leaf_entries)


def _leaf_entries(_module: Any) -> dict[str, Any]:
    from numba import types

    f2 = types.float64[:, ::1]
    i = types.int64
    return {
        "moments": (f2, i, i, types.float64[::1], f2, f2, f2, f2, f2),
        "tally": (f2, i, i, types.uint32[:, :, ::1], i, i),
        "draw_uniforms": (i, i, i, f2),
    }
