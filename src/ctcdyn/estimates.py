"""Numbers with their Monte-Carlo errors, and how many more trajectories would halve them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number from n trajectories, its standard error, and a confidence interval from `low` to `high`."""

    value: float
    error: float
    low: float
    high: float
    n: int

    @property
    def to_halve(self) -> int:
        """How many more trajectories would halve the error, which falls with the root of their number."""
        return 3 * self.n

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.error:.2g} (n = {self.n})"


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two arms over `n` pairs with the same patient and the same draws.

    `error` is the standard error of the mean difference of the pairs, `unpaired` what it would be had each arm its own
    draws: the variance that pairing saves is (unpaired / error)^2. Where no pair differs, `error` is 0. `unlike`, of
    shares: in how many pairs the first arm alone, and the second alone, had the event.
    """

    value: float
    error: float
    unpaired: float
    n: int
    unlike: tuple[int, int] | None = None

    @property
    def gain(self) -> float:
        """Variance of an unpaired difference to that of the paired one; infinite where no pair differs."""
        return (self.unpaired / self.error) ** 2 if self.error > 0 else math.inf

    @property
    def to_halve(self) -> int:
        """How many more pairs would halve the error; none where it is 0."""
        return 3 * self.n if self.error > 0 else 0

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The normal interval, value ± z error; of shares that of D. G. Bonett and R. M. Price 2012, with a pair more
        to each side (doi:10.3102/1076998611411915), which holds for few pairs that differ, and for none."""
        z = quantile_of_normal(confidence)
        if self.unlike is None:
            return self.value - z * self.error, self.value + z * self.error
        n = self.n + 2
        one, other = (self.unlike[0] + 1) / n, (self.unlike[1] + 1) / n
        reach = z * math.sqrt((one + other - (one - other) ** 2) / n)
        return one - other - reach, one - other + reach


def quantile_of_normal(confidence: float) -> float:
    """How many standard errors to each side a normal interval of this confidence reaches: 1.96 for 0.95."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
