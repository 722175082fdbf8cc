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

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.store.summary import quantiles_from_counts, relative_error

if TYPE_CHECKING:
    from ctcdyn.results import Results

__all__ = [
    "Estimate",
    "fraction",
    "mean",
    "quantiles_from_counts",
    "relative_error",
    "save_index",
    "z_of_fraction",
    "z_score",
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number from n trajectories, its standard error, and a confidence interval from `low` to `high`."""

    value: float
    error: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.error:.2g} (n = {self.n})"


def save_index(results: Results, time: float) -> int:
    """Index of the save at `time` days. A time that was not saved is an error that names the nearest saved
    one.
    """
    times = results.time
    nearest = int(np.argmin(np.abs(times - time)))
    if not math.isclose(times[nearest], time, rel_tol=1e-12, abs_tol=1e-9):
        what = f"day {time:g} was not saved"
        fix = f"the nearest save is day {times[nearest]:g}; add the time to simulate.save"
        raise CtcError(Problem("R509", what, fix=fix), Exit.USAGE)
    return nearest


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
    value, variance = float(results[f"{prefix}mean"][at][column]), float(results[f"{prefix}var"][at][column])
    error = math.sqrt(variance / n) if n > 1 else math.nan
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
