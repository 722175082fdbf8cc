"""Survival from times with censoring: Kaplan-Meier curves, restricted means, differences between paired arms.

Functions of arrays: `time` (n,), days, and `observed` (n,), whether the event came then (else the follow-up ended
without it). Curve: E. L. Kaplan and P. Meier 1958, doi:10.1080/01621459.1958.10501452. Errors are those of the
infinitesimal jackknife: Greenwood's (1926) for independent trajectories of equal weight, and right too where they have
weights, patients have replicates, or arms share their patients. Bands are those of log(-log S) (J. D. Kalbfleisch and
R. L. Prentice 1980, section 1.3). All errors say how well the cohort was sampled. Log-rank and hazards:
`ctcdyn.hazards`; competing kinds: `ctcdyn.incidence`; of a result: `Results.survival`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.estimates import Difference, Estimate, quantile_of_normal

Floats = NDArray[np.float64]


class Followed(NamedTuple):
    """A group that was followed up: `time` (n,), days, `observed` (n,), and where they are known `weight` (n,) and
    `cluster` (n,), whole numbers: rows with the same one are not independent (a patient in two arms, replicates)."""

    time: ArrayLike
    observed: ArrayLike
    weight: ArrayLike | None = None
    cluster: ArrayLike | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Survival from each of the times (T,) on, which are 0 and all those of events and of censoring.

    `at_risk`: how many (by weight) were followed just before, `events`: how many had the event then, `error`: standard
    error. `low` to `high`: pointwise band of `confidence`. Before the first event it is that of an observed zero,
    low^n = (1 - confidence) / 2, where most programs have a band without width. `followed`: what it was made of.
    """

    time: Floats
    survival: Floats
    low: Floats
    high: Floats
    at_risk: Floats
    events: Floats
    error: Floats
    confidence: float
    followed: Followed

    @property
    def n(self) -> int:
        """Trajectories."""
        return len(np.asarray(self.followed.time))

    def at(self, time: float) -> Estimate:
        """Survival at `time` days with error and interval; NaN after the end of follow-up, where nobody is known."""
        ended = time > self.time[-1] and self.survival[-1] > 0.0
        if time < 0.0 or ended or not self.n:
            return Estimate(math.nan, math.nan, math.nan, math.nan, self.n)
        j = int(np.searchsorted(self.time, time, side="right")) - 1
        value, error, low, high = (float(x[j]) for x in (self.survival, self.error, self.low, self.high))
        return Estimate(value, error, low, high, self.n)

    def risk(self, times: ArrayLike) -> Floats:
        """How many (by weight) are still followed, without the event, just before each of `times`."""
        place = np.searchsorted(self.time, np.asarray(times, dtype=np.float64), side="left")
        return np.append(self.at_risk, 0.0)[place]

    def when(self, share: float = 0.5) -> Estimate:
        """The time by which this share has had the event: the first at which survival is 1 - share or less.

        The interval is where the band crosses (R. Brookmeyer and J. Crowley 1982, doi:10.2307/2530286), the error the
        standard error of which it would be the normal interval; infinite where the follow-up was too short.
        """
        level = 1.0 - share + 1e-12
        low, value, high = (
            _first(self.time, curve <= level) for curve in (self.low, self.survival, self.high)
        )
        error = (high - low) / (2.0 * quantile_of_normal(self.confidence)) if math.isfinite(low) else math.nan
        return Estimate(value, error, low, high, self.n)


def kaplan_meier(
    time: ArrayLike,
    observed: ArrayLike,
    confidence: float = 0.95,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
) -> Curve:
    """Kaplan-Meier curve of times (n,) with a pointwise log(-log) band; Greenwood's error without weights and clusters.

    `weight` (n,): of weighted trajectories, and the band before the first event is not known. `cluster` (n,), whole
    numbers: rows with the same one are not independent. Raises ValueError for shapes that differ and times that are
    negative or no number.

    >>> curve = kaplan_meier([2, 3, 3, 5], [True, True, False, False])
    >>> curve.time.tolist(), curve.survival.tolist(), curve.at_risk.tolist()
    ([0.0, 2.0, 3.0, 5.0], [1.0, 0.75, 0.5, 0.5], [4.0, 4.0, 3.0, 1.0])
    """
    group = Followed(time, observed, weight, cluster)
    table = Table(group)
    survival, spread = table.survival, np.sqrt(table.spread())
    low, high = _band(survival, spread, quantile_of_normal(confidence))
    none = survival == 1.0
    units = table.at_risk * (table.units / max(table.n, 1))
    unseen = (0.5 - confidence / 2) ** (1.0 / np.maximum(units, 1.0))
    low[none], high[none] = (unseen[none] if weight is None else math.nan), 1.0
    error = np.where(survival > 0.0, survival * spread, 0.0)
    if not table.n:
        survival = low = high = error = np.full(1, math.nan)
    return Curve(table.grid, survival, low, high, table.at_risk, table.events, error, confidence, group)


