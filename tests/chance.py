"""Statistical assertions with a declared false-alarm rate and a declared smallest error that they catch.

Each assertion states what it compares, how small an error it must see (`detect`), and from that takes its
sample size: an error of `detect` or more escapes with probability at most MISS, a correct program fails with
probability at most FALSE_ALARM. A sample is a function `draw(seed, n) -> array of n` (the assertion chooses
n; the seed is a hash of the test's id, so that nobody picks one), or an array already drawn with at least the
size that the `*_size` function gives.

The levels hold exactly for `assert_fraction` (binomial) and `assert_cdf` (Dvoretzky, Kiefer, Wolfowitz and
Massart); the tests of mean and variance rest on the central limit theorem and never use fewer than SMALLEST
values.
"""

import functools
import hashlib
import math
import os
from collections.abc import Callable

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-6
MISS = 1e-3
SMALLEST = 1000

Sample = Callable[[int, int], np.ndarray] | np.ndarray


def seed_of(label: str = "") -> int:
    """48 bits from the id of the running test and a label (to get independent samples within one test)."""
    running = os.environ["PYTEST_CURRENT_TEST"].rsplit(" ", 1)[0]
    return int.from_bytes(hashlib.blake2b(f"{running}#{label}".encode(), digest_size=6).digest(), "big")


def _sum_of_quantiles(false_alarm: float) -> float:
    """Distance, in standard errors, of an error seen with 1 - MISS by a two-sided test at this level."""
    return float(stats.norm.isf(false_alarm / 2) + stats.norm.isf(MISS))


def mean_size(sd: float, detect: float, false_alarm: float = FALSE_ALARM) -> int:
    return max(SMALLEST, math.ceil((_sum_of_quantiles(false_alarm) * sd / detect) ** 2))


def variance_size(detect: float, kurtosis: float = 3.0, false_alarm: float = FALSE_ALARM) -> int:
    """`detect`: relative error of the variance; `kurtosis` of the law (normal 3, exponential 9)."""
    z, w = stats.norm.isf(false_alarm / 2), stats.norm.isf(MISS)
    return max(SMALLEST, math.ceil((kurtosis - 1) * ((z + w * (1 + detect)) / detect) ** 2))


def _two_sided(count: int, n: int, p: float) -> float:
    law = stats.binom(n, p)
    return float(min(1.0, 2 * min(law.cdf(count), law.sf(count - 1))))


def _escape(n: int, p: float, actual: float, false_alarm: float) -> float:
    """Probability that a test of p at this level passes where `actual` is true."""
    low, high = stats.binom.ppf(false_alarm / 2, n, p), stats.binom.isf(false_alarm / 2, n, p)
    law = stats.binom(n, actual)
    return float(law.cdf(high) - law.cdf(low - 1))


@functools.cache
def fraction_size(p: float, detect: float, false_alarm: float = FALSE_ALARM) -> int:
    """`detect`: absolute error of the probability p, in whichever direction is possible."""
    sides = [q for q in (p - detect, p + detect) if 0 <= q <= 1]
    n = max(10, math.ceil(_sum_of_quantiles(false_alarm) ** 2 * max(p * (1 - p), detect**2) / detect**2 / 2))
    while max(_escape(n, p, q, false_alarm) for q in sides) > MISS:
        n = math.ceil(1.05 * n) + 1
    return n


def cdf_size(detect: float, false_alarm: float = FALSE_ALARM) -> int:
    """`detect`: largest difference between the two distribution functions, at any one point."""
    return math.ceil(((math.sqrt(math.log(2 / false_alarm) / 2) + stats.norm.isf(MISS) / 2) / detect) ** 2)


def law_size(detect: float, false_alarm: float = FALSE_ALARM) -> int:
    """Size of each of two samples; the bound of Wei and Dudley (2012) holds from 458 on."""
    distance = math.sqrt(math.log(2 / false_alarm)) + stats.norm.isf(MISS) * math.sqrt(0.5)
    return max(458, math.ceil((distance / detect) ** 2))


