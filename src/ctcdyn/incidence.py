"""Competing risks: the chance of each of several kinds of events coming first, from times with censoring.

O. O. Aalen and S. Johansen 1978, Scand. J. Stat. 5:141. That each kind is censored by the others and 1 - Kaplan-Meier
taken would be the wrong call: it answers what would be if the others did not exist and nothing else changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.estimates import Estimate, quantile_of_normal

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """Cumulative incidence (m, T) of m kinds from each of the times (T,) on, which begin with 0.

    `low` to `high`: pointwise band of log(-log F), `error`: standard error, all (m, T); `at_risk` (T,) just before,
    `events` (m, T) then. Before the first event of a kind the band is that of an observed zero. The kinds and the share
    without any, `survival` (T,), add up to 1.
    """

    time: Floats
    incidence: Floats
    low: Floats
    high: Floats
    error: Floats
    at_risk: Floats
    events: Floats
    survival: Floats
    confidence: float
    names: tuple[str, ...]
    n: int

    def at(self, kind: str, time: float) -> Estimate:
        """Chance that `kind` came first, by `time` days; NaN after the end of follow-up."""
        k, j = self.names.index(kind), int(np.searchsorted(self.time, time, side="right")) - 1
        if j < 0 or not self.n or (time > self.time[-1] and self.survival[-1] > 0.0):
            return Estimate(math.nan, math.nan, math.nan, math.nan, self.n)
        value, error, low, high = (float(x[k, j]) for x in (self.incidence, self.error, self.low, self.high))
        return Estimate(value, error, low, high, self.n)


def cumulative_incidence(
    time: ArrayLike, kind: ArrayLike, confidence: float = 0.95, names: tuple[str, ...] | None = None
) -> Incidence:
    """Aalen-Johansen estimate from times (n,), days, and kinds (n,): 0 censored, 1 to m what came.

    The error is that of the delta method (E. Marubini and M. G. Valsecchi 1995, section 10.3), of independent
    trajectories; without censoring sqrt(F (1 - F) / n). Raises ValueError for shapes that differ, negative times and
    kinds that are no whole numbers from 0 on.

    >>> found = cumulative_incidence([1, 2, 3, 4], [1, 2, 0, 1])
    >>> found.time.tolist(), found.incidence.tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0], [[0.0, 0.25, 0.25, 0.25, 0.75], [0.0, 0.0, 0.25, 0.25, 0.25]])
    """
    times, kinds = np.asarray(time, dtype=np.float64), np.asarray(kind, dtype=np.int64)
    if times.ndim != 1 or kinds.shape != times.shape:
        raise ValueError(f"times {times.shape} and kinds {kinds.shape} have different shapes")
    if not (np.isfinite(times).all() and (times >= 0.0).all() and (kinds >= 0).all()):
        raise ValueError("times are finite numbers from 0 on, kinds whole ones from 0 on")
    m = int(kinds.max(initial=0)) if names is None else len(names)
    if kinds.max(initial=0) > m:
        raise ValueError(f"kinds go to {kinds.max()}, names to {m}")
    n = len(times)
    grid, of = np.unique(np.append(times, 0.0), return_inverse=True)
    place, size = of[:-1], len(grid)
    at_risk = np.cumsum(np.bincount(place, minlength=size)[::-1])[::-1].astype(np.float64)
    rows = [np.bincount(place[kinds == k], minlength=size) for k in range(1, m + 1)]
    events = np.array(rows, dtype=np.float64).reshape(m, size)
    every: Floats = events.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(every > 0.0, 1.0 - every / at_risk, 1.0)).astype(np.float64)
        before = np.append(1.0, survival[:-1])
        parts = np.where(events > 0.0, before * events / at_risk, 0.0)
        found = np.cumsum(parts, axis=1)
        rest = at_risk - every
        spread = np.where((every > 0.0) & (rest > 0.0), every / (at_risk * rest), 0.0)
        own = np.where(events > 0.0, before**2 * (at_risk - events) / at_risk * events / at_risk**2, 0.0)
        cross = np.where(events > 0.0, before * events / at_risk**2, 0.0)
    # sum over j <= t of (F(t) - F_j)^2 spread_j + own_j - 2 (F(t) - F_j) cross_j, expanded in F(t)
    total = [
        np.cumsum(x, axis=-1) for x in (spread, found * spread, found**2 * spread, own, cross, found * cross)
    ]
    variance = (
        found**2 * total[0]
        - 2.0 * found * total[1]
        + total[2]
        + total[3]
        - 2.0 * (found * total[4] - total[5])
    )
    error = np.sqrt(np.maximum(variance, 0.0))
    z = quantile_of_normal(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.exp(z * error / (-found * np.log(found)))
        low, high = found**reach, found ** (1.0 / reach)
    none, whole = found == 0.0, found >= 1.0
    unseen = np.broadcast_to(1.0 - (0.5 - confidence / 2) ** (1.0 / np.maximum(at_risk, 1.0)), found.shape)
    low, high = np.where(none, 0.0, low), np.where(none, unseen, high)
    reached = np.maximum.accumulate(
        np.where(whole, 0.0, low), axis=1
    )  # at F = 1 the band has no low end of its own
    low, high = np.where(whole, reached, low), np.where(whole, 1.0, high)
    if not n:
        survival = np.full(1, math.nan)
        found = low = high = error = np.full((m, 1), math.nan)
    names = tuple(map(str, range(1, m + 1))) if names is None else names
    return Incidence(grid, found, low, high, error, at_risk, events, survival, confidence, names, n)
