"""Lane arithmetic against mpmath: errors in ulp, special values, the same bytes without JIT, packed code.

Run as a program it prints what its child processes are asked for: `values FILE` or `assembly`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from ctcdyn.kernels.lanemath import cos_, exp_, log_, log_unit, pow_, sin_, sincos_turn
from ctcdyn.kernels.machine import kernel, lane
from lane_probe import QUIET, STRIDE, arithmetic, child, generator, sweep

Array = np.ndarray[Any, np.dtype[np.float64]]
mpmath.mp.prec = 160
TINY = 5e-324
LARGEST = sys.float_info.max
SMALLEST_NORMAL = sys.float_info.min
inf, nan = np.inf, np.nan

# What lanemath's docstring promises, in ulp; the largest in 3e6 points each were 1.12, 0.85, 0.79, 1.64, 1.06
ULP_EXP, ULP_LOG, ULP_SINE, ULP_TURN, ULP_POW = 1.25, 1.0, 1.0, 1.75, 1.1


@kernel
def run_exp(x, y):
    for i in range(x.size):
        y[i] = exp_(x[i])


@kernel
def run_log(x, y):
    for i in range(x.size):
        y[i] = log_(x[i])


@kernel
def run_log_unit(x, y):
    for i in range(x.size):
        y[i] = log_unit(x[i])


@kernel
def run_sin(x, y):
    for i in range(x.size):
        y[i] = sin_(x[i])


@kernel
def run_cos(x, y):
    for i in range(x.size):
        y[i] = cos_(x[i])


@kernel
def run_sine_of_turn(x, y):
    for i in range(x.size):
        y[i] = sincos_turn(x[i])[0]


@kernel
def run_cosine_of_turn(x, y):
    for i in range(x.size):
        y[i] = sincos_turn(x[i])[1]


@kernel
def run_pow(x, k, y):
    for i in range(x.size):
        y[i] = pow_(x[i], k[i])


@lane
def lane_exp(w, v, i):
    w[STRIDE + i] = exp_(w[i])


@lane
def lane_log(w, v, i):
    w[STRIDE + i] = log_(w[i])


@lane
def lane_log_unit(w, v, i):
    w[STRIDE + i] = log_unit(w[i])


@lane
def lane_sin(w, v, i):
    w[STRIDE + i] = sin_(w[i])


@lane
def lane_cos(w, v, i):
    w[STRIDE + i] = cos_(w[i])


@lane
def lane_turn(w, v, i):
    sine, cosine = sincos_turn(w[i])
    w[STRIDE + i] = sine
    w[2 * STRIDE + i] = cosine


@lane
def lane_pow(w, v, i):
    w[2 * STRIDE + i] = pow_(w[i], w[STRIDE + i])


LANES = {
    "exp_": lane_exp,
    "log_": lane_log,
    "log_unit": lane_log_unit,
    "sin_": lane_sin,
    "cos_": lane_cos,
    "sincos_turn": lane_turn,
    "pow_": lane_pow,
}


def values(run: Any, *x: Any) -> Array:
    arrays = [np.ascontiguousarray(a, dtype=np.float64) for a in np.broadcast_arrays(*x)]
    y = np.empty_like(arrays[0])
    run(*arrays, y)
    return y


def largest_error(run: Any, exact: Callable[..., Any], *x: Array) -> float:
    """Largest error in ulp of the exact value; inf where a result should be finite and is not."""
    worst = 0.0
    for got, *arguments in zip(values(run, *x).tolist(), *(a.tolist() for a in x)):
        truth = exact(*map(mpmath.mpf, arguments))
        rounded = float(truth)
        if rounded == got:
            continue
        if not np.isfinite(got) and np.isfinite(rounded):
            return np.inf
        # beyond the largest double the last unit is that of the largest double
        unit = float(np.spacing(min(abs(rounded), LARGEST)))
        worst = max(worst, float(abs(mpmath.mpf(min(max(got, -LARGEST), LARGEST)) - truth) / unit))
    return worst


def beside(x: Any) -> Array:
    """The doubles x and their two neighbours each."""
    x = np.atleast_1d(np.asarray(x, dtype=np.float64))
    return np.concatenate([x, np.nextafter(x, -inf), np.nextafter(x, inf)])


def worst_multiples(limit: float, count: int) -> Array:
    """The `count` doubles below `limit` that come closest to a multiple of pi/2."""
    half_turn = int(mpmath.floor(mpmath.ldexp(mpmath.pi / 2, 150)))
    near = []
    for k in range(1, int(limit * 2 / np.pi) + 1):
        x = k * half_turn / 2**150
        if x <= limit:
            top, bottom = x.as_integer_ratio()
            near.append((abs(top * (2**150 // bottom) - k * half_turn), x))
    return np.array([x for _, x in sorted(near)[:count]])


def test_error_of_exp(request: pytest.FixtureRequest) -> None:
    random = generator(request.node.nodeid)
    x = [random.uniform(-745.2, 709.8, 4000), random.uniform(-1, 1, 3000), random.uniform(-745.2, -708, 1000)]
    x += [random.choice([-1, 1], 500) * 2.0 ** random.uniform(-60, 0, 500)]
    # ties of the reduction, and both ends
    x += [beside((np.arange(-1074, 1024) + 0.5) * np.log(2.0))]
    x += [beside([0.0, 709.782712893384, -708.3964185322641, -745.1332191019411, -744.4400719213812])]
    assert largest_error(run_exp, mpmath.exp, np.concatenate(x)) <= ULP_EXP


def test_error_of_log(request: pytest.FixtureRequest) -> None:
    random = generator(request.node.nodeid)
    x = [random.integers(1, 0x7FF0_0000_0000_0000, 4000).view(np.float64), random.uniform(0.5, 2, 3000)]
    x += [1 + random.choice([-1, 1], 2000) * 2.0 ** random.uniform(-53, -1, 2000)]
    x += [random.integers(1, 0x0010_0000_0000_0000, 1000).view(np.float64)]  # subnormal
    x += [
        beside(np.sqrt(2.0) * 2.0 ** np.arange(-1000.0, 1000.0, 50.0)),
        beside(2.0 ** np.arange(-1021.0, 1023.0)),
    ]
    x += [np.array([TINY, 2 * TINY, SMALLEST_NORMAL, LARGEST])]
    assert largest_error(run_log, mpmath.log, np.concatenate(x)) <= ULP_LOG


def test_log_unit_is_log_on_the_unit_interval(request: pytest.FixtureRequest) -> None:
    u = 1.0 - generator(request.node.nodeid).random(5000)
    u = np.concatenate([u, [1.0, 2.0**-53, 2.0**-52, 1 - 2.0**-53, np.sqrt(0.5)]])
    assert np.array_equal(values(run_log_unit, u), values(run_log, u))


@pytest.mark.parametrize(("run", "exact"), [(run_sin, mpmath.sin), (run_cos, mpmath.cos)], ids=["sin", "cos"])
def test_error_of_sine_and_cosine(run: Any, exact: Any, request: pytest.FixtureRequest) -> None:
    random = generator(request.node.nodeid)
    x = [random.uniform(-1e5, 1e5, 3000), random.uniform(-7, 7, 3000), 2.0 ** random.uniform(-1074, 10, 1000)]
    # where cancellation is worst, and the ties between quadrants
    x += [beside(worst_multiples(1e5, 1000)), beside(worst_multiples(1e5, 1000)[:100] + np.pi / 4)]
    x += [np.array([1e5, -1e5, TINY, SMALLEST_NORMAL, np.pi / 4, np.pi / 2, np.pi])]
    x = [a[abs(a) <= 1e5] for a in x]
    assert largest_error(run, exact, np.concatenate(x)) <= ULP_SINE


@pytest.mark.parametrize(
    ("run", "exact"),
    [(run_sine_of_turn, mpmath.sinpi), (run_cosine_of_turn, mpmath.cospi)],
    ids=["sin", "cos"],
)
def test_error_of_sincos_turn(run: Any, exact: Any, request: pytest.FixtureRequest) -> None:
    random = generator(request.node.nodeid)
    u = [random.random(5000), random.random(1000) * 2.0 ** random.uniform(-900, 0, 1000)]
    u += [random.uniform(-1e6, 1e6, 1000), random.uniform(-(2.0**48), 2.0**48, 1000)]
    u += [beside(np.arange(-16, 17) / 8), beside(np.arange(257) / 256)]
    u += [np.array([2.0**48, -(2.0**48), 2.0**48 - 0.0625])]
    u = [a[abs(a) <= 2.0**48] for a in u]
    assert largest_error(run, lambda turn: exact(2 * turn), np.concatenate(u)) <= ULP_TURN


def test_error_of_pow(request: pytest.FixtureRequest) -> None:
    random = generator(request.node.nodeid)
    n = 2500
    bases = [2.0 ** random.uniform(-1074, 1024, n), random.uniform(0.5, 2, n)]
    bases += [1 + random.choice([-1, 1], n) * 2.0 ** random.uniform(-52, -1, n)]
    bases += [
        beside(
            np.tile([np.sqrt(3.0), np.sqrt(1.5), np.sqrt(0.75)], 50) * 2.0 ** np.repeat(np.arange(-75, 75), 1)
        )
    ]
    x = np.concatenate(bases)
    x = x[x != 1.0]
    y = random.uniform(-745, 709.7, x.size) / np.log(x)  # the whole range of results, subnormal ones included
    hill = 10.0 ** random.uniform(-12, 12, n), random.uniform(-8, 8, n)
    whole = random.uniform(-30, 30, n), random.integers(-200, 200, n).astype(float)
    root = random.uniform(0, 1e9, n), random.choice([0.5, 1 / 3, 2 / 3, 0.25, 0.75, 1.0, 2.0, 3.0], n)
    x, y = (np.concatenate(parts) for parts in zip((x, y), hill, whole, root))
    assert largest_error(run_pow, mpmath.power, x, y) <= ULP_POW


def test_pow_is_exact_where_the_answer_is_a_small_integer() -> None:
    x, y = np.meshgrid(np.arange(1.0, 21.0), np.arange(0.0, 5.0))
    assert np.array_equal(values(run_pow, x.ravel(), y.ravel()), (x**y).ravel())


def same(got: Array, expected: Any) -> None:
    """Equal, the signs of zeros included, and NaN where NaN is expected."""
    expected = np.asarray(expected, dtype=np.float64)
    np.testing.assert_array_equal(got, expected)
    finite = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[finite]), np.signbit(expected[finite]))


def test_special_values_of_exp_and_log() -> None:
    same(
        values(run_exp, [0.0, -0.0, inf, -inf, nan, 710.0, 1e308, -746.0, -1e308]),
        [1, 1, inf, 0, nan, inf, inf, 0, 0],
    )
    same(
        values(run_exp, [709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412]),
        [*np.exp([709.782712893384]), inf, TINY, 0],
    )
    same(
        values(run_log, [1.0, 0.0, -0.0, inf, -inf, nan, -1.0, -TINY]),
        [0, -inf, -inf, inf, nan, nan, nan, nan],
    )


def test_special_values_of_sine_and_cosine() -> None:
    beyond = [np.nextafter(1e5, inf), -1.1e5, 1e22, LARGEST, inf, -inf, nan]
    same(values(run_sin, [0.0, -0.0, *beyond]), [0.0, -0.0, *[nan] * 7])
    same(values(run_cos, [0.0, -0.0, *beyond]), [1.0, 1.0, *[nan] * 7])
    turns = [np.nextafter(2.0**48, inf), -1e300, inf, -inf, nan]
    for run in (run_sine_of_turn, run_cosine_of_turn):
        same(values(run, turns), [nan] * 5)
    quarters = np.arange(8) / 4
    np.testing.assert_array_equal(values(run_sine_of_turn, quarters), [0, 1, 0, -1] * 2)
    np.testing.assert_array_equal(values(run_cosine_of_turn, quarters), [1, 0, -1, 0] * 2)


def test_special_values_of_pow_are_those_of_c99() -> None:
    x = [0.0, 1.0, 0.5, 2.0, 3.5, TINY, SMALLEST_NORMAL, LARGEST, 1 - 2.0**-53, 1 + 2.0**-52, inf]
    y = [0.0, 0.5, 1.0, 2.0, 3.0, 1e-320, 2.0**52 + 1, 2.0**53 + 2, 2.0**51 + 0.5, 1e19, 1e300, inf]
    base, exponent = (a.ravel() for a in np.meshgrid([*x, *np.negative(x), nan], [*y, *np.negative(y), nan]))
    got = values(run_pow, base, exponent)
    with np.errstate(all="ignore"):
        expected = np.power(base, exponent)
    special = ~np.isfinite(expected) | (expected == 0) | (expected == 1)
    assert special.sum() > 400
    same(got[special], expected[special])
    np.testing.assert_array_max_ulp(got[~special], expected[~special], maxulp=4)


def everything() -> Array:
    """Every function at some thousand points, the same in any process: what JIT must not change."""
    random = generator("test_same_bytes_without_jit")
    special = beside(
        [0.0, 1.0, 0.5, 2.0, 3.0, 1e5, 709.78, 710.0, SMALLEST_NORMAL, TINY, 1e-300, 1e300, 2.0**48]
    )
    special = np.concatenate([special, -special, [inf, -inf, nan, LARGEST, -LARGEST]])
    wide = random.integers(0, 2**64, 500, dtype=np.uint64).view(np.float64)  # any bits, NaN among them
    x = np.concatenate([special, wide, random.uniform(-800, 800, 500), random.uniform(0, 2, 500)])
    results = [
        values(run, x) for run in (run_exp, run_log, run_sin, run_cos, run_sine_of_turn, run_cosine_of_turn)
    ]
    positive = np.concatenate([random.random(500) + 2.0**-53, 2.0 ** random.uniform(-1000, 1000, 500)])
    results.append(values(run_log_unit, positive))
    results.append(values(run_pow, x, np.roll(x, 7)))
    results.append(values(run_pow, positive, random.uniform(-5, 5, positive.size)))
    return np.concatenate(results)


def test_same_bytes_without_jit(tmp_path: Path) -> None:
    """Pure Python gives the same bits; a NaN counts as the same whatever its payload."""
    child(__file__, "values", str(tmp_path / "plain.npy"), NUMBA_DISABLE_JIT="1")
    plain = np.load(tmp_path / "plain.npy")
    compiled = everything()
    assert compiled.size > 10_000
    differs = (plain.view(np.uint64) != compiled.view(np.uint64)) & ~(np.isnan(plain) & np.isnan(compiled))
    assert not differs.any()


def test_every_function_is_packed_at_every_width() -> None:
    """For AVX2 without host features: only packed arithmetic, nothing fused, in loops of 16, 32, 64 lanes."""
    counts = json.loads(child(__file__, "assembly", NUMBA_CPU_NAME="x86-64-v3", NUMBA_CPU_FEATURES=""))
    assert set(counts) == {f"{name} {width}" for name in LANES for width in (16, 32, 64)}
    for name, count in counts.items():
        assert count["packed"] >= 20, (name, count)
        assert count["scalar"] == 0, (name, count)
        assert count["fused"] == 0, (name, count)


if __name__ == "__main__":
    if sys.argv[1] == "values":
        with np.errstate(**QUIET):
            np.save(sys.argv[2], everything())
    else:
        print(json.dumps({f"{k} {n}": arithmetic(sweep(LANES[k], n)) for k in LANES for n in (16, 32, 64)}))
