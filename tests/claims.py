"""What a long run found beside what is exact, and how likely so large a difference is by chance.

`law_record.py` writes them down. Where a law is exact a claim has a p-value, corrected for the number of figures in it;
where a method is an approximation it has the distance between two distribution functions and the one that is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FALSE_ALARM = 1e-4  # of each row


@dataclass(frozen=True)
class Claim:
    """One row: figures found and exact, in words, and the test. `held` None: a figure without a claim."""

    n: int
    found: str
    exact: str
    oracle: str
    test: str
    held: bool | None


def figures(values: ArrayLike, digits: int = 5) -> str:
    return ", ".join(f"{float(x):.{digits}f}" for x in np.atleast_1d(np.asarray(values, dtype=float)))


def fractions(counts: Sequence[int], n: int, chances: Sequence[float], oracle: str) -> Claim:
    """So many of n each, where the chances are known: exact binomial, the smallest p-value times their number."""
    law = [stats.binom(n, p) for p in chances]
    each = [min(1.0, 2 * min(b.cdf(k), b.sf(k - 1))) for b, k in zip(law, counts, strict=True)]
    p = min(1.0, len(each) * min(each))
    z = [(k - b.mean()) / b.std() for b, k in zip(law, counts, strict=True)]
    worst = max(z, key=abs)
    test = f"p = {p:.2g} (largest z {worst:+.1f} of {len(z)})"
    return Claim(n, figures(np.array(counts) / n), figures(chances), oracle, test, p >= FALSE_ALARM)


def pmf(values: NDArray[np.float64], law: NDArray[np.float64], oracle: str, shown: int = 6) -> Claim:
    """Counts beside the law P(0), P(1) ...: chi square over classes with 25 expected or more, tails in one."""
    n = len(values)
    law = np.append(law, max(0.0, 1.0 - law.sum()))
    edges, mass = [0], 0.0
    for k, p in enumerate(law):
        mass += p * n
        if mass >= 25.0:
            edges.append(k + 1)
            mass = 0.0
    edges[-1] = len(law)
    expected = n * np.diff(np.concatenate([[0.0], np.cumsum(law)])[edges])
    seen = np.bincount(np.minimum(values, len(law) - 1).astype(int), minlength=len(law))
    found = np.diff(np.concatenate([[0], np.cumsum(seen)])[edges])
    chi = float(((found - expected) ** 2 / expected).sum())
    p = float(stats.chi2(len(expected) - 1).sf(chi))
    test = f"p = {p:.2g} (chi square {chi:.0f} of {len(expected)} classes)"
    return Claim(n, figures(seen[:shown] / n), figures(law[:shown]), oracle, test, p >= FALSE_ALARM)


def same_law(one: NDArray[np.float64], other: NDArray[np.float64], words: tuple[str, str], oracle: str) -> Claim:
    """Kolmogorov and Smirnov, two samples; ties (censored times) make it conservative."""
    answer = stats.ks_2samp(one, other, method="asymp")
    test = f"p = {answer.pvalue:.2g} (distance {answer.statistic:.4f})"
    return Claim(len(one), *words, oracle, test, bool(answer.pvalue >= FALSE_ALARM))


def distance(values: NDArray[np.float64], law: NDArray[np.float64], allowed: float | None, oracle: str) -> Claim:
    """Of the distribution function from that of the law, with the band in which it lies by chance alone."""
    n = len(values)
    cells = np.bincount(np.clip(np.floor(values), 0, len(law) - 1).astype(int), minlength=len(law))
    gap = float(np.abs(np.cumsum(cells) / n - np.cumsum(law)).max())
    chance = float(np.sqrt(np.log(2.0 / FALSE_ALARM) / (2.0 * n)))
    k = np.arange(len(law))
    told = f"mean {values.mean():.2f}, sd {values.std():.2f}"
    mean = float(law @ k)
    exact = f"mean {mean:.2f}, sd {np.sqrt(float(law @ (k - mean) ** 2)):.2f}"
    limit = "no claim" if allowed is None else f"allowed {allowed:g}"
    test = f"distance {gap:.4f}, {limit}, {chance:.4f} by chance"
    return Claim(n, told, exact, oracle, test, None if allowed is None else gap <= allowed + chance)