def restricted_mean(curve: Curve, horizon: float) -> Estimate:
    """Mean time without the event up to `horizon` days, the area under the curve, with an interval.

    P. K. Andersen et al. 2004, doi:10.1007/s10985-004-4771-0. The interval is that of the logarithm of the time lost,
    horizon less mean, which holds for few events too; for none what an observed zero allows. NaN where the follow-up
    ends before the horizon.
    """
    table = Table(curve.followed)
    area = table.area(horizon)
    error = math.sqrt(float((table.per_cluster(table.influence(area)) ** 2).sum()))
    value = float(area[0])
    lost = horizon - value
    if lost > 1e-12 * horizon:
        reach = math.exp(quantile_of_normal(curve.confidence) * error / lost)
        return Estimate(value, error, max(horizon - lost * reach, 0.0), horizon - lost / reach, curve.n)
    return Estimate(value, error, value * float(curve.low[0]), value, curve.n)


def restricted_mean_difference(a: Curve, b: Curve, horizon: float) -> Difference:
    """Time without the event up to `horizon` days that `a` has more than `b`, days.

    Rows of both with the same cluster (the arms of a patient) are a pair, and the error is that of their differences.
    """
    tables = Table(a.followed), Table(b.followed)
    areas = [table.area(horizon) for table in tables]
    return _difference(tables, areas, float(areas[0][0] - areas[1][0]))


def survival_difference(a: Curve, b: Curve, time: float) -> Difference:
    """Survival in `a` less that in `b` at `time` days; pairs as in `restricted_mean_difference`."""
    tables, values = (Table(a.followed), Table(b.followed)), [a.at(time).value, b.at(time).value]
    kernels = [np.where(table.grid <= time, value, 0.0) for table, value in zip(tables, values)]
    return _difference(tables, kernels, values[0] - values[1])


