"""What becomes of a leaf when its trajectories are finished: moments, counts, and the paths that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn import slabs
from ctcdyn.codegen.kernel import Kernel
from ctcdyn.errors import Status
from ctcdyn.patients import shown_parameters
from ctcdyn.reduction import LEAF, LOWEST, NOWHERE, LeafNode, Placed, Sparse, bins
from ctcdyn.store.layout import LESIONS
from ctcdyn.weights import Ratio

if TYPE_CHECKING:
    from ctcdyn.ensemble import Ensemble, Range, Workspace

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Paths:
    """Kept paths of one leaf, from its first trajectory on: state (n, T, S), observables (n, T, O), both in `slab`."""

    state: Array
    observables: Array
    slab: slabs.Slab


@dataclass(frozen=True)
class RangeResult:
    """What a range gave, rows in order of id; see the schema of results for shapes and units.

    `lesions`: columns of the table of lesions by name (`store.layout.LESIONS`), rows in order of (trajectory, lesion):
    of length zero where no lesion was founded, no columns at all where the study does not store the table.
    """

    first: int
    status: NDArray[np.uint8]
    n_steps: NDArray[np.uint32]
    n_reactions: NDArray[np.uint64]
    params: NDArray[np.float64]
    final_state: NDArray[np.float64]
    event_time: NDArray[np.float64]
    event_observed: NDArray[np.uint8]
    paths: list[Paths]  # of its leaves, in order
    nodes: list[Placed]
    sketch: Sparse | None
    log: list[NDArray[np.float64]] = field(default_factory=list)  # of each: (time, kind, value) of what happened
    weight: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # (n,), or none: all count alike
    lesions: Mapping[str, Array] = field(default_factory=dict)

    @property
    def kept_ids(self) -> NDArray[np.int64]:
        """Ids of the trajectories whose paths are here: the first of the range."""
        return np.arange(self.first, self.first + sum(len(paths.state) for paths in self.paths), dtype=np.int64)

    @property
    def state(self) -> Array:
        """Kept paths of all leaves, copied."""
        return np.concatenate([paths.state for paths in self.paths])

    @property
    def observables(self) -> Array:
        """Observables of the kept paths of all leaves, copied."""
        return np.concatenate([paths.observables for paths in self.paths])


class Finished:
    """The finished leaves of a range that were not given yet."""

    def __init__(self, kernel: Kernel, ensemble: Ensemble, span: Range, values: Array, *arrays: Array) -> None:
        self.kernel, self.ensemble, self.span, self.values = kernel, ensemble, span, values
        self.status, self.work, self.final, self.passed, self.ended, self.log, self.logged = arrays
        self.ratio = Ratio(ensemble.network, values, span.count)
        self.leaves: list[int] = []
        self.nodes: dict[int, LeafNode] = {}
        self.paths: dict[int, Paths] = {}
        self.tables: dict[int, dict[str, Array]] = {}  # of lesions
        self.bytes = 0

    def add(self, space: Workspace, leaf: int, rows: Array) -> None:
        """Reduce leaf number `leaf` of the range, rows (n, T * C), and copy the paths that are kept."""
        ensemble, first = self.ensemble, self.span.first + leaf * LEAF
        self.leaves.append(leaf)
        keep = min(max(ensemble.keep - first, 0), len(rows))
        saves = len(ensemble.times)
        shown = self.kernel.module.SHOWN
        self.paths[leaf] = copied(space, rows[:keep], saves, shown, np.dtype(ensemble.state_dtype))
        status = self.status[leaf * LEAF : leaf * LEAF + len(rows)]
        self.ratio.weigh(rows, saves, leaf * LEAF, status)  # in place: only the summary is still made from them
        self.nodes[leaf] = reduce_leaf(space, ensemble, rows, first)
        self.bytes += len(self.paths[leaf].slab) + self.nodes[leaf].mean.nbytes * 3
        self.bytes += sum(column.nbytes for column in self.tables.get(leaf, {}).values())

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

    def _lesions(self, leaves: list[int]) -> dict[str, Array]:
        """The table of lesions of these leaves, no columns where none is asked for."""
        if not self.ensemble.lesion_table:
            return {}
        tables = [table for leaf in leaves if (table := self.tables.pop(leaf))]
        return {
            name: np.concatenate([table[name] for table in tables]) if tables else np.zeros(0, column.dtype)
            for name, column in LESIONS.items()
        }

    def _result(self, leaves: list[int], sketch: Sparse | None) -> RangeResult:
        m, span, ensemble = self.kernel.module, self.span, self.ensemble
        here = slice(leaves[0] * LEAF, min((leaves[-1] + 1) * LEAF, span.count))
        count, first = here.stop - here.start, span.first + here.start
        tree = ensemble.tree()
        for leaf in leaves:
            tree.add(span.first // LEAF + leaf, self.nodes[leaf])
        values = self.values[here] if len(self.values) > 1 else self.values
        passed, ended, work = self.passed[here], self.ended[here], self.work[here]
        events = self.kernel.emission.semantics in ("jump", "hybrid") and m.GRID_FREE  # else the work is steps
        cut = [3 * min(n, m.LOGS) for n in self.logged[here].tolist()]
        weight = self._weigh(here) if self.ratio else np.empty(0)
        return RangeResult(
            first=first,
            status=self.status[here],
            n_steps=np.minimum(work, 2**32 - 1).astype(np.uint32),
            n_reactions=work.astype(np.uint64) if events else np.zeros(count, np.uint64),
            params=shown_parameters(ensemble.network, values, count),
            final_state=self.final[here, : m.SHOWN],
            weight=weight,
            event_time=event_times(passed, ended, self.kernel.emission.clocks),
            event_observed=(passed[:, : len(self.kernel.emission.clocks)] < np.inf).astype(np.uint8),
            paths=[self.paths[leaf] for leaf in leaves],
            nodes=tree.waiting(),
            sketch=sketch,
            log=[row[:n].reshape(-1, 3).copy() for row, n in zip(self.log[here], cut)] if m.LOGS else [],
            lesions=self._lesions(leaves),
        )

    def _weigh(self, here: slice) -> Array:
        """Weights at the end of each path; a trajectory that has none has failed."""
        final, status = self.final[here], self.status[here]
        weight = self.ratio.of(final, here.start)
        lost = np.isnan(weight) & np.isin(status, [int(s) for s in Status if s.ok])
        status[lost] = Status.NOT_FINITE
        final[lost] = np.nan
        return weight


def copied(space: Workspace, rows: NDArray[np.float64], saves: int, shown: int, dtype: np.dtype[Any]) -> Paths:
    """Rows (n, T * C) as what is stored, in a slab: species (n, T, shown), then observables (n, T, C - shown).

    Each begins at a page, and what is left of its last page is zero. A count beyond float32 becomes infinity.
    """
    n, columns = len(rows), space.columns // saves
    shapes = (n, saves, shown), (n, saves, columns - shown)
    sizes = [slabs.whole_pages(int(np.prod(shape)) * dtype.itemsize) for shape in shapes]
    slab = slabs.take(sum(sizes))
    parts, start = [], 0
    for shape, size in zip(shapes, sizes):
        used = int(np.prod(shape)) * dtype.itemsize
        slab[start + used : start + size] = 0
        parts.append(slab[start : start + used].view(dtype).reshape(shape))
        start += size
    state, observables = parts
    if dtype == np.float32 and n:
        space.leaves.narrow(rows, state, observables)
    else:
        table = rows.reshape(n, saves, columns)
        state[...] = table[:, :, :shown]
        observables[...] = table[:, :, shown:]
    return Paths(state, observables, slab)


def reduce_leaf(space: Workspace, ensemble: Ensemble, rows: NDArray[np.float64], first: int) -> LeafNode:
    """The node of one leaf, rows (n, T * C) from trajectory `first` on; adds the rows to the worker's histogram."""
    arms, saves = ensemble.arms, len(ensemble.times)
    number, shift, total, square, zeros = space.sums
    columns = space.columns // saves
    space.leaves.moments(rows, first, arms, space.scratch, number, shift, total, square, zeros)
    if ensemble.sketched:
        if space.counts is not None:
            space.leaves.tally(rows, first, arms, space.counts, space.bits, LOWEST)
        else:  # the only leaf
            places = np.empty(rows.shape, np.uint32)
            space.leaves.places(rows, first, arms, places, bins(space.bits), space.bits, LOWEST)
            index, count = np.unique(places[places != NOWHERE], return_counts=True)
            space.few = Sparse(index, count.astype(np.uint32))
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
