"""Langevin methods: the naive replay of their draws, orders on coupled paths, closed moments, stiffness, pairing.

One network holds all laws, each switched on by its own constants, so that a method is compiled once.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_allclose

from chance import assert_fraction, assert_mean, assert_variance, seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.noise import lines_of
from ctcdyn.errors import Status
from ctcdyn.model.expr import parse
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network, Observable, Treatment
from drive import Drive
from instances import SOLVERS, semantics
from networks import network
from noise import Law, Stream, Vector, euler, trapezoid
from oracles import birth_death, feller_extinction, first_order_moments

METHODS = tuple(method for method in SOLVERS if semantics(method) == "langevin")
OFF = dict.fromkeys(("c", "k", "b", "v", "mu", "xy", "yx", "ky", "blow", "gap"), 0.0)


def laws() -> Network:
    """x: immigration, death, birth, a geometric Brownian motion of drift mu and variance v, blow-up, a gap in a rate;
    x <-> y: a cycle; y dies. Eight reactions along three lines.
    """
    return network(
        "sde", {"x": 0.0, "y": 0.0}, OFF | {"high": 1e300, "low": -1e300, "factor": 1.0, "day": 1e300},
        {
            "in": ("-> x", "c"),
            "out": ("x ->", "k"),
            "split": ("x -> 2 x", "b"),
            "up": ("-> x", "=0.5 * v * x * x + 0.5 * mu * x"),
            "down": ("x ->", "=0.5 * v * x * x - 0.5 * mu * x"),
            "pass": ("x -> y", "xy"),
            "back": ("y -> x", "yx"),
            "lose": ("y ->", "ky"),
            "burst": ("-> x", "=blow * x * x + gap * where(x > 50, 1, 0)"),
        },
        observables=(
            Observable("peak", None, "first_passage", {"when": parse("x >= high")}, "d", realised="passage"),
        ),
        treatments=(
            Treatment("cut", parse("x >= high"), set=((0, parse("x * factor")),)),
            Treatment("gift", parse("day"), set=((0, parse("x + 40")),)),
        ),
    )  # fmt: skip


NET = laws()


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    return {method: link(NET, method).compile().module for method in METHODS}


def law(**given: float) -> Law:
    """The same in numpy, propensities of what is below zero cut."""
    p = OFF | given

    def rates(x: Vector) -> Vector:
        a, b = np.maximum(x, 0.0)
        grow, turn = 0.5 * p["v"] * a * a, 0.5 * p["mu"] * a
        values = [p["c"] + 0 * a, p["k"] * a, p["b"] * a, grow + turn, grow - turn]
        values += [p["xy"] * a, p["yx"] * b, p["ky"] * b]
        return np.maximum(np.array(values), 0.0)

    def drift(x: Vector) -> Vector:
        r = rates(x)
        return np.array([r[0] - r[1] + r[2] + r[3] - r[4] - r[5] + r[6], r[5] - r[6] - r[7]])

    def intensities(x: Vector) -> Vector:
        r = rates(x)
        return np.array([r[0] + r[1] + r[2] + r[3] + r[4], r[5] + r[6], r[7]])

    return Law(drift, intensities, np.array([[1.0, 1.0, 0.0], [0.0, -1.0, 1.0]]))


BUSY = {"c": 400.0, "k": 3.0, "b": 0.5, "xy": 1.0, "yx": 0.4, "ky": 0.7, "v": 0.02, "mu": 0.01}


def test_collinear_reactions_share_a_noise() -> None:
    """Also x <-> y, and births of two; what moves a counter of its own has a noise of its own."""
    assert len(lines_of([dict(r.change) for r in NET.reactions])) == 3
    lines = lines_of([{0: 1}, {0: -2}, {0: 3, 1: 3}, {}, {0: -1, 1: -1}, {0: 1, 1: -1}])
    assert [line.reactions for line in lines] == [[(0, 1), (1, -2)], [(2, 3), (4, -1)], [(5, 1)]]
    assert link(load_model("ctc_linear"), METHODS[0]).emission.parts["noises"].startswith("NOISES = 8 ")


@pytest.mark.parametrize("method", ["euler_maruyama", "weak_trapezoidal"])
def test_replay(modules: dict[str, ModuleType], method: str) -> None:
    """The path of the naive method on the same draws, over two saves: a new stream begins at each."""
    count, steps, span = 50, 16, 0.5
    start = {"x__initial": 100.0, "y__initial": 20.0}
    run = Drive(modules[method], NET, [0.0, span, 2 * span], count, seed_of(), values=BUSY | start,
                longest_step=span / steps).go()  # fmt: skip
    equation, x = law(**BUSY), np.repeat([[100.0], [20.0]], count, axis=1)
    for save in (1, 2):
        stream = Stream(seed_of(), count, (save - 1) * span)
        for _ in range(steps):
            h = span / steps
            if method == "euler_maruyama":
                x = euler(equation, x, h, stream.normals(3))
            else:
                x = trapezoid(equation, x, h, stream.normals(3), stream.normals(3))
        assert_allclose(run.state[:, save].T, x, rtol=1e-9, atol=1e-9)


# ---- orders, on geometric Brownian motion: dx = mu x dt + sqrt(v) x dW, exact for the same W ------------------------
DRIFTING, NOISY = {"mu": -0.5, "v": 0.04}, {"mu": 0.0, "v": 0.16}


def geometric(
    module: ModuleType, method: str, motion: dict[str, float], steps: int, count: int, seed: int
) -> tuple[Vector, Vector]:
    """(numerical, exact) value at day 1 from 1e4, on the same Brownian path."""
    start = 1e4  # never near what the cut of a propensity could see
    values = motion | {"x__initial": start}
    run = Drive(module, NET, [0.0, 1.0], count, seed, values=values, longest_step=1.0 / steps).go()
    assert (run.status == 0).all()
    assert run.state[:, :, 0].min() > 1.0
    stream, w = Stream(seed, count, 0.0), np.zeros(count)
    for _ in range(steps):
        if method == "euler_maruyama":
            w += np.sqrt(1.0 / steps) * stream.normals(3)[0]
        else:
            w += np.sqrt(0.5 / steps) * (stream.normals(3)[0] + stream.normals(3)[0])
    exact = np.exp((motion["mu"] - 0.5 * motion["v"]) + np.sqrt(motion["v"]) * w)
    return run.state[:, -1, 0] / start, exact


def slope_with_error(steps: Vector, errors: Vector, sds: Vector) -> tuple[float, float]:
    """Slope of log |error| over log h, and its standard error from those of the errors."""
    x = -np.log(steps)
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return float(weights @ np.log(np.abs(errors))), float(np.sqrt(((weights * sds / errors) ** 2).sum()))


@pytest.mark.parametrize("method", ["euler_maruyama", "weak_trapezoidal"])
def test_strong_order(modules: dict[str, ModuleType], method: str) -> None:
    """E |x_h - x| at the end, on the same path: 1/2, to a stated interval."""
    steps = 16 * 2 ** np.arange(5)
    pairs = [geometric(modules[method], method, NOISY, int(n), 4000, seed_of(str(n))) for n in steps]
    gaps = [np.abs(a - b) for a, b in pairs]
    found, error = slope_with_error(
        steps, np.array([g.mean() for g in gaps]), np.array([g.std() / np.sqrt(len(g)) for g in gaps])
    )
    assert error < 0.02
    assert found == pytest.approx(0.5, abs=0.06 + 5 * error)


WEAK = {"euler_maruyama": (np.array([4, 8, 16]), 40_000, 1.0), "weak_trapezoidal": (np.array([2, 4, 8]), 200_000, 2.0)}


@pytest.mark.parametrize("method", WEAK)
def test_weak_order(modules: dict[str, ModuleType], method: str) -> None:
    """E x_h^2 - E x^2, both on the same paths; the bias of the shortest step is five of its Monte-Carlo errors."""
    steps, count, order = WEAK[method]
    biases, sds = [], []
    for n in steps:
        a, b = geometric(modules[method], method, DRIFTING, int(n), count, seed_of(str(n)))
        gap = a * a - b * b
        biases.append(gap.mean())
        sds.append(gap.std() / np.sqrt(count))
    errors = np.array(sds)
    assert abs(biases[-1]) >= 5 * errors[-1]
    found, error = slope_with_error(steps, np.array(biases), errors)
    assert error < 0.1
    assert found >= order - 0.2
    exact = np.array([second_moment(method, 1.0 / n) ** n for n in steps]) - second_moment("exact", 1.0)
    assert found == pytest.approx(slope_with_error(steps, exact, errors)[0], abs=5 * error)


def second_moment(method: str, h: float) -> float:
    """E x_h^2 / x_0^2 after one step; of the exact solution for "exact"."""
    mu, v = DRIFTING["mu"], DRIFTING["v"]
    if method == "exact":
        return float(np.exp((2.0 * mu + v) * h))
    if method == "euler_maruyama":
        return (1.0 + mu * h) ** 2 + v * h
    half, grown = mu * h / 2.0, 1.0 + mu * h
    middle = (1.0 + half) ** 2 + v * h / 2.0
    return grown**2 * middle - 2.0 * grown * half * (1.0 + half) + half**2 + v * h / 2.0 * (2.0 * middle - 1.0)


# ---- moments of first-order networks: exact for the Langevin equation too ------------------------------------------
CYCLE = {"c": 300.0, "k": 1.0, "b": 0.4, "xy": 1.0, "yx": 0.5, "ky": 0.7}
FIRST_ORDER = [
    (None, CYCLE["c"], {0: 1}), (0, CYCLE["k"], {0: -1}), (0, CYCLE["b"], {0: 1}), (0, CYCLE["xy"], {0: -1, 1: 1}),
    (1, CYCLE["yx"], {0: 1, 1: -1}), (1, CYCLE["ky"], {1: -1}),
]  # fmt: skip


STEPS = [("euler_maruyama", 0.0025), ("weak_trapezoidal", 0.05), ("implicit_trapezoidal", 0.05)]


@pytest.mark.parametrize("method, step", STEPS)
def test_means_and_covariances_of_a_linear_network(modules: dict[str, ModuleType], method: str, step: float) -> None:
    """T5: the moments of the exact process, which are those of the Langevin equation; the step adds under 1 %."""
    count, times = 20_000, [0.0, 1.0, 3.0]
    start = {"x__initial": 200.0, "y__initial": 50.0}
    run = Drive(modules[method], NET, times, count, seed_of(), values=CYCLE | start, longest_step=step).go()
    for save in (1, 2):
        x = run.state[:, save]
        mean, covariance = first_order_moments(FIRST_ORDER, [200.0, 50.0], times[save])
        for s in range(2):
            sd = float(np.sqrt(covariance[s, s]))
            assert_mean(x[:, s], mean[s], sd=sd, detect=0.01 * mean[s])
            assert_variance(x[:, s], covariance[s, s], detect=0.1)
        product = (x[:, 0] - mean[0]) * (x[:, 1] - mean[1])
        spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1] + covariance[0, 1] ** 2))
        assert_mean(product, covariance[0, 1], sd=spread, detect=0.06 * spread)


@pytest.mark.parametrize("stiffness", [100.0, 400.0])
def test_stiff_steps_keep_mean_and_variance(modules: dict[str, ModuleType], stiffness: float) -> None:
    """Immigration and death at k h = 100 and 400, a transient from an empty state included: Poisson to 2 %."""
    count, level = 60_000, 400.0
    run = Drive(modules["implicit_trapezoidal"], NET, [0.0, 1.0, 2.0, 20.0], count, seed_of(),
                values={"c": stiffness * level, "k": stiffness}, longest_step=1.0).go()  # fmt: skip
    for save in (1, 2, 3):
        x = run.state[:, save, 0]
        assert abs(x.mean() / level - 1.0) < 0.02
        assert abs(x.var() / level - 1.0) < 0.02 + 3.0 * np.sqrt(2.0 / count)
    # not one value that alternates: neighbouring steps have forgotten each other
    a, b = run.state[:, 1, 0] - level, run.state[:, 2, 0] - level
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


def test_extinction_is_that_of_the_langevin_equation_not_of_the_cells(modules: dict[str, ModuleType]) -> None:
    """T3: birth 1, death 0.1 from one cell: 0.173 are gone by day 3 where the exact process has 0.094."""
    wrong, right = feller_extinction(1.0, 0.1, 3.0, 1.0), birth_death(1.0, 0.1, 3.0)["p0"]
    assert wrong > 1.8 * right
    values = {"b": 1.0, "k": 0.1, "x__initial": 1.0}
    run = Drive(modules["euler_maruyama"], NET, [0.0, 3.0], 30_000, seed_of(), values=values,
                longest_step=1 / 512).go()  # fmt: skip
    gone = (run.state[:, 1, 0] <= 0.0).astype(float)
    assert_fraction(gone, wrong, detect=0.02)


# ---- stops, statuses, pairing ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
def test_pathological_models_end_with_their_status(modules: dict[str, ModuleType], method: str) -> None:
    """Blow-up, nothing at all, decay to nothing, a rate that jumps, too many steps, numbers that are none."""
    values = {
        "x__initial": np.array([10.0, 0.0, 50.0, 49.0, 10.0, 10.0]),
        "blow": np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        "k": np.array([0.0, 0.0, 30.0, 1.0, np.nan, -1e300]),
        "gap": np.array([0.0, 0.0, 0.0, 1e3, 0.0, 0.0]),
    }
    run = Drive(modules[method], NET, np.linspace(0.0, 8.0, 9), 6, seed_of(), values=values, longest_step=0.01).go()
    assert run.status.tolist() == [Status.NOT_FINITE, 0, 0, 0, Status.NOT_FINITE, Status.NOT_FINITE]
    assert np.isnan(run.state[0, -1]).all()
    assert (run.state[1] == 0.0).all()
    assert abs(run.state[2, -1, 0]) < 1.0
    assert np.isfinite(run.state[:4, 0]).all()
    capped = Drive(modules[method], NET, [0.0, 1.0], 3, seed_of(), longest_step=1e-4, max_steps=500).go()
    assert capped.status.tolist() == [Status.STEP_LIMIT] * 3


@pytest.mark.parametrize("method", METHODS)
def test_stops_at_their_time(modules: dict[str, ModuleType], method: str) -> None:
    """A gift on a day between saves and steps; a threshold is found within the step, on the line between its ends."""
    scale = 1e14  # so many that the noise is 1e-7 of them
    values = {"k": 1.0, "x__initial": scale, "day": 0.7312345}
    run = Drive(modules[method], NET, [0.0, 0.5, 1.0], 2, seed_of(), values=values, longest_step=1e-3).go()
    assert_allclose(run.state[0, :, 0], scale * np.exp([0.0, -0.5, -1.0]), rtol=1e-3)
    assert run.logs(0)[0][:2] == (0.7312345, 1.0)
    assert_allclose(run.logs(0)[0][2], scale * np.exp(-0.7312345), rtol=1e-3)
    rising = {"b": 1.0, "x__initial": scale, "high": scale * np.exp(0.6), "factor": 0.1}
    run = Drive(modules[method], NET, [0.0, 1.0], 2, seed_of(), values=rising, longest_step=0.0625).go()
    # Euler's growth factor is another than e, the others' is not
    pace = np.log1p(0.0625) / 0.0625 if method == "euler_maruyama" else 1.0
    at = 0.6 / pace
    assert_allclose(run.passed[:, 0], at, rtol=1e-3)
    assert_allclose([t for t, *_ in run.logs(0)], [at], rtol=1e-3)
    assert_allclose(run.state[:, -1, 0], 0.1 * scale * np.exp(pace), rtol=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_arms_draw_the_same_noise_and_stay_together(modules: dict[str, ModuleType], method: str) -> None:
    """A treatment without effect changes no byte, though it stops a path; one with effect leaves the noise as it is."""
    count, arms = 64, 2
    odd = np.arange(count) % arms == 1
    values = {"c": 50.0, "k": 0.5, "x__initial": 60.0, "high": 75.0}
    same = Drive(modules[method], NET, np.linspace(0.0, 4.0, 9), count, seed_of(), arms=arms, longest_step=0.03,
                 values=values).go()  # fmt: skip
    assert np.isfinite(same.passed).sum() > 20
    assert same.rows[odd].tobytes() == same.rows[~odd].tobytes()
    # without death the noise does not depend on the state: what a cut took stays missing, to the last digits
    values = {"c": 50.0, "x__initial": 60.0, "high": 90.0, "factor": np.where(odd, 0.5, 1.0)}
    cut = Drive(modules[method], NET, np.linspace(0.0, 4.0, 9), count, seed_of(), arms=arms, longest_step=0.03,
                values=values).go()  # fmt: skip
    once = np.array([len(cut.logs(k)) == 1 for k in range(count)])
    pairs = (once[odd] & once[~odd]).nonzero()[0]
    assert len(pairs) > 10
    gap = (cut.state[~odd] - cut.state[odd])[pairs, -1, 0]
    assert_allclose(gap, 45.0, rtol=1e-9)
