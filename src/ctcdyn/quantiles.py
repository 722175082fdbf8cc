"""Quantiles over trajectories with intervals that hold whatever the distribution is.

The interval reaches from one order statistic to another, so that it holds the quantile with at least the given
confidence (H. A. David and H. N. Nagaraja 2003, Order Statistics, section 7.1): exact where all paths are kept, else to
the width of the bins in which a file counts values, about 2 % of a value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem, Status
from ctcdyn.estimates import Estimate, quantile_of_normal
from ctcdyn.followup import arm_index
from ctcdyn.store.summary import quantiles_from_counts

if TYPE_CHECKING:
    from ctcdyn.results import Results

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Quantiles of one species or observable in one arm: `value`, `low` and `high` are (Q, T), in its unit.

    `level` (Q,), `time` (T,) days, `n` (T,) trajectories. `low` to `high`: the interval of each quantile; NaN where it
    would reach beyond the extremes.
    """

    name: str
    level: tuple[float, ...]
    time: Floats
    value: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]
    confidence: float

    def at(self, level: float, time: float) -> Estimate:
        """One quantile; its error is the standard error of which the interval would be the normal one."""
        q = int(np.argmin(np.abs(np.asarray(self.level) - level)))
        t = int(np.argmin(np.abs(self.time - time)))
        if not math.isclose(self.level[q], level) or not math.isclose(self.time[t], time, abs_tol=1e-9):
            what = f"no quantile {level:g} on day {time:g}"
            raise CtcError(
                Problem("R509", what, fix=f"the nearest is {self.level[q]:g} on day {self.time[t]:g}")
            )
        value, low, high = (float(x[q, t]) for x in (self.value, self.low, self.high))
        error = (high - low) / (2.0 * quantile_of_normal(self.confidence))
        return Estimate(value, error, low, high, int(self.n[t]))


class Quantiles(np.ndarray[Any, Any]):
    """`Results.quantiles`: an array (Q, A, T, S) of levels that the file holds, and, called with the name of a species
    or observable, a `Band`: any levels, with intervals."""

    _of: Results | None = None

    def __array_finalize__(self, whole: Any) -> None:
        self._of = None  # a part of it, or what was computed from it, is an array like others

    def __call__(
        self,
        name: str,
        levels: Sequence[float] | None = None,
        time: float | None = None,
        arm: str | None = None,
        confidence: float = 0.95,
    ) -> Band:
        """Quantiles of a species or observable in an arm (default: the first), at one save (days) or at all.

        `levels` from 0 to 1, default those of the result. Raises CtcError (R509, exit 2) for names and times that the
        results do not have, and for other levels of results in memory without all paths.
        """
        if self._of is None:
            raise TypeError("a part of an array of quantiles cannot be called; call results.quantiles")
        return band(self._of, name, levels, time, arm, confidence)


def quantiles_of(results: Results) -> Quantiles:
    """`Results.quantiles`."""
    found = np.asarray(results["quantiles"], dtype=np.float64).view(Quantiles)
    found._of = results
    return found


def band(
    results: Results,
    name: str,
    levels: Sequence[float] | None,
    time: float | None,
    arm: str | None,
    confidence: float,
) -> Band:
    """See `Quantiles.__call__`."""
    a, (table, column) = arm_index(results, arm), results.find(name)
    saves = slice(None) if time is None else slice(save_index(results, time), save_index(results, time) + 1)
    wanted = results.quantile if levels is None else tuple(float(level) for level in levels)
    if not all(0.0 <= level <= 1.0 for level in wanted):
        raise CtcError(Problem("R509", "levels of quantiles lie between 0 and 1"), Exit.USAGE)
    place = column + (0 if table == "species" else len(results.species))
    whole = bool(results.schema.counted[place])
    if results.schema.kept == results.schema.count:
        good = np.isin(results.status, [int(s) for s in Status if s.ok]) & (results["arm_index"] == a)
        paths = np.asarray(results.values(name), dtype=np.float64)[good][:, saves]
        found = [_of_values(column_[~np.isnan(column_)], wanted, confidence, whole) for column_ in paths.T]
        n = (~np.isnan(paths)).sum(axis=0)
    else:
        counts, edges = results.sketch(a, place)
        n = counts[saves].sum(axis=1, dtype=np.int64)
        found = [_of_counts(row, edges, wanted, confidence, whole) for row in counts[saves]]
    value, low, high = np.moveaxis(np.array(found).reshape(-1, 3, len(wanted)), 0, 2)
    return Band(name, wanted, results.time[saves], value, low, high, n, confidence)


def ranks(n: int, level: float, confidence: float) -> tuple[int, int]:
    """Which of n order statistics, from 0, an interval of the quantile reaches from and to; -1 and n: beyond them.

    Equal tails, and drawn in by one rank after the other as long as it still has the confidence.
    """
    from scipy.stats import binom

    tail = 0.5 - confidence / 2
    low, high = int(binom.ppf(tail, n, level)) - 1, int(binom.ppf(1.0 - tail, n, level))
    spare = float(binom.cdf(high, n, level) - binom.cdf(low, n, level)) - confidence
    while True:  # the cheaper end first
        costs = [(float(binom.pmf(low + 1, n, level)), 1, 0), (float(binom.pmf(high, n, level)), 0, -1)]
        cost, up, down = min(costs)
        if cost > spare or low + 1 >= high:
            return low, high
        low, high, spare = low + up, high + down, spare - cost


def _of_values(values: Floats, levels: Sequence[float], confidence: float, whole: bool) -> list[list[float]]:
    """Quantiles of numbers (n,) and both ends of their intervals."""
    if not len(values):
        return [[math.nan] * len(levels)] * 3
    ordered = np.sort(values)
    middle = np.quantile(ordered, levels, method="inverted_cdf" if whole else "linear").tolist()
    ends = [ranks(len(values), level, confidence) for level in levels]
    padded = np.concatenate([ordered, [math.nan, math.nan]])  # beyond: n, and -1 from the back
    return [middle, [float(padded[low]) for low, _ in ends], [float(padded[high]) for _, high in ends]]


def _of_counts(
    counts: NDArray[Any], edges: Floats, levels: Sequence[float], confidence: float, whole: bool
) -> list[list[float]]:
    """The same of numbers that were counted in bins (B,)."""
    n = int(counts.sum(dtype=np.int64))
    if not n:
        return [[math.nan] * len(levels)] * 3
    ends = np.array([ranks(n, level, confidence) for level in levels]).T
    share = ends / max(n - 1, 1)
    if whole:  # there a level is the share up to a number
        share = (ends + 0.5) / n
    inside = (ends >= 0) & (ends < n)
    middle = quantiles_from_counts(counts, edges, levels, whole=whole)
    outer = quantiles_from_counts(
        counts, edges, np.clip(share, 0.0, 1.0).ravel().tolist(), whole=whole
    ).reshape(2, -1)
    return [middle.tolist(), *np.where(inside, outer, math.nan).tolist()]


def save_index(results: Results, time: float) -> int:
    """Index of the save at `time` days. A time that was not saved is an error that names the nearest saved one."""
    times = results.time
    nearest = int(np.argmin(np.abs(times - time)))
    if not math.isclose(times[nearest], time, rel_tol=1e-12, abs_tol=1e-9):
        what = f"day {time:g} was not saved"
        fix = f"the nearest save is day {times[nearest]:g}; add the time to simulate.save"
        raise CtcError(Problem("R509", what, fix=fix), Exit.USAGE)
    return nearest
