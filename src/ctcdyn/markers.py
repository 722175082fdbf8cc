"""How well a number of a patient tells what will become of them: groups by a cut, ROC curve, rank correlations.

A count of circulating tumour cells before the operation, say, and a relapse: below 5 in 7.5 mL or not (M. Cristofanilli
et al. 2004, doi:10.1056/NEJMoa040766).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.analysis import fraction
from ctcdyn.errors import CtcError, Exit, Problem, Status
from ctcdyn.estimates import Estimate, quantile_of_normal
from ctcdyn.followup import arm_index, event_index, was_followed
from ctcdyn.quantiles import save_index

if TYPE_CHECKING:
    from ctcdyn.followup import Survival
    from ctcdyn.results import Results

Floats = NDArray[np.float64]

CUT = 5.0  # cells in 7.5 mL of blood: doi:10.1056/NEJMoa040766


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Share of those with and of those without the outcome whose marker is at least each `threshold` (m,), falling.

    `auc`: the chance that the marker of one with the outcome is larger than that of one without, ties counting half.
    """

    threshold: Floats
    sensitivity: Floats
    false_positive: Floats
    auc: Estimate
    positive: int
    negative: int


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How often each count was found: `count` (m,), 0 to the largest, its `share` with Wilson's interval.

    `poisson` (m,): shares of a Poisson law of the same mean, which one law of all patients would give. `zero`: the
    share of none. `dispersion`: variance over mean, 1 for Poisson.
    """

    count: NDArray[np.int64]
    share: Floats
    low: Floats
    high: Floats
    poisson: Floats
    zero: Estimate
    mean: Estimate
    dispersion: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Prognosis:
    """What a marker tells of an event: survival of both groups (`survival`, "below" and "from" the cut), the ROC curve
    for the event by `horizon` days, `sensitivity` and `specificity` at the cut, rank correlation with the time to the
    event (cut off at the horizon), and how the marker is distributed where it is a count (else None).

    `unknown`: how many were not followed to the horizon; they count in `survival` and `counts` alone.
    """

    event: str
    cut: float
    horizon: float
    survival: Survival
    roc: Roc
    sensitivity: Estimate
    specificity: Estimate
    correlation: Estimate
    counts: Counts | None
    unknown: int


def prognosis(
    results: Results,
    event: str,
    marker: str | ArrayLike,
    time: float | None = None,
    cut: float = CUT,
    horizon: float | None = None,
    arm: str | None = None,
) -> Prognosis:
    """What a marker tells of an event in an arm (default: the first).

    `marker`: a number for each trajectory, (K,), or the name of a species or observable, as it was saved at `time`
    days, for which all paths must be kept. `cut`: from this value on a marker is high. `horizon`: days, default where
    the shortest follow-up ends. Raises CtcError (R509, exit 2) for names, times and shapes that do not fit, and for
    weighted trajectories.
    """
    if results.schema.weighted:
        raise _unfit("weighted trajectories ([importance]) have no ROC curve", "run the study without [importance]")
    values = _marker(results, marker, time)
    rows = was_followed(results, event) & (results["arm_index"] == arm_index(results, arm)) & np.isfinite(values)
    labels = np.where(values >= cut, f"from {cut:g}", f"below {cut:g}")
    survival = results.survival(event, np.where(rows, labels, ""), arm)
    survival.curves.pop("", None)
    e = event_index(results, event)
    days, seen = results.event_time[rows, e], results.event_observed[rows, e] == 1
    end = _shortest(days, seen) if horizon is None else horizon
    happened = seen & (days <= end)
    known = happened | (days >= end)
    mine = values[rows]
    whole = bool(len(mine)) and bool((mine == np.round(mine)).all() and (mine >= 0).all())
    high = mine >= cut
    return Prognosis(
        event,
        cut,
        end,
        survival,
        roc(mine[known], happened[known]),
        fraction(int((high & happened)[known].sum()), int(happened[known].sum())),
        fraction(int((~high & ~happened)[known].sum()), int((~happened)[known].sum())),
        rank_correlation(mine[known], np.minimum(days, end)[known]),
        counts(mine) if whole else None,
        int((~known).sum()),
    )


def roc(marker: ArrayLike, outcome: ArrayLike, confidence: float = 0.95) -> Roc:
    """ROC curve of a marker (n,) for an outcome (n,), with the area under it.

    Area, its error: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson 1988, doi:10.2307/2531595; its interval is that
    of the logit. NaN where all or none have the outcome.

    >>> found = roc([1, 2, 3, 4], [False, False, True, True])
    >>> found.auc.value, found.threshold.tolist(), found.sensitivity.tolist()
    (1.0, [inf, 4.0, 3.0, 2.0, 1.0], [0.0, 0.5, 1.0, 1.0, 1.0])
    """
    x, positive = np.asarray(marker, dtype=np.float64), np.asarray(outcome, dtype=np.bool_)
    if x.ndim != 1 or x.shape != positive.shape or np.isnan(x).any():
        raise ValueError(f"markers {x.shape} and outcomes {positive.shape}: one number for each outcome")
    threshold, of = np.unique(x, return_inverse=True)
    number = [np.bincount(of[mask], minlength=len(threshold))[::-1] for mask in (positive, ~positive)]
    hits, alarms = (np.append(0.0, np.cumsum(part)) for part in number)
    p, n = int(positive.sum()), int((~positive).sum())
    falling = np.append(math.inf, threshold[::-1])
    if not p or not n:
        none = Estimate(math.nan, math.nan, math.nan, math.nan, len(x))
        return Roc(falling, hits / max(p, 1), alarms / max(n, 1), none, p, n)
    below = np.append(0.0, np.cumsum(np.bincount(of[~positive], minlength=len(threshold))))
    above = p - np.append(0.0, np.cumsum(np.bincount(of[positive], minlength=len(threshold))))
    mine = (below[of] + below[of + 1])[positive] / 2 / n  # for each with the outcome: share of the others below
    theirs = (above[of] + above[of + 1])[~positive] / 2 / p
    area = float(mine.mean())
    parts = [float(part.var(ddof=1)) / len(part) if len(part) > 1 else math.nan for part in (mine, theirs)]
    error = math.sqrt(sum(parts))
    low = high = area
    if 0.0 < area < 1.0 and error > 0.0:
        reach = math.exp(quantile_of_normal(confidence) * error / (area * (1.0 - area)))
        odds = area / (1.0 - area)
        low, high = odds / reach / (1.0 + odds / reach), odds * reach / (1.0 + odds * reach)
    elif area in (0.0, 1.0):  # never wrong so far: at most so often in the smaller group
        end = (0.5 - confidence / 2) ** (1.0 / min(p, n))
        low, high = (end, 1.0) if area == 1.0 else (0.0, 1.0 - end)
    return Roc(falling, hits / p, alarms / n, Estimate(area, error, low, high, len(x)), p, n)


def counts(found: ArrayLike, confidence: float = 0.95) -> Counts:
    """How often each count was found, from whole numbers (n,), and what a Poisson law of the same mean would give."""
    from scipy.stats import poisson

    numbers = np.asarray(found)
    whole = numbers.astype(np.int64)
    if numbers.ndim != 1 or not len(numbers) or (whole != numbers).any() or (whole < 0).any():
        raise ValueError("counts are whole numbers from 0 on, at least one")
    n, every = len(whole), np.bincount(whole)
    shares = [fraction(k, n, confidence) for k in every.tolist()]
    mean, variance = float(whole.mean()), float(whole.var(ddof=1)) if n > 1 else math.nan
    error = math.sqrt(variance / n)
    reach = quantile_of_normal(confidence) * error
    low, high = (np.array([getattr(one, end) for one in shares]) for end in ("low", "high"))
    number = np.arange(len(every))
    return Counts(
        number, every / n, low, high, poisson.pmf(number, mean), shares[0],
        Estimate(mean, error, mean - reach, mean + reach, n), variance / mean if mean > 0 else math.nan, n,
    )  # fmt: skip


def rank_correlation(x: ArrayLike, y: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Spearman's rank correlation of two rows of numbers (n,), ties at their mean rank.

    Interval: of Fisher's z with the variance (1 + r^2 / 2) / (n - 3) (D. G. Bonett and T. A. Wright 2000,
    doi:10.1007/BF02294183), good up to |r| of about 0.9. NaN where one is constant, or for fewer than five.
    """
    from scipy.stats import rankdata

    one, other = (np.asarray(values, dtype=np.float64) for values in (x, y))
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"numbers of shapes {one.shape} and {other.shape} have no correlation")
    n = len(one)
    first, second = (rankdata(values) - (n + 1) / 2 for values in (one, other))
    size = math.sqrt(float((first**2).sum()) * float((second**2).sum()))
    if n < 5 or size == 0.0:
        return Estimate(math.nan, math.nan, math.nan, math.nan, n)
    r = max(-1.0, min(1.0, float((first * second).sum()) / size))
    spread = math.sqrt((1.0 + r * r / 2) / (n - 3))
    if abs(r) == 1.0:
        return Estimate(r, 0.0, r, r, n)
    z, reach = math.atanh(r), quantile_of_normal(confidence) * spread
    return Estimate(r, spread * (1.0 - r * r), math.tanh(z - reach), math.tanh(z + reach), n)


