"""Chances of events from weighted trajectories: the estimate, its error, and how few trajectories carry it.

The estimate is the mean of w f, f = 1 where the event happened, over all trajectories that did not fail: unbiased. Its
error is the standard error of that mean. How far that can be trusted is told by the effective number of events, (sum w
f)^2 / sum (w f)^2 (L. Kish 1965, Survey Sampling, section 8.2): so many events of equal weight would have the same
error. Where it is small, or one trajectory carries much of the sum, others as heavy may not have been met at all, and
error and interval are too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FEW = 100.0  # effective events: below, the error of the error is more than some 7 %, and the interval a guess
HEAVY = 0.1  # of the sum in one trajectory
UNEQUAL = 0.01  # effective events of those seen: below, the weights have a tail that was hardly met

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chance:
    """A chance from n weighted trajectories, `seen` of them with the event. `gain`: variance of plain sampling with as
    many trajectories over this one; `effective`: see above; `largest`: share of the heaviest trajectory in the sum."""

    value: float
    error: float
    low: float
    high: float
    n: int
    seen: int
    effective: float
    largest: float
    gain: float

    @property
    def few(self) -> bool:
        """Whether few trajectories carry the estimate."""
        return self.effective < max(FEW, UNEQUAL * self.seen) or self.largest > HEAVY


def chance(weights: Floats, happened: NDArray[np.bool_], followed: NDArray[np.bool_], confidence: float) -> Chance:
    """P(event | followed) from trajectories with weights (n,), which ended well, and whether each had the event and was
    followed up (n,).

    Where all were followed it is the mean of w f. Else a quotient of two means, with a bias of the order 1 / n and the
    error of a quotient. The interval is that of the logarithm, value exp(± z error / value): above 0, as a chance is.
    NaN where nobody was followed; where the event was not seen the interval reaches from 0 to NaN, for what was never
    drawn tells nothing.
    """
    n = len(weights)
    if not followed.any():
        return Chance(math.nan, math.nan, math.nan, math.nan, 0, 0, 0.0, math.nan, math.nan)
    parts = np.where(happened & followed, weights, 0.0)
    base = 1.0 if followed.all() else float(np.where(followed, weights, 0.0).mean())
    value = float(parts.mean()) / base
    seen = int((happened & followed).sum())
    total = float(parts.sum())
    if total == 0.0:
        return Chance(0.0, math.nan, 0.0, math.nan, n, seen, 0.0, math.nan, math.nan)
    off = parts if followed.all() else parts - value * np.where(followed, weights, 0.0)
    error = math.sqrt(float(off.var(ddof=1)) / n) / base if n > 1 else math.nan
    reach = math.exp(NormalDist().inv_cdf(0.5 + confidence / 2) * error / value) if error == error else math.nan
    plain = max(value * (1.0 - value), 0.0) / n
    return Chance(
        value, error, value / reach, min(value * reach, 1.0) if error == error else math.nan, n, seen,
        effective=total * total / float((parts * parts).sum()), largest=float(parts.max()) / total,
        gain=plain / (error * error) if error > 0 else math.inf,
    )  # fmt: skip


def mean_weight(weights: Floats) -> tuple[float, float, float]:
    """(mean, its standard error, effective number) of weights (n,): the mean is 1 where the draws are sound."""
    n = len(weights)
    error = math.sqrt(float(weights.var(ddof=1)) / n) if n > 1 else math.nan
    squares = float((weights * weights).sum())
    return float(weights.mean()), error, float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def weighted_median(values: Floats, weights: Floats) -> float:
    """The smallest of the values (n,) up to which half of the weight lies; NaN for none."""
    if not len(values):
        return math.nan
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(running, 0.5 * running[-1])), len(values) - 1)])
