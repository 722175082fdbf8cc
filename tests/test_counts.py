"""Whole random numbers by inversion: right to 1e-12 of the smaller tail, the same bytes in lanes and without JIT.

Run as a program it prints what a child process is asked for: `values FILE`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import special, stats

from ctcdyn.kernels import counts, variates
from ctcdyn.kernels.contract import W
from ctcdyn.kernels.machine import kernel
from ctcdyn.kernels.normal import normal_quantile
from lane_probe import QUIET, child, generator
from tails import binomial_tails, negative_binomial_tails, poisson_tails, switches, wrong

SLACK = 1e-12  # of the smaller tail

MEANS = (1e-9, 0.01, 1.0, 5.0, 11.99, 12.01, 20.0, 50.0, 333.3, 1e4, 1e6, 1e9, 1.2345678912e12, 1e15)
TRIALS = (
    (1, 0.3), (2, 0.5), (20, 0.3), (25, 0.5), (30, 0.45), (100, 0.1), (100, 0.9), (1000, 0.03), (1000, 0.5),
    (10**5, 0.2), (10**7, 1e-6), (10**9, 1e-7), (10**9, 0.999), (10**12, 0.3), (2**53, 1e-15), (2**53, 0.37),
)  # fmt: skip
CELLS = (
    (1, 1e-6), (1, 0.5), (1, 1e7), (2, 0.2), (2, 1e3), (5, 2.0), (7, 1e9), (20, 1.0), (30, 0.5), (40, 30.0),
    (100, 0.01), (300, 1.0), (1000, 1e4), (10**4, 0.02), (10**6, 1.0), (10**9, 1e-3), (10**12, 1.5),
)  # fmt: skip


@kernel
def by_one(law, u, x, y, out):
    for j in range(out.size):
        if law == 0:
            out[j] = counts.poisson(u[j], x[j])
        elif law == 1:
            out[j] = counts.binomial(u[j], x[j], y[j])
        elif law == 2:
            out[j] = counts.negative_binomial(u[j], x[j], y[j])
        else:
            out[j] = normal_quantile(u[j])


@kernel
def by_lanes(law, w, u, x, y, out):
    for j in range(0, out.size, W):
        for i in range(W):
            w[variates.TAIL + i] = u[j + i]
            w[variates.NUMBER_OF + i] = x[j + i]
            w[variates.CHANCE + i] = y[j + i]
        if law == 0:
            variates.poissons(w)
        elif law == 1:
            variates.binomials(w)
        else:
            variates.negative_binomials(w)
        for i in range(W):
            out[j + i] = w[variates.COUNTED + i]


def draw(law: int, u: Any, x: Any = 0.0, y: Any = 0.0) -> Any:
    u, x, y = (np.ascontiguousarray(a) for a in np.broadcast_arrays(*map(np.atleast_1d, (u, x, y))))
    out = np.empty(u.size)
    by_one(law, u.astype(float), x.astype(float), y.astype(float), out)
    return out


def one(law: int, *numbers: float) -> Any:
    return lambda u: float(draw(law, u, *numbers)[0])


def test_normal_quantile() -> None:
    """Relative error below 1e-15 + what the argument's own rounding allows, down to the smallest tail of a draw."""
    p = np.concatenate([np.geomspace(2.7e-20, 0.5, 100), np.linspace(0.05, 0.5, 40)])
    z = draw(3, p)
    assert_array_equal(draw(3, -p), -z)
    with mp.workdps(40):
        exact = [mp.ncdf(mp.mpf(float(a))) / mp.mpf(float(b)) for a, b in zip(z, p, strict=True)]
        error = [abs(x - 1) / (1 + float(a) ** 2) for x, a in zip(exact, z, strict=True)]
    assert max(error) < 1e-15


@pytest.mark.parametrize("mean", MEANS)
def test_poisson(mean: float) -> None:
    at = switches(mean, mean**0.5)
    tried, found = wrong(one(0, mean), lambda k: poisson_tails(k, mean), at, SLACK)
    assert found == []
    assert tried >= min(mean, 5) - 3


@pytest.mark.parametrize("n, p", TRIALS)
def test_binomial(n: int, p: float) -> None:
    at = switches(n * p, (n * p * (1 - p)) ** 0.5, n)
    tried, found = wrong(one(1, n, p), lambda k: binomial_tails(k, n, p), at, SLACK)
    assert found == []
    assert tried >= min(n, 5) - 1


@pytest.mark.parametrize("n, mean", CELLS)
def test_negative_binomial(n: int, mean: float) -> None:
    at = switches(n * mean, (n * mean * (1 + mean)) ** 0.5)
    tried, found = wrong(one(2, n, mean), lambda k: negative_binomial_tails(k, n, mean), at, SLACK)
    assert found == []
    assert tried >= 2