def rank_correlations(
    results: Results, outcome: str | ArrayLike, time: float | None = None, arm: str | None = None
) -> Mapping[str, Estimate]:
    """Spearman's correlation of each parameter that was drawn with an outcome, the largest first.

    Of results made without a study: of each parameter that differs between patients, derived ones among them.

    `outcome`: an event (the time to it, cut off where the shortest follow-up ends), a species or observable at `time`
    days (default: the end; all paths must be kept), or a number for each trajectory, (K,).
    """
    rows = np.isin(results.status, [int(s) for s in Status if s.ok])
    if isinstance(outcome, str) and outcome in results.event_kind:
        e = event_index(results, outcome)
        rows &= was_followed(results, outcome)
        mine = rows & (results["arm_index"] == arm_index(results, arm))
        end = _shortest(results.event_time[mine, e], results.event_observed[mine, e] == 1)
        values = np.minimum(results.event_time[:, e], end)
    else:
        values = _marker(results, outcome, float(results.time[-1]) if time is None else time)
    rows &= (results["arm_index"] == arm_index(results, arm)) & np.isfinite(values)
    table = results.params[rows]
    names = _drawn(results)
    drawn = [k for k in range(table.shape[1]) if len(table) and (table[:, k] != table[0, k]).any()]
    drawn = [k for k in drawn if not names or results.parameter[k] in names]
    found = {results.parameter[k]: rank_correlation(table[:, k], values[rows]) for k in drawn}
    return dict(sorted(found.items(), key=lambda item: -abs(item[1].value)))


