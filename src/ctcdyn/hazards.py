"""Hazards of groups that were followed up: log-rank test, hazard ratio, smoothed hazard.

Groups are `Followed` or tuples (time, observed), time in days. Groups that share clusters (the arms of a patient)
are not independent: variances are then sums of squares of the scores of each cluster (E. W. Lee, L. J. Wei and D. A.
Amato 1992, doi:10.1007/978-94-015-7983-4_14; D. Y. Lin and L. J. Wei 1989, doi:10.1080/01621459.1989.10478874).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.estimates import quantile_of_normal
from ctcdyn.survival import Followed, Table

Floats = NDArray[np.float64]
FARTHEST = 30.0  # a log hazard ratio: beyond, the likelihood is at its limit to 1e-13


@dataclass(frozen=True, slots=True)
class LogRank:
    """Log-rank test of equal hazards: `statistic`, chi square with `df` degrees of freedom, and its p-value.

    `observed` and `expected`: events of each group, and how many equal hazards would give. `paired`: whether the
    variance counts what the groups share.
    """

    statistic: float
    df: int
    p: float
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    paired: bool


@dataclass(frozen=True, slots=True)
class HazardRatio:
    """Hazard of a group over that of another, an average over the follow-up where it changes, with its interval.

    `error`: standard error of its logarithm. `events`: of both. Where one group has no event the ratio is 0 or
    infinite, the error NaN, and the interval that of the likelihood ratio.
    """

    value: float
    error: float
    low: float
    high: float
    events: int
    n: int
    paired: bool

    @property
    def to_halve(self) -> int:
        """How many more trajectories would halve the error."""
        return 3 * self.n

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g}, {self.events} events)"


@dataclass(frozen=True, slots=True, eq=False)
class Hazard:
    """Hazard (1/d) at each time (m,), its standard error and pointwise band; `bandwidth` in days."""

    time: Floats
    hazard: Floats
    low: Floats
    high: Floats
    error: Floats
    bandwidth: float


def logrank(groups: Sequence[Any]) -> LogRank:
    """Log-rank test of two groups or more (N. Mantel 1966; k groups: R. Peto and J. Peto 1972, doi:10.2307/2344317).

    scipy.stats.logrank has two independent groups alone; there it agrees with this one to rounding. Weights are
    refused: ValueError.
    """
    pooled = _Pooled([Followed(*group) for group in groups])
    d, y = pooled.events, pooled.at_risk
    every, risk = d.sum(axis=0), y.sum(axis=0)
    share = y / risk
    expected = (share * every).sum(axis=1)
    off = d.sum(axis=1) - expected
    if pooled.paired:
        scores = pooled.per_cluster(pooled.scores(share, every / risk))
        variance = scores.T @ scores
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(risk > 1, every * (risk - every) / (risk - 1), 0.0)
        variance = np.diag((share * factor).sum(axis=1)) - (share * factor) @ share.T
    inverse = np.linalg.pinv(variance[1:, 1:], rcond=1e-12, hermitian=True)
    statistic = max(float(off[1:] @ inverse @ off[1:]), 0.0)
    from scipy.special import chdtrc

    df = len(groups) - 1
    told = d.sum(axis=1).tolist(), expected.tolist()
    return LogRank(statistic, df, float(chdtrc(df, statistic)), tuple(told[0]), tuple(told[1]), pooled.paired)


def hazard_ratio(a: Any, b: Any, confidence: float = 0.95) -> HazardRatio:
    """Hazard of group `a` over that of `b`: Cox's partial likelihood of one covariate, ties as Efron has them.

    D. R. Cox 1972, doi:10.1111/j.2517-6161.1972.tb00899.x; B. Efron 1977, doi:10.1080/01621459.1977.10480613. The
    interval is Wald's, of the logarithm. Groups that share clusters: the robust variance, and of two that do not differ
    the ratio is 1 without error. NaN where no event came while both were followed. Weights are refused: ValueError.
    """
    pooled = _Pooled([Followed(*a), Followed(*b)])
    both = (pooled.at_risk > 0.0).all(axis=0)  # what comes to one group alone tells nothing of the ratio
    d, y = pooled.events[:, both], pooled.at_risk[:, both]
    every, mine = d.sum(axis=0).astype(np.int64), float(d[0].sum())
    of = np.repeat(np.arange(len(every)), every)
    number = np.arange(len(of)) - np.repeat(np.cumsum(every) - every, every)
    one, other = y[:, of] - number / every[of] * d[:, of]  # at risk for each event of a tie in turn
    events, n, z = int(pooled.events.sum()), sum(pooled.sizes), quantile_of_normal(confidence)

    def slope(beta: float) -> float:
        return mine - float((one * math.exp(beta) / (one * math.exp(beta) + other)).sum())

    def likelihood(beta: float) -> float:
        return mine * beta - float(np.log(one * math.exp(beta) + other).sum())

    if not len(of):
        return HazardRatio(math.nan, math.nan, math.nan, math.nan, events, n, pooled.paired)
    if mine in (0.0, float(len(of))):
        far = math.copysign(FARTHEST, mine - 0.5)
        bound = math.exp(_root(lambda x: likelihood(far) - likelihood(x) - z * z / 2))
        ends = (math.inf, bound, math.inf) if mine else (0.0, 0.0, bound)
        return HazardRatio(ends[0], math.nan, ends[1], ends[2], events, n, pooled.paired)
    beta = 0.0 if slope(0.0) == 0.0 else _root(slope)
    ratio = math.exp(beta)
    share = one * ratio / (one * ratio + other)
    information = float((share * (1.0 - share)).sum())
    error = 1.0 / math.sqrt(information)
    if pooled.paired:
        risk = pooled.at_risk[0] * ratio + pooled.at_risk[1]
        mean = pooled.at_risk[0] * ratio / risk
        scores = pooled.scores(np.stack([mean, 1.0 - mean]), pooled.events.sum(axis=0) / risk, (ratio, 1.0))
        error = math.sqrt(float((pooled.per_cluster(scores)[:, 0] ** 2).sum())) / information
    low, high = math.exp(beta - z * error), math.exp(beta + z * error)
    return HazardRatio(ratio, error, low, high, events, n, pooled.paired)


def _root(f: Callable[[float], float]) -> float:
    """Where a monotone function is zero between -FARTHEST and FARTHEST, by halving: scipy.optimize, which has quicker
    ways, is a third of a second to import."""
    low, high, rising = -FARTHEST, FARTHEST, f(FARTHEST) > 0.0
    while low < (middle := 0.5 * (low + high)) < high and high - low > 1e-14 * max(abs(low), abs(high), 1e-2):
        low, high = (low, middle) if (f(middle) > 0.0) == rising else (middle, high)
    return 0.5 * (low + high)


def smoothed_hazard(
    time: ArrayLike,
    observed: ArrayLike,
    bandwidth: float,
    grid: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Hazard:
    """Hazard over time: the steps of the Nelson-Aalen estimate, smoothed by Epanechnikov's kernel of this half width.

    H. Ramlau-Hansen 1983, doi:10.1214/aos/1176346152. `bandwidth` and `grid` (m,) in days; default: 101 times from 0 to
    the last. Within a bandwidth of either end the kernel is cut off and what is left scaled up. The band is that of the
    logarithm, for the smoothed hazard, which is flatter than the hazard itself; NaN where no event is near.
    """
    if not bandwidth > 0.0:
        raise ValueError(f"a bandwidth is above 0, not {bandwidth}")
    table, z = Table(Followed(time, observed)), quantile_of_normal(confidence)
    last = float(table.grid[-1])
    at = np.linspace(0.0, last, 101) if grid is None else np.asarray(grid, dtype=np.float64)
    there = table.events > 0.0
    days, steps = table.grid[there], table.hazard[there]
    squares = steps / table.at_risk[there]
    found, variance = np.zeros(len(at)), np.zeros(len(at))
    begin, stop = np.searchsorted(days, at - bandwidth), np.searchsorted(days, at + bandwidth, side="right")
    for k, (t, i, j) in enumerate(zip(at.tolist(), begin.tolist(), stop.tolist())):
        kernel = 0.75 * (1.0 - ((t - days[i:j]) / bandwidth) ** 2) / bandwidth
        left, right = max(-1.0, (t - last) / bandwidth), min(1.0, t / bandwidth)
        mass = 0.75 * (right - left - (right**3 - left**3) / 3.0)
        found[k] = float((kernel * steps[i:j]).sum()) / mass
        variance[k] = float((kernel**2 * squares[i:j]).sum()) / mass**2
    error = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.exp(z * error / found)
        return Hazard(at, found, found / reach, found * reach, error, bandwidth)


class _Pooled:
    """Groups at their distinct times of events (J,): `at_risk` and `events`, (k, J) each."""

    def __init__(self, groups: Sequence[Followed]) -> None:
        if any(group.weight is not None for group in groups):
            raise ValueError("weighted trajectories have no log-rank test and no hazard ratio")
        tables = [Table(group) for group in groups]
        self.days = np.unique(np.concatenate([table.grid[table.events > 0.0] for table in tables]))
        self.at_risk, self.events = np.zeros((2, len(tables), len(self.days)))
        for g, table in enumerate(tables):
            self.at_risk[g] = np.append(table.at_risk, 0.0)[np.searchsorted(table.grid, self.days)]
            there = table.events > 0.0
            self.events[g, np.searchsorted(self.days, table.grid[there])] = table.events[there]
        self.sizes = [table.n for table in tables]
        self.time, self.observed = (
            np.concatenate([getattr(t, x) for t in tables]) for x in ("time", "observed")
        )
        known = [table.cluster for table in tables if table.cluster is not None]
        self.paired = False
        if len(known) == len(tables):
            ids, self.cluster = np.unique(np.concatenate(known), return_inverse=True)
            self.paired = len(ids) < len(self.cluster)

    def scores(self, share: Floats, steps: Floats, risk: Sequence[float] | None = None) -> Floats:
        """Score of each row (n, k): its group less the `share` (k, J) of each at risk, at its event, less what was
        expected by then from hazards `steps` (J,), times the `risk` of its group."""
        k = len(self.sizes)
        group = np.repeat(np.arange(k), self.sizes)
        factor = np.ones(k) if risk is None else np.asarray(risk)
        by = np.searchsorted(self.days, self.time, side="right")  # times of events up to the row's own
        found = np.empty((len(group), k))
        for g in range(k):
            mine = (group == g).astype(np.float64)
            own = np.where(self.observed, mine - np.append(share[g], 0.0)[np.maximum(by - 1, 0)], 0.0)
            hazard, shared = (np.append(0.0, np.cumsum(x))[by] for x in (steps, share[g] * steps))
            found[:, g] = own - factor[group] * (mine * hazard - shared)
        return found

    def per_cluster(self, scores: Floats) -> Floats:
        """Sums of the scores (n, k) over the rows of each cluster."""
        return np.stack([np.bincount(self.cluster, column) for column in scores.T], axis=1)
