"""From the reduction tree's root and the histogram sketch to the numbers a reader wants.

The same function serves results in a file and in memory. Quantiles come from integer counts in fixed bins,
so they are the same bits for any order of ranges; their error is at most half the width of a bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.store.layout import Array

_SLAB = 32  # save times whose counts are summed at once: bounds the memory for quantiles


class Moments(Protocol):
    """A node of the reduction tree: n (A, T), and mean, m2, zeros (A, T, C) over C = species, then
    observables.
    """

    @property
    def n(self) -> Array: ...
    @property
    def mean(self) -> Array: ...
    @property
    def m2(self) -> Array: ...
    @property
    def zeros(self) -> Array: ...


class Counts(Protocol):
    """Histogram of every column: counts (A, T, C, B) and bin_edges (B + 1,); or, where `places` is not None, counts
    (A, T, C, K) of the bins of these numbers.
    """

    @property
    def counts(self) -> Array: ...
    @property
    def bin_edges(self) -> Array: ...
    @property
    def places(self) -> Array | None: ...


def quantiles_from_counts(
    counts: ArrayLike,
    bin_edges: ArrayLike,
    levels: Sequence[float],
    places: Array | None = None,
    whole: ArrayLike = False,
) -> NDArray[np.float64]:
    """Quantiles of binned numbers, shape (Q, ...) for counts of shape (..., B), or of shape (..., K) of the bins whose
    numbers are in `places`, rising along the last axis.

    Bin b holds the numbers from `bin_edges[b]` to `bin_edges[b + 1]` (B + 1 edges, ascending). A bin
    without width holds one value exactly (the bin of zeros: edges 0, 0). Within a bin the c numbers are
    taken as evenly spread, the k-th of them at lo + (hi - lo) * (k + 1/2) / c; between order statistics the
    quantile is linear (type 7 of Hyndman and Fan, doi:10.1080/00031305.1996.10473566). NaN where there is
    no number, or where the quantile falls in a bin with an infinite edge.

    Where `whole` (it has the leading shape of `counts`, or is broadcast to it) the numbers are whole, and a quantile is
    one of them: the smallest up to which the share of all is at least the level (type 1 there). It is exact where a bin
    is no wider than 1; a wider one has its c numbers evenly over the whole numbers in it.
    """
    table = np.asarray(counts)
    edges = np.asarray(bin_edges, dtype=np.float64)
    if (places is None and edges.shape != (table.shape[-1] + 1,)) or (edges[1:] < edges[:-1]).any():
        raise ValueError(
            f"{table.shape[-1]} bins need {table.shape[-1] + 1} ascending edges, not {edges.shape}"
        )
    probabilities = np.asarray(levels, dtype=np.float64)
    if ((probabilities < 0) | (probabilities > 1) | np.isnan(probabilities)).any():
        raise ValueError("quantile levels lie between 0 and 1")
    rows = table.reshape(-1, table.shape[-1])
    which = None if places is None else places.reshape(rows.shape)
    running = np.cumsum(rows, axis=1, dtype=np.int64)
    n = running[:, -1]
    counted = np.broadcast_to(np.asarray(whole, dtype=np.bool_), table.shape[:-1]).reshape(-1)
    position = probabilities[:, None] * np.maximum(n - 1, 0)
    first = np.maximum(np.ceil(probabilities[:, None] * n) - 1, 0)
    position = np.where(counted, first, position)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    below = _order_statistic(rows, running, edges, low, which, counted)
    above = _order_statistic(rows, running, edges, high, which, counted)
    weight = position - low
    with np.errstate(invalid="ignore"):
        found = np.where(weight == 0, below, below + weight * (above - below))
    found[:, n == 0] = np.nan
    return found.reshape(len(probabilities), *table.shape[:-1])


def _order_statistic(
    rows: Array,
    running: NDArray[np.int64],
    edges: NDArray[np.float64],
    rank: NDArray[np.int64],
    which: Array | None,
    counted: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Value of the number of rank `rank` (Q, R), from 0, in each row of counts (R, B) of the bins `which`; a whole
    number where `counted` (R,)."""
    step = int(running[:, -1].max(initial=0)) + 1
    row = np.arange(len(rows), dtype=np.int64)
    flat = (running + row[:, None] * step).reshape(-1)  # ascending over all rows: one search serves them all
    found = np.searchsorted(flat, rank + row * step, side="right") - row * rows.shape[1]
    bin_ = np.clip(found, 0, rows.shape[1] - 1)
    inside = rows[row, bin_].astype(np.float64)
    before = running[row, bin_] - rows[row, bin_].astype(np.int64)
    number = bin_ if which is None else which[row, bin_]
    low, high = edges[number], edges[number + 1]
    bounded = np.isfinite(low) & np.isfinite(high)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = (rank - before + 0.5) / np.maximum(inside, 1)
        value = low + (high - low) * share
        first = np.ceil(low)
        number = np.ceil(high) - first  # whole numbers in a bin, which is open above
        value = np.where(counted & (number > 0), first + np.floor(number * share), value)
    return np.where(bounded, np.where(low == high, low, value), np.nan)


