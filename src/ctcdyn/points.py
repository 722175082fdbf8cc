"""The points of a sweep: rows of a unit cube, each a function of (seed, point, number of points), and what they mean.

saltelli: base row b has d + 2 points, b (d + 2) to b (d + 2) + d + 1: A, then A with one column of B for each of the d
parameters, then B. A and B are the halves of a Sobol sequence in 2 d dimensions, scrambled anew for each of BLOCKS
blocks of rows, so that the blocks are independent and tell the error.

morris: way b has d + 1 points; each differs from the one before in one parameter, by half the grid (the best step for
an even number of levels; Morris 1991, doi:10.1080/00401706.1991.10484804).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.designs import SWEEP, keyed_words, latin_hypercube, sobol, within
from ctcdyn.model.sweeping import Axis, Sweep

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCKS = 16
FEWEST = 4  # base rows of a block
KEY = 0x7C0FFEE5_2B1D4A93  # turned into the seed for places within the parts of a Latin hypercube
MOVES = 3 << 32  # purpose of the words that make a way


def swept(sweep: Sweep, seed: int, points: Ints) -> Floats:
    """Values of the axes at consecutive points, (n, d) in base units."""
    if sweep.design == "list":
        return np.column_stack([np.array(axis.values)[points] for axis in sweep.axes])
    if sweep.design == "grid":
        columns, rest = [], points
        for axis in reversed(sweep.axes):  # the last changes from point to point
            rest, place = np.divmod(rest, len(axis.values))
            columns.append(np.array(axis.values)[place])
        return np.column_stack(columns[::-1])
    cube = rows(sweep, seed, points)
    return np.column_stack([_on(axis, u) for axis, u in zip(sweep.axes, cube.T, strict=True)])


def rows(sweep: Sweep, seed: int, points: Ints) -> Floats:
    """Rows of the unit cube at consecutive points, (n, d), of a design that has them."""
    d = len(sweep.axes)
    if sweep.design == "latin_hypercube":
        inside = np.empty((len(points), d))
        own = np.uint64(seed ^ KEY).astype(np.int64)
        leaf_functions().draw_uniforms(own, int(points[0]), leaf_functions().DRAWS, inside)
        return latin_hypercube(seed, points, sweep.count, inside, SWEEP)
    if sweep.design == "sobol":
        return sobol(points, d, seed if sweep.scramble else None, SWEEP)
    if sweep.design == "saltelli":
        return _saltelli(sweep, seed, points)
    return _morris(sweep, seed, points)


def blocks(base: int) -> int:
    """Number of independent blocks of the base rows of a Saltelli design."""
    return max(1, min(BLOCKS, base // FEWEST))


def _saltelli(sweep: Sweep, seed: int, points: Ints) -> Floats:
    d = len(sweep.axes)
    row, page = np.divmod(points, d + 2)
    each = sweep.base // blocks(sweep.base)
    both = np.empty((len(points), 2 * d))
    for block in np.unique(row // each).tolist():
        mine = row // each == block
        both[mine] = sobol(row[mine] % each, 2 * d, seed, SWEEP + 2 * d * block)
    found = np.where((page == d + 1)[:, None], both[:, d:], both[:, :d])
    for j in range(d):
        found[page == j + 1, j] = both[page == j + 1, d + j]
    return found


def _morris(sweep: Sweep, seed: int, points: Ints) -> Floats:
    d, levels = len(sweep.axes), sweep.levels
    way, step = np.divmod(points, d + 1)
    found = np.empty((len(points), d))
    for b in np.unique(way).tolist():
        start, order, up = moves(seed, b, d, levels)
        place = np.argsort(order)  # when each parameter moves
        for k in np.flatnonzero(way == b).tolist():
            moved = place < step[k]
            found[k] = (start + np.where(moved == up, levels // 2, 0)) / (levels - 1)
    return found


def moves(seed: int, way: int, d: int, levels: int) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """A way: lower level of each parameter (d,), in which order they move (d,), and whether each moves up (d,)."""
    words = keyed_words(seed, MOVES + way, 2 * d)
    start = ((words[:d] >> np.uint64(1)) % np.uint64(levels // 2)).astype(np.int64)
    return start, np.argsort(words[d:], kind="stable"), (words[:d] & np.uint64(1)) == 1


def _on(axis: Axis, u: Floats) -> Floats:
    """Numbers between 0 and 1 on the range of an axis."""
    if not axis.log:
        return np.clip(axis.low + (axis.high - axis.low) * u, axis.low, axis.high)
    low, high = math.log(axis.low), math.log(axis.high)
    return np.clip(np.exp(low + (high - low) * within(u)), axis.low, axis.high)