def test_edges() -> None:
    """Nothing to draw from gives the only answer there is; no number of trials is exceeded, at either end of U."""
    u = np.array([2.7e-20, 1e-9, 0.3, 0.5, -0.5, -0.2, -1e-9, -2.7e-20])
    assert_array_equal(draw(0, u, 0.0), 0.0)
    assert_array_equal(draw(1, u, 0.0, 0.4), 0.0)
    assert_array_equal(draw(1, u, 17.0, 0.0), 0.0)
    assert_array_equal(draw(1, u, 17.0, 1.0), 17.0)
    assert_array_equal(draw(2, u, 0.0, 3.0), 0.0)
    assert_array_equal(draw(2, u, 9.0, 0.0), 0.0)
    assert_array_equal(draw(1, u, 3.0, 0.5), [0, 0, 1, 1, 1, 2, 3, 3])
    assert_array_equal(draw(0, u, 1e-300)[:-1], 0.0)
    for n, p in ((1, 0.5), (30, 0.4), (1e6, 0.9), (2.0**53, 1e-16), (2.0**53, 0.5)):
        k = draw(1, u, n, p)
        assert ((k >= 0.0) & (k <= n) & (k == np.floor(k)) & (np.diff(k, prepend=0.0) >= 0.0)).all()


@pytest.mark.parametrize("law, x, y", [(0, 3.7, 0.0), (0, 40.0, 0.0), (1, 70.0, 0.3), (2, 60.0, 0.6), (2, 1.0, 4.0)])
def test_a_larger_uniform_gives_no_smaller_count(law: int, x: float, y: float) -> None:
    p = np.geomspace(1e-18, 0.5, 4000)
    k = draw(law, np.concatenate([p, -p[::-1]]), x, y)
    assert (np.diff(k) >= 0.0).all()
    assert k[0] < k[-1]


LAWS = [
    *((stats.poisson(m), m, m, m**-0.5) for m in np.geomspace(12.0, 3000.0, 12)),
    *((stats.binom(n, p), n * p, n * p * (1 - p), (1 - 2 * p) / (n * p * (1 - p)) ** 0.5)
      for n in (25, 40, 100, 1000, 10**5) for p in (0.5, 0.4, 0.3, 0.1, 0.01, 0.001) if n * p >= 12),
    *((stats.nbinom(n, 1 / (1 + m)), n * m, n * m * (1 + m), (1 + 2 * m) / (n * m * (1 + m)) ** 0.5)
      for n in (12, 40, 100, 1000) for m in (0.01, 0.1, 0.3, 1.0, 3.0, 100.0) if n * m >= 12),
]  # fmt: skip


def test_error_of_the_expansion_is_within_its_bound() -> None:
    """At every count between tails of 1e-19, for three families: never more than two thirds of what is allowed for."""
    share = []
    for law, mean, variance, skew in LAWS:
        deviation = variance**0.5
        k = np.unique(np.round(mean + deviation * np.linspace(-9.0, 9.0, 300)))
        below, above = law.cdf(k), law.sf(k)
        seen = np.minimum(below, above) > 1e-19
        k, below, above = k[seen], below[seen], above[seen]
        z = np.where(below < 0.5, special.ndtri(below), -special.ndtri(above))
        off = z + counts.expand.py_func(z, skew, 1.0 / variance) - (k + 0.5 - mean) / deviation
        c, r = z * z + 1.0, skew**2 + 1.0 / variance
        bound = 4e-4 * (r * c) ** 3 * c * np.sqrt(r)
        share.append(((abs(off) - 1e-12) / bound).max())
    assert max(share) < 1 / 1.5
    assert max(share) > 0.05  # nor is it far too wide


def cases(rng: np.random.Generator) -> list[tuple[int, Any, Any, Any]]:
    """Uniforms with and without extreme tails, and parameters of all sizes, for each law."""
    size = 40 * W
    u = rng.uniform(-0.5, 0.5, size)
    u[::5] *= 10.0 ** -rng.uniform(0.0, 18.0, u[::5].size)
    whole = np.floor(10.0 ** rng.uniform(0.0, 9.0, size)) * (rng.random(size) < 0.95)
    p = 10.0 ** rng.uniform(-9.0, 0.0, size)
    return [
        (0, u, 10.0 ** rng.uniform(-3.0, 8.0, size) * (rng.random(size) < 0.95), u),
        (1, u, whole, np.where(rng.random(size) < 0.4, 1.0 - p, p)),
        (2, u, np.floor(whole**0.5), 10.0 ** rng.uniform(-4.0, 4.0, size)),
    ]


def lanes(law: int, u: Any, x: Any, y: Any) -> Any:
    out = np.empty(u.size)
    by_lanes(law, np.zeros(variates.BEHIND_VARIATES), u, x, y, out)
    return out


def test_lanes_and_no_jit_give_the_same_numbers(tmp_path: Path) -> None:
    child(__file__, "values", str(tmp_path / "plain.npz"), NUMBA_DISABLE_JIT="1")
    plain = np.load(tmp_path / "plain.npz")
    for law, u, x, y in cases(generator("counts")):
        alone = draw(law, u, x, y)
        assert_array_equal(lanes(law, u, x, y), alone)
        assert_array_equal(plain[f"lanes_{law}"], alone)
        assert_array_equal(plain[f"alone_{law}"], alone)


if __name__ == "__main__" and sys.argv[1] == "values":
    with np.errstate(**QUIET):  # type: ignore[call-overload]
        found = {}
        for case in cases(generator("counts")):
            found[f"lanes_{case[0]}"], found[f"alone_{case[0]}"] = lanes(*case), draw(*case)
        np.savez(sys.argv[2], **found)
