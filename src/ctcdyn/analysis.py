"""Numbers with their Monte-Carlo errors: means, fractions, distances from an expectation.

The error of a mean over n trajectories is sqrt(var / n); four times as many trajectories halve it. It says
how well the ensemble was sampled and nothing about whether the model is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import Status
from ctcdyn.estimates import Difference, Estimate
from ctcdyn.followup import arm_index, clocks, event_index, was_followed, withheld
from ctcdyn.quantiles import save_index
from ctcdyn.rarity import Chance, mean_weight
from ctcdyn.rarity import chance as chance_of
from ctcdyn.store.layout import LEAF
from ctcdyn.store.summary import quantiles_from_counts, relative_error

if TYPE_CHECKING:
    from ctcdyn.results import Results

BAND = (0.025, 0.975)  # the central 95 %

__all__ = [
    "Computed",
    "Difference",
    "Estimate",
    "arm_index",
    "clocks",
    "computed_chance",
    "computed_difference",
    "event_chance",
    "event_difference",
    "event_index",
    "event_share",
    "fraction",
    "low_shares",
    "mean",
    "quantiles_from_counts",
    "relative_error",
    "save_index",
    "weights",
    "withheld",
    "z_of_fraction",
    "z_score",
]


@dataclass(frozen=True, slots=True)
class Computed:
    """A mean over `n` patients of what was computed for each, or of the difference between two arms.

    `error`: of the mean, from which patients were drawn. `low` to `high`: the central 95 % of patients. `gain`: the
    variance of a difference between other patients in each arm to that of the paired one.
    """

    value: float
    error: float
    low: float
    high: float
    n: int
    gain: float = math.nan


def mean(
    results: Results, name: str, time: float, arm: str | None = None, confidence: float = 0.95
) -> Estimate:
    """Mean of a species or observable at `time` days over the valid trajectories of one arm (default: the
    first).

    The interval is the normal one, value ± z * error; it is wide of the mark for a few trajectories of a very
    skew quantity. Error and interval are NaN below two trajectories.
    """
    table, column = results.find(name)
    prefix = "" if table == "species" else "obs_"
    at = (0 if arm is None else results.arm.index(arm), save_index(results, time))
    n = int(results.n_valid[at])
    value = float(results[f"{prefix}mean"][at][column])
    if results.schema.weighted:
        error = float(results[f"{prefix}mean_error"][at][column])
    else:
        error = math.sqrt(float(results[f"{prefix}var"][at][column]) / n) if n > 1 else math.nan
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    return Estimate(value, error, value - reach, value + reach, n)


def fraction(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A fraction with its Wilson interval, which holds for rare events too
    (doi:10.1080/01621459.1927.10502953).

    `error` is the standard error at the estimate, sqrt(p (1 - p) / n). All NaN for n = 0.

    >>> round(fraction(0, 100).high, 4)  # none of a hundred: less than 3.7 % with 95 % confidence
    0.037
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a fraction")
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, math.nan, 0)
    p = successes / n
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (successes + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(n * p * (1 - p) + z * z / 4)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Estimate(p, math.sqrt(p * (1 - p) / n), low, high, n)


def event_share(results: Results, event: str, arm: str | None = None) -> Estimate:
    """Share of the trajectories of an arm (default: the first) with the event by the end of the run.

    Of the trajectories that did not fail and whose clock began: follow-up of the length 0 is none. Where trajectories
    have weights it is the chance under the law asked for, `event_chance`.
    """
    if results.schema.weighted:
        found = event_chance(results, event, arm)
        return Estimate(found.value, found.error, found.low, found.high, found.n)
    chosen = was_followed(results, event) & (results["arm_index"] == arm_index(results, arm))
    happened = results.event_observed[:, event_index(results, event)] == 1
    return fraction(int((chosen & happened).sum()), int(chosen.sum()))


def event_chance(
    results: Results, event: str, arm: str | None = None, by: float | None = None, confidence: float = 0.95
) -> Chance:
    """P(event by `by` days, measured as `event_time` is; None: the end of the run) in an arm (default: the first).

    For results with weights (`[importance]`), and for those without, where each counts 1. Called for rising `by` it is
    the curve of first passages, each point unbiased.
    """
    e = event_index(results, event)
    good = np.isin(results.status, [int(s) for s in Status if s.ok])
    good &= results["arm_index"] == arm_index(results, arm)
    happened = results.event_observed[good, e] == 1
    if by is not None:
        happened &= results.event_time[good, e] <= by
    weights = results.weight[good] if results.schema.weighted else np.ones(int(good.sum()))
    return chance_of(weights, happened, was_followed(results, event)[good], confidence)


def weights(results: Results) -> dict[str, float]:
    """Mean of the weights of trajectories that did not fail, its standard error, and how many of equal weight they are
    as good as (`mean`, `error`, `effective`); empty where trajectories have none. The mean is 1 but for chance.
    """
    if not results.schema.weighted:
        return {}
    good = results.weight[np.isin(results.status, [int(s) for s in Status if s.ok])]
    return dict(zip(("mean", "error", "effective"), mean_weight(good) if len(good) else (math.nan, math.nan, 0.0)))


def event_difference(results: Results, event: str, arm: str, against: str | None = None) -> Difference:
    """Share with the event by the end in `arm` minus that in `against` (default: the first arm), pair by pair.

    Pairs of which a trajectory failed, or whose clock did not begin in both, are left out.
    """
    arms, first = len(results.arm), results.schema.first
    skip = -first % arms  # a shard may begin in the middle of a pair
    pairs = max(results.schema.count - skip, 0) // arms
    rows = slice(skip, skip + pairs * arms)
    followed = was_followed(results, event)[rows].reshape(pairs, arms)
    happened = results.event_observed[rows, event_index(results, event)].reshape(pairs, arms).astype(np.float64)
    if results.schema.weighted:
        happened = np.where(happened == 1.0, results.weight[rows].reshape(pairs, arms), 0.0)
    a, b = arm_index(results, arm), arm_index(results, against)
    both = followed[:, a] & followed[:, b]
    one, other = happened[both, a], happened[both, b]
    n = len(one)
    if n < 2:
        return Difference(float((one - other).mean()) if n else math.nan, math.nan, math.nan, n)
    error = math.sqrt(float((one - other).var(ddof=1)) / n)
    unpaired = math.sqrt((float(one.var(ddof=1)) + float(other.var(ddof=1))) / n)
    unlike = None if results.schema.weighted else (int((one > other).sum()), int((one < other).sum()))
    return Difference(float((one - other).mean()), error, unpaired, n, unlike)


def computed_chance(results: Results, column: str, arm: str | None = None) -> Computed:
    """Mean over the patients of an arm (default: the first) of a column `chance_...` at the end of the run.

    `error` is that of the mean, from which patients were drawn; each patient's chance is computed and has none. `low`
    and `high` hold the central 95 % of patients: exact where all paths are kept, else from bins, NaN where there are no
    such quantiles.
    """
    a = arm_index(results, arm)
    found = mean(results, column, float(results.time[-1]), results.arm[a])
    values = _last(results, column)
    if values is not None:
        values = values[(results["arm_index"] == a) & np.isin(results.status, [int(s) for s in Status if s.ok])]
        low, high = np.quantile(values, BAND) if len(values) else (math.nan, math.nan)
    else:
        levels = np.round(results.quantile, 6).tolist()
        ends = [levels.index(q) if q in levels else -1 for q in BAND]
        c = results.find(column)[1]
        low, high = (math.nan if q < 0 else float(results["obs_quantiles"][q, a, -1, c]) for q in ends)
    return Computed(found.value, found.error, float(low), float(high), found.n)


def computed_difference(results: Results, column: str, arm: str, against: str | None = None) -> Computed:
    """Chance in `arm` minus that in `against` (default: the first arm), patient by patient, as `computed_chance`.

    Exact, as both are; error, band and gain need the paths of all patients, and are NaN without. Where patients failed
    and paths were not kept, all is NaN: the means would be of different patients.
    """
    a, b = arm_index(results, arm), arm_index(results, against)
    values, arms = _last(results, column), len(results.arm)
    good = np.isin(results.status, [int(s) for s in Status if s.ok])
    if values is None:
        c, valid = results.find(column)[1], results.n_valid[:, -1]
        whole = bool(good.all()) and valid[a] == valid[b]
        value = float(results["obs_mean"][a, -1, c] - results["obs_mean"][b, -1, c]) if whole else math.nan
        return Computed(value, math.nan, math.nan, math.nan, int(valid[a]) if whole else 0)
    skip = -results.schema.first % arms
    pairs = max(results.schema.count - skip, 0) // arms
    table = np.where(good, values, np.nan)[skip : skip + pairs * arms].reshape(pairs, arms)[:, [a, b]]
    one, other = table[~np.isnan(table).any(axis=1)].T
    step, n = one - other, len(one)
    if n < 2:
        return Computed(float(step.mean()) if n else math.nan, math.nan, math.nan, math.nan, n)
    variance, apart = float(step.var(ddof=1)), float(one.var(ddof=1) + other.var(ddof=1))
    low, high = np.quantile(step, BAND)
    gain = apart / variance if variance > 0 else math.inf
    return Computed(float(step.mean()), math.sqrt(variance / n), float(low), float(high), n, gain)


def _last(results: Results, column: str) -> NDArray[np.float64] | None:
    """An observable of every trajectory at the last save, where all paths are kept."""
    if results.schema.kept < results.schema.count or "observables" not in results:
        return None
    c, count = results.find(column)[1], results.schema.count
    steps = range(0, count, 16 * LEAF)
    parts = [results.rows("observables", start, min(start + 16 * LEAF, count))[:, -1, c] for start in steps]
    return np.concatenate(parts).astype(np.float64)


def z_score(value: float, error: float, expected: float) -> float:
    """Distance of `value` from `expected` in standard errors: 0 where they agree exactly, infinite without
    error.
    """
    if value == expected:
        return 0.0
    return math.copysign(math.inf, value - expected) if error == 0 else (value - expected) / error


def z_of_fraction(successes: int, n: int, probability: float) -> float:
    """Distance of `successes` of `n` from a known probability, in standard deviations of the binomial law.

    The error comes from the probability, not from the estimate, so that a count of zero has a distance too.
    """
    spread = math.sqrt(n * probability * (1 - probability))
    return z_score(float(successes), spread, n * probability)


def low_shares(results: Results) -> dict[str, float]:
    """Share of all saved values of each species that are below `schema.low_count`, where a method is told to be wrong.

    Over trajectories and saved times alike; empty for methods that hold for any count, and without quantiles, from
    whose bins it is taken.
    """
    if "p_low" not in results:
        return {}
    weights = results.n_valid.astype(np.float64)[..., None]
    shares = np.where(weights > 0, results["p_low"], 0.0)
    total = float(weights.sum())
    found = (shares * weights).sum(axis=(0, 1)) / total if total > 0 else np.full(shares.shape[-1], np.nan)
    return dict(zip([str(name) for name in results.species], found.tolist(), strict=True))