def _marker(results: Results, marker: str | ArrayLike, time: float | None) -> Floats:
    """A number for each trajectory, (K,)."""
    if not isinstance(marker, str):
        values = np.asarray(marker, dtype=np.float64)
        if values.shape != (results.schema.count,):
            what = f"a marker of shape {values.shape} for {results.schema.count} trajectories"
            raise _unfit(what, "give one number for each trajectory")
        return values
    results.find(marker)
    if time is None:
        raise _unfit(f"{marker!r} has a value at each save", "say at which: time = ..., in days")
    if results.schema.kept < results.schema.count:
        what = f"{marker!r} of {results.schema.kept} of {results.schema.count} trajectories is kept"
        raise _unfit(what, 'run with --keep all (keep = "all" in [output])')
    return np.asarray(results.values(marker)[:, save_index(results, time)], dtype=np.float64)


def _drawn(results: Results) -> set[str]:
    """Parameters that the study draws; empty without a study."""
    try:
        return set(json.loads(str(results.provenance["config_resolved_json"]))["population"]["draw"])
    except (KeyError, TypeError, ValueError):
        return set()


def _shortest(days: Floats, seen: NDArray[np.bool_]) -> float:
    """Where the shortest follow-up without the event ends, else the last event."""
    return float(days[~seen].min()) if (~seen).any() else float(days.max(initial=0.0))


def _unfit(what: str, fix: str) -> CtcError:
    return CtcError(Problem("R509", what, fix=fix), Exit.USAGE)
