"""Distribution functions of counts to 20 digits, by quadrature in mpmath, and where a sampler must switch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np

DIGITS = 32
Tails = tuple[Any, Any]  # F(k), 1 - F(k)


@cache
def _nodes(order: int = 24) -> tuple[tuple[Any, Any], ...]:
    """Gauss-Legendre on [0, 1] to full precision: roots by Newton from those of numpy."""
    found = []
    with mp.workdps(DIGITS):
        for start in np.polynomial.legendre.leggauss(order)[0]:
            x = mp.mpf(float(start))
            for _ in range(4):
                p, q = mp.legendre(order, x), mp.legendre(order - 1, x)
                slope = order * (x * p - q) / (x * x - 1)
                x -= p / slope
            p, q = mp.legendre(order, x), mp.legendre(order - 1, x)
            slope = order * (x * p - q) / (x * x - 1)
            found.append(((1 + x) / 2, 1 / ((1 - x * x) * slope**2)))
    return tuple(found)


def _beyond(log_density: Callable[[Any], Any], start: Any, step: Any, end: Any) -> Any:
    """The integral from `start` towards `step`, panel by panel, to `end` or until nothing comes any more."""
    total, x = mp.mpf(0), start
    for _ in range(400):
        y = x + step
        if end is not None and (y - end) * step > 0:
            y = end
        part = mp.mpf(0)
        for node, weight in _nodes():
            part += weight * mp.exp(log_density(x + (y - x) * node))
        total += part * abs(y - x)
        x = y
        if x == end or part * abs(step) < total * mp.mpf(10) ** -20:
            break
    return total


def poisson_tails(k: int, mean: float) -> Tails:
    """F(k) = Q(k + 1, mean), an integral over the gamma density."""
    with mp.workdps(DIGITS):
        m, constant = mp.mpf(mean), mp.loggamma(mp.mpf(k) + 1)
        step = mp.sqrt(mp.mpf(k) + 1)

        def density(t: Any) -> Any:
            return k * mp.log(t) - t - constant

        return _beyond(density, m, step, None), _beyond(density, m, -step, mp.mpf(0))


def _beta_tails(a: Any, b: Any, x: Any) -> Tails:
    """(I_x(a, b), I_(1 - x)(b, a))."""
    constant = mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)
    step = mp.sqrt(a * b / (a + b + 1)) / (a + b)

    def density(t: Any) -> Any:
        return (a - 1) * mp.log(t) + (b - 1) * mp.log(1 - t) + constant

    return _beyond(density, x, -step, mp.mpf(0)), _beyond(density, x, step, mp.mpf(1))


def binomial_tails(k: int, n: int, p: float) -> Tails:
    with mp.workdps(DIGITS):
        below, above = _beta_tails(mp.mpf(k) + 1, mp.mpf(n) - k, mp.mpf(p))
        return above, below


def negative_binomial_tails(k: int, n: int, mean: float) -> Tails:
    with mp.workdps(DIGITS):
        return _beta_tails(mp.mpf(n), mp.mpf(k) + 1, 1 / (1 + mp.mpf(mean)))


def signed(tails: Tails, off: float) -> float:
    """F(k) (1 + off), relative to the smaller tail, as a signed tail."""
    below, above = tails
    return float(below * (1 + off)) if below <= above else -float(above * (1 - off))


SPREAD = (-8.5, -5.5, -3.2, -1.7, -0.4, 0.6, 2.1, 3.9, 6.0, 9.0)  # standard deviations from the mean


def switches(mean: float, deviation: float, most: int | None = None) -> list[int]:
    """Counts at which a sampler is tried."""
    found = {0, 1, *(round(max(0.0, mean + z * deviation)) for z in SPREAD)}
    return sorted(k for k in found if most is None or k < most)


def wrong(
    sampler: Callable[[float], float], tails: Callable[[int], Tails], at: list[int], slack: float
) -> tuple[int, list[str]]:
    """How many boundaries F(k) were tried from both sides, `slack` of the smaller tail away, and what went wrong."""
    tried, found = 0, []
    for k in at:
        both = tails(k)
        if min(both) < 1e-19:  # beyond the smallest tail that a draw can have
            continue
        tried += 1
        for off, right in ((-slack, k), (slack, k + 1)):
            u = signed(both, off)
            if abs(u) <= 0.5 and sampler(u) != right:
                found.append(f"k = {k}, u = {u!r}: {sampler(u)} and not {right}")
    return tried, found