class Table:
    """What a curve is made of: the times (T,) at which somebody left, how many were at risk and had the event."""

    def __init__(self, group: Followed) -> None:
        time, observed = np.asarray(group.time, dtype=np.float64), np.asarray(group.observed, dtype=np.bool_)
        weight = np.ones(time.shape) if group.weight is None else np.asarray(group.weight, dtype=np.float64)
        if time.ndim != 1 or observed.shape != time.shape or weight.shape != time.shape:
            raise ValueError(
                f"times {time.shape}, observed {observed.shape}, weights {weight.shape}: shapes differ"
            )
        if not (np.isfinite(time).all() and (time >= 0.0).all() and (weight >= 0.0).all()):
            raise ValueError("times are finite numbers from 0 on, weights are not negative")
        self.n, self.time, self.observed, self.weight = len(time), time, observed, weight
        self.grid, place = np.unique(np.append(time, 0.0), return_inverse=True)
        self.place = place[:-1]
        leaving = np.bincount(self.place, weight, len(self.grid))
        self.at_risk: Floats = np.cumsum(leaving[::-1])[::-1].astype(np.float64)
        self.events: Floats = np.bincount(self.place[observed], weight[observed], len(self.grid)).astype(
            np.float64
        )
        rest = self.at_risk - self.events
        with np.errstate(divide="ignore", invalid="ignore"):
            self.hazard = np.where(self.events > 0.0, self.events / self.at_risk, 0.0)
            self.step = np.where((self.events > 0.0) & (rest > 0.0), self.events / (self.at_risk * rest), 0.0)
        self.survival: Floats = np.cumprod(1.0 - self.hazard).astype(np.float64)
        self.cluster = None if group.cluster is None else np.asarray(group.cluster, dtype=np.int64)
        if self.cluster is not None and self.cluster.shape != time.shape:
            raise ValueError(f"times {time.shape}, clusters {self.cluster.shape}: shapes differ")
        self.plain = group.weight is None and self.units == self.n

    @functools.cached_property
    def units(self) -> int:
        """Independent ones: clusters, or rows."""
        return self.n if self.cluster is None else len(np.unique(self.cluster))

    def influence(self, kernel: Floats) -> Floats:
        """What each row (n,) does to sum_j kernel_j log(1 - hazard_j), kernel (T,), by its weight: the first-order
        change of a survival S(t) for the kernel S(t) up to t, and of a restricted mean for `area`."""
        running = np.cumsum(kernel * self.step)
        own = np.divide(kernel, self.at_risk, out=np.zeros(len(kernel)), where=self.at_risk > 0.0)
        before = running - kernel * self.step - own
        found: Floats = self.weight * np.where(self.observed, before[self.place], running[self.place])
        return found

    def per_cluster(self, values: Floats) -> Floats:
        """Sums of the rows of each cluster."""
        if self.cluster is None:
            return values
        return np.asarray(
            np.bincount(np.unique(self.cluster, return_inverse=True)[1], values), dtype=np.float64
        )

    def area(self, horizon: float) -> Floats:
        """Area under the curve from each time (T,) to the horizon; NaN where the follow-up ends before it."""
        if not self.n or (horizon > self.grid[-1] and self.survival[-1] > 0.0):
            return np.full(len(self.grid), math.nan)
        ends = np.append(self.grid[1:], math.inf)
        lengths = np.maximum(np.minimum(ends, horizon) - self.grid, 0.0)
        lengths[self.survival == 0.0] = 0.0
        found: Floats = np.cumsum((self.survival * lengths)[::-1])[::-1]
        return found

    def spread(self) -> Floats:
        """Variance of log S at each time (T,)."""
        running: Floats = np.cumsum(self.step)
        if self.plain:
            return running
        own = np.divide(1.0, self.at_risk, out=np.zeros(len(running)), where=self.at_risk > 0.0)
        left = self.weight * np.where(
            self.observed, (running - self.step - own)[self.place], running[self.place]
        )
        cluster = np.arange(self.n) if self.cluster is None else self.cluster
        order = np.lexsort((self.place, cluster))
        new = np.append(True, np.diff(cluster[order]) != 0)[: self.n]
        gone, weight = _within(left[order], new), _within(self.weight[order], new)
        total = weight[np.append(new[1:], True)][np.cumsum(new) - 1]
        there, was, before = total - weight, gone - left[order], total - weight + self.weight[order]
        place, size = self.place[order], len(self.grid)
        squares = np.cumsum(np.bincount(place, gone**2 - was**2, size))
        mixed = np.cumsum(np.bincount(place, gone * there - was * before, size))
        alive = (total[new] ** 2).sum() + np.cumsum(np.bincount(place, there**2 - before**2, size))
        return np.asarray(
            np.maximum(squares + 2.0 * running * mixed + running**2 * alive, 0.0), dtype=np.float64
        )


def _difference(tables: tuple[Table, Table], kernels: list[Floats], value: float) -> Difference:
    """A difference whose error is the sum of squares over pairs, from the influence of each row on either side."""
    one, other = (table.influence(kernel) for table, kernel in zip(tables, kernels))
    mine, theirs = (table.cluster for table in tables)
    if mine is None or theirs is None:
        error = math.sqrt(float((one**2).sum() + (other**2).sum()))
        return Difference(value, error, error, len(one) + len(other))
    ids, of = np.unique(np.concatenate([mine, theirs]), return_inverse=True)
    first = np.asarray(np.bincount(of[: len(one)], one, len(ids)), dtype=np.float64)
    second = np.asarray(np.bincount(of[len(one) :], other, len(ids)), dtype=np.float64)
    unpaired = math.sqrt(float((first**2).sum() + (second**2).sum()))
    return Difference(value, math.sqrt(float(((first - second) ** 2).sum())), unpaired, len(ids))


def _within(values: Floats, new: NDArray[np.bool_]) -> Floats:
    """Running sums that begin anew where `new`."""
    running = np.cumsum(values)
    start = np.append(0.0, running)[np.flatnonzero(new)]
    found: Floats = running - start[np.cumsum(new) - 1]
    return found


def _band(survival: Floats, spread: Floats, z: float) -> tuple[Floats, Floats]:
    """Band of log(-log S); at S = 0, where it has none, from 0 to where it last was."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.exp(z * spread / -np.log(survival))
        low, high = survival**reach, survival ** (1.0 / reach)
    gone = survival == 0.0
    low[gone] = 0.0
    high[gone] = high[~gone][-1] if (~gone).any() else 1.0
    return low, high


def _first(time: Floats, where: Any) -> float:
    """The first time at which it is so; infinite for none."""
    found = np.flatnonzero(where)
    return float(time[found[0]]) if len(found) else math.inf