def relative_error(bin_edges: ArrayLike) -> float:
    """Largest half width of a regular bin (both edges positive and finite) relative to its middle."""
    edges = np.asarray(bin_edges, dtype=np.float64)
    low, high = edges[:-1], edges[1:]
    regular = (low > 0) & np.isfinite(high)
    return float(((high - low)[regular] / (high + low)[regular]).max(initial=0.0))


def summarise(
    root: Moments,
    sketch: Counts | None,
    species: int,
    levels: Sequence[float],
    low: float = 0.0,
    whole: ArrayLike = False,
) -> dict[str, Array]:
    """Arrays mean, var, mean_error, n_valid, p_extinct, obs_mean, obs_var, obs_mean_error, quantiles, obs_quantiles,
    p_low by their names in a result, of which `schema.variables()` says what is kept.

    `species` is S: columns 0 to S - 1 are species, the rest observables. var is the sample variance (NaN
    for n < 2), everything is NaN where no trajectory is valid. `whole`, (S + O,): columns of whole numbers. p_low is
    there where `low`, a power of two, is above 0.
    """
    n = np.asarray(root.n, dtype=np.uint64)
    number = n[..., None].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(number > 0, root.mean, np.nan)
        var = np.where(number > 1, np.asarray(root.m2) / (number - 1), np.nan)
        error = np.where(number > 1, np.sqrt(var / number), np.nan)
        zero = np.where(number > 0, np.asarray(root.zeros, dtype=np.float64) / number, np.nan)
    found: dict[str, Array] = {
        "mean": mean[..., :species],
        "var": var[..., :species],
        "n_valid": n,
        "p_extinct": zero[..., :species],
        "obs_mean": mean[..., species:],
        "obs_var": var[..., species:],
        "mean_error": error[..., :species],
        "obs_mean_error": error[..., species:],
    }
    if sketch is not None and len(levels):
        arms, times, columns = mean.shape
        table = np.empty((len(levels), arms, times, columns))
        for arm in range(arms):
            for start in range(0, times, _SLAB):
                slab = sketch.counts[arm, start : start + _SLAB]
                places = None if sketch.places is None else sketch.places[arm, start : start + _SLAB]
                found_here = quantiles_from_counts(slab, sketch.bin_edges, levels, places, whole)
                table[:, arm, start : start + _SLAB] = found_here
        if low > 0:
            under = np.asarray(sketch.bin_edges, dtype=np.float64)[1:] <= low
            counts = np.asarray(sketch.counts)[..., :species, :]
            if sketch.places is None:
                few = counts[..., under].sum(axis=-1, dtype=np.float64)
            else:
                few = (counts * under[sketch.places[..., :species, :]]).sum(axis=-1, dtype=np.float64)
            found["p_low"] = np.where(number > 0, few / np.where(number > 0, number, 1.0), np.nan)
        found |= {"quantiles": table[..., :species], "obs_quantiles": table[..., species:]}
    return found
