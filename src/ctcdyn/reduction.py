"""Summaries that are the same bits for any order of work: leaves, a fixed binary tree over them, integer counts.

A leaf is 256 neighbouring ids. Two nodes are merged by the update of T. F. Chan, G. H. Golub and R. J. LeVeque 1979
(Stanford STAN-CS-79-773), and always the same two: the tree depends on the number of trajectories alone. Quantiles come
from integer counts on bins that are log-linear in the value, so their order does not matter either.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAF = 256
LOWEST, HIGHEST = -34, 54  # octaves of the histogram: 6e-11 (a share of 1e10 cells) to 1.8e16
NOWHERE = 0xFFFFFFFF  # the place of a missing value, as in kernels/leaves.py
FINEST = 7  # bits of an octave: 128 bins, 0.4 % half width at most before interpolation
BUDGET = 32 << 20  # bytes of one worker's histogram; beyond it the bins get coarser

Array = NDArray[Any]


@dataclass(frozen=True)
class LeafNode:
    """Moments of a set of trajectories: n (A, T) valid rows, mean and m2 (A, T, C), zeros (A, T, C) exactly zero."""

    n: NDArray[np.uint64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    zeros: NDArray[np.uint64]


Placed = tuple[int, int, LeafNode]  # level, position: the node stands for leaves position << level and on


@dataclass(frozen=True)
class Sparse:
    """Part of a histogram: count[k] values in the bin with flat number index[k] of (A, T, C, B), each bin once."""

    index: NDArray[np.uint32]
    count: NDArray[np.uint32]


@dataclass(frozen=True)
class Sketch:
    """Histogram of every column, counts (A, T, C, B) with B + 1 edges.

    With `places` the counts are those of some bins alone, (A, T, C, K), whose numbers are in `places`, rising.
    """

    counts: NDArray[np.uint32]
    bin_edges: NDArray[np.float64]
    places: NDArray[np.int64] | None = None


def merge(one: LeafNode, other: LeafNode) -> LeafNode:
    """The node of the union of two disjoint sets."""
    a, b = one.n[..., None].astype(np.float64), other.n[..., None].astype(np.float64)
    n = a + b
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.where(n > 0, b / np.where(n > 0, n, 1.0), 0.0)
        step = np.where(a > 0, np.where(b > 0, other.mean - one.mean, 0.0), 0.0)
        mean = np.where(a > 0, one.mean + step * share, other.mean)
        m2 = one.m2 + other.m2 + step * step * a * share
    return LeafNode(one.n + other.n, mean, m2, one.zeros + other.zeros)


class Tree:
    """The fixed binary tree over leaves 0 .. leaves - 1; `add` takes them in any order, each once."""

    def __init__(self, leaves: int) -> None:
        self._leaves = leaves
        self._nodes: dict[tuple[int, int], LeafNode] = {}  # (level, position): waiting for its sibling

    def add(self, position: int, node: LeafNode, level: int = 0) -> None:
        """Take the node of one leaf, or one that stands for 2**level of them, and merge what is complete."""
        while True:
            count = -(-self._leaves >> level)  # nodes of this level
            sibling = position ^ 1
            if count == 1:
                break
            if sibling >= count:  # an odd node out goes up as it is
                level, position = level + 1, position >> 1
                continue
            if (level, sibling) not in self._nodes:
                break
            other = self._nodes.pop((level, sibling))
            node = merge(node, other) if position < sibling else merge(other, node)
            level, position = level + 1, position >> 1
        self._nodes[level, position] = node

    def add_all(self, nodes: Iterable[Placed]) -> None:
        """Take nodes that another tree over the same leaves gave."""
        for level, position, node in nodes:
            self.add(position, node, level)

    def waiting(self) -> list[Placed]:
        """The nodes that have no sibling yet, as few as stand for all leaves that were added."""
        return [(level, position, node) for (level, position), node in sorted(self._nodes.items(), key=_place)]

    def root(self) -> LeafNode:
        """The node of all leaves that were added: of a part of them, what waits is merged from the left."""
        nodes = [node for *_, node in sorted(self.waiting(), key=lambda placed: placed[1] << placed[0])]
        return functools.reduce(merge, nodes)


def _place(item: tuple[tuple[int, int], LeafNode]) -> tuple[int, int]:
    return item[0]


class Histogram:
    """Sum of the counts that workers hand over, (A, T, C, B)."""

    def __init__(self, arms: int, saves: int, columns: int) -> None:
        self._bits = sketch_bits(arms * saves * columns)
        self._counts = np.zeros((arms, saves, columns, bins(self._bits)), np.uint32)

    def add(self, part: Sparse | None) -> None:
        """Add one part, in any order."""
        if part is not None:
            self._counts.reshape(-1)[part.index] += part.count  # an index occurs once

    def sketch(self) -> Sketch:
        """All that was added."""
        return Sketch(self._counts, bin_edges(self._bits))


def sketch_of(part: Sparse, arms: int, saves: int, columns: int) -> Sketch:
    """A histogram of few values, by the bins that hold one: of 16 numbers, 16 bins at most and not ten thousand."""
    bits = sketch_bits(arms * saves * columns)
    column, place = np.divmod(part.index.astype(np.int64), bins(bits))
    number = np.bincount(column, minlength=arms * saves * columns)
    shape = (arms, saves, columns, max(int(number.max(initial=0)), 1))
    counts, places = np.zeros(shape, np.uint32), np.zeros(shape, np.int64)
    nth = np.arange(len(column)) - (np.cumsum(number) - number)[column]  # index rises, so columns stand together
    counts.reshape(-1, shape[3])[column, nth] = part.count
    places.reshape(-1, shape[3])[column, nth] = place
    return Sketch(counts, bin_edges(bits), places)


def sketch_bits(columns: int) -> int:
    """Bits of an octave for so many columns (A * T * C): a function of the study alone, so the same everywhere."""
    bits = FINEST
    while bits > 0 and columns * (bins(bits)) * 4 > BUDGET:
        bits -= 1
    return bits


def bins(bits: int) -> int:
    """Number of bins with 2**bits of them to an octave."""
    return ((HIGHEST - LOWEST) << bits) + 4


@functools.cache
def bin_edges(bits: int) -> NDArray[np.float64]:
    """Edges of the bins, shape (B + 1,): -inf, 0, 0, 2**LOWEST, ..., 2**HIGHEST, inf; not to be written to."""
    octaves = np.repeat(np.arange(LOWEST, HIGHEST), 1 << bits)
    steps = np.tile(np.arange(1 << bits) / (1 << bits), HIGHEST - LOWEST)
    regular = np.ldexp(1.0 + steps, octaves)
    edges = np.concatenate([[-np.inf, 0.0, 0.0], regular, [np.ldexp(1.0, HIGHEST), np.inf]])
    edges.flags.writeable = False
    return edges