def take(sample: Sample, n: int, label: str = "") -> np.ndarray:
    values = np.asarray(sample(seed_of(label), n) if callable(sample) else sample)
    assert values.ndim == 1, f"a sample is one column of values, this has shape {values.shape}"
    assert values.size >= n, f"{values.size} values cannot show the declared error: it takes {n}"
    assert np.isfinite(values.astype(float)).all(), "the sample holds values that are not finite"
    return values


def assert_mean(
    sample: Sample, mean: float, *, sd: float, detect: float, false_alarm: float = FALSE_ALARM
) -> None:
    """The mean is `mean`, to `detect`; `sd` is the law's standard deviation, for the sample size only."""
    values = take(sample, mean_size(sd, detect, false_alarm)).astype(float)
    found, spread = float(values.mean()), float(values.std(ddof=1))
    error = spread / math.sqrt(values.size)
    # Where no value differs from the others there is no error to compare with, only rounding.
    limit = float(stats.norm.isf(false_alarm / 2)) * error if error > 0 else 1e-12 * abs(mean)
    assert abs(found - mean) <= limit, (
        f"mean {found:.8g}, expected {mean:.8g} +- {limit:.2g} (n = {values.size})"
    )
    assert spread < 2 * sd, f"standard deviation {spread:.4g}, declared {sd:.4g}: too few values for this law"


def assert_variance(
    sample: Sample, variance: float, *, detect: float, kurtosis: float = 3.0, false_alarm: float = FALSE_ALARM
) -> None:
    """The variance is `variance`, to the relative error `detect`; `kurtosis` is the law's own."""
    values = take(sample, variance_size(detect, kurtosis, false_alarm)).astype(float)
    found = float(values.var(ddof=1))
    limit = float(stats.norm.isf(false_alarm / 2)) * variance * math.sqrt((kurtosis - 1) / values.size)
    expected = f"{variance:.8g} +- {limit:.2g} (n = {values.size})"
    assert abs(found - variance) <= limit, f"variance {found:.8g}, expected {expected}"


def assert_fraction(sample: Sample, p: float, *, detect: float, false_alarm: float = FALSE_ALARM) -> None:
    """The sample holds zeros and ones (or booleans); ones have probability `p`, to `detect`. Exact."""
    values = take(sample, fraction_size(p, detect, false_alarm))
    assert np.isin(values, (0, 1)).all(), "a fraction is counted over zeros and ones"
    count = int(values.sum())
    value = _two_sided(count, values.size, p)
    assert value >= false_alarm, f"{count} of {values.size}, expected a fraction {p:.6g} (p = {value:.1g})"


def assert_cdf(
    sample: Sample,
    cdf: Callable[[np.ndarray], np.ndarray],
    *,
    detect: float,
    false_alarm: float = FALSE_ALARM,
) -> None:
    """The law's distribution function is `cdf` (continuous or with steps), to `detect` at every point."""
    values = take(sample, cdf_size(detect, false_alarm)).astype(float)
    points, counts = np.unique(values, return_counts=True)
    upper = np.cumsum(counts) / values.size
    lower = upper - counts / values.size
    above = np.abs(upper - cdf(points))
    below = np.abs(lower - cdf(np.nextafter(points, -np.inf)))
    gap = np.maximum(above, below)
    limit = math.sqrt(math.log(2 / false_alarm) / (2 * values.size))
    where = f"at {points[gap.argmax()]:.6g}, limit {limit:.3g} (n = {values.size})"
    assert gap.max() <= limit, f"distribution functions {gap.max():.3g} apart {where}"


def assert_same_law(
    first: Sample, second: Sample, *, detect: float, false_alarm: float = FALSE_ALARM
) -> None:
    """Two samples have one law: their distribution functions differ by less than `detect` at every point."""
    n = law_size(detect, false_alarm)
    a, b = np.sort(take(first, n, "first")), np.sort(take(second, n, "second"))
    points = np.union1d(a, b)
    gap = np.abs(np.searchsorted(a, points, "right") / a.size - np.searchsorted(b, points, "right") / b.size)
    limit = math.sqrt(math.log(2 / false_alarm) / 2 * (1 / a.size + 1 / b.size))
    where = f"at {points[gap.argmax()]:.6g}, limit {limit:.3g} (n = {a.size}, {b.size})"
    assert gap.max() <= limit, f"the two laws are {gap.max():.3g} apart {where}"
