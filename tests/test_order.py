"""Order of the ODE methods: identities of their tableaus, observed orders by regression over halved steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from ctcdyn.codegen.kernel import link
from ctcdyn.solvers import rodas5p, tsit5
from drive import Drive
from problems import laws

Vector = NDArray[np.float64]
METHODS = ("tsit5", "rodas5p")
NETWORK = laws()


# ---- tableaus -------------------------------------------------------------------------------------
def rosenbrock() -> tuple[Vector, Vector, Vector, Vector]:
    """(alpha, Gamma, b, b embedded) of Rodas5P from its transformed form (Hairer, Wanner, IV.7)."""
    n = 8
    a, c = np.zeros((n, n)), np.zeros((n, n))
    for s in range(2, n + 1):
        for z in range(1, s):
            row = min(s, 6)  # stages 7 and 8 add one stage each to the argument of stage 6
            a[s - 1, z - 1] = getattr(rodas5p, f"A{row}{z}", 1.0)
            c[s - 1, z - 1] = getattr(rodas5p, f"C{s}{z}")
    gamma = np.linalg.inv(np.eye(n) / rodas5p.GAMMA - c)
    last = np.append(a[7, :7], 1.0)
    return a @ gamma, gamma, last @ gamma, a[7] @ gamma


def explicit() -> tuple[Vector, Vector, Vector]:
    """(A, b, b - b embedded) of Tsit5; its last stage is the first of the next step."""
    a = np.zeros((7, 7))
    for s in range(2, 7):
        for z in range(1, s):
            a[s - 1, z - 1] = getattr(tsit5, f"A{s}{z}")
    a[6, :6] = [getattr(tsit5, f"B{z}") for z in range(1, 7)]
    return a, a[6], np.array([getattr(tsit5, f"E{z}") for z in range(1, 8)])


def trees(alpha: Vector, beta: Vector) -> list[tuple[int, float, Vector]]:
    """(order, 1 / density, stage vector) of every rooted tree to order 5.

    alpha where a vertex has branches, beta = alpha + Gamma where it has one; equal for an explicit method
    (E. Hairer and G. Wanner, Solving ODEs II, table IV.7.1).
    """
    one = np.ones(len(alpha))
    p, q = alpha @ one, beta @ one
    return [
        (1, 1.0, one),
        (2, 1 / 2, q),
        (3, 1 / 3, p**2),
        (3, 1 / 6, beta @ q),
        (4, 1 / 4, p**3),
        (4, 1 / 8, p * (alpha @ q)),
        (4, 1 / 12, beta @ p**2),
        (4, 1 / 24, beta @ beta @ q),
        (5, 1 / 5, p**4),
        (5, 1 / 10, p**2 * (alpha @ q)),
        (5, 1 / 20, (alpha @ q) ** 2),
        (5, 1 / 15, p * (alpha @ p**2)),
        (5, 1 / 30, p * (alpha @ beta @ q)),
        (5, 1 / 20, beta @ p**3),
        (5, 1 / 40, beta @ (p * (alpha @ q))),
        (5, 1 / 60, beta @ beta @ p**2),
        (5, 1 / 120, beta @ beta @ beta @ q),
    ]


def test_rodas5p_tableau() -> None:
    alpha, gamma, b, embedded = rosenbrock()
    rows = range(1, 9)
    assert_allclose(alpha.sum(axis=1), [getattr(rodas5p, f"T{s}") for s in rows], atol=1e-13)
    assert_allclose(gamma.sum(axis=1), [getattr(rodas5p, f"S{s}") for s in rows], atol=1e-13)
    assert_allclose(np.diag(gamma), rodas5p.GAMMA, rtol=1e-14)
    assert_allclose(b, alpha[7] + gamma[7], atol=1e-13)  # stiffly accurate: the end is the last stage
    assert_allclose(embedded, alpha[6] + gamma[6], atol=1e-13)
    for order, value, stage in trees(alpha, alpha + gamma):
        assert b @ stage == pytest.approx(value, abs=1e-13 if order < 5 else 1e-12)
        if order < 5:
            assert embedded @ stage == pytest.approx(value, abs=1e-13)
    fifth = [
        abs(embedded @ stage - value) for order, value, stage in trees(alpha, alpha + gamma) if order == 5
    ]
    assert max(fifth) > 1e-5  # else the estimate would see nothing


def test_rodas5p_damps_what_is_infinitely_stiff() -> None:
    alpha, gamma, b, _ = rosenbrock()
    beta = alpha + gamma
    assert 1.0 - b @ np.linalg.solve(beta, np.ones(8)) == pytest.approx(
        0.0, abs=1e-12
    )  # L-stable: R(inf) = 0
    z = 1j * np.geomspace(1e-2, 1e4, 400)
    values = [1.0 + s * (b @ np.linalg.solve(np.eye(8) - s * beta, np.ones(8))) for s in z]
    assert np.max(np.abs(values)) <= 1.0 + 1e-12  # and A-stable along the imaginary axis


def test_tsit5_tableau() -> None:
    a, b, error = explicit()
    times = [0.0, *(getattr(tsit5, f"T{s}") for s in range(2, 6)), 1.0, 1.0]
    assert_allclose(a.sum(axis=1), times, atol=1e-14)
    embedded = b - error
    for order, value, stage in trees(a, a):
        assert b @ stage == pytest.approx(value, abs=3e-14)  # published to 16 digits
        if order < 5:
            assert embedded @ stage == pytest.approx(value, abs=1e-13)


def dense_weights(method: str) -> list[Polynomial]:
    """Weight of each stage in the dense output, as polynomials of the share x of the step."""
    x = Polynomial([0.0, 1.0])
    if method == "tsit5":
        rows = np.array([tsit5.D1, tsit5.D2, tsit5.D3, tsit5.D4])
        return [Polynomial([0.0, *rows[:, s]]) for s in range(7)]
    _, gamma, b, _ = rosenbrock()
    bends = [np.array(h) @ gamma for h in (rodas5p.H1, rodas5p.H2, rodas5p.H3)]
    # y0 + x (y1 - y0 + d1 + x (d2 - d1 + x (d3 - d2 - x d3)))
    return [x * (b[s] + (1 - x) * (bends[0][s] + x * (bends[1][s] + x * bends[2][s]))) for s in range(8)]


@pytest.mark.parametrize("method", METHODS)
def test_dense_output_identities(method: str) -> None:
    if method == "tsit5":
        a, b, _ = explicit()
        conditions, last = trees(a, a), b
    else:
        alpha, gamma, last, _ = rosenbrock()
        conditions = trees(alpha, alpha + gamma)
    weights = dense_weights(method)
    assert_allclose([w(0.0) for w in weights], 0.0, atol=1e-14)
    assert_allclose([w(1.0) for w in weights], last, atol=3e-14)
    if method == "tsit5":  # the derivative at both ends is that of the ODE: the path is smooth
        assert_allclose([w.deriv()(0.0) for w in weights], [1.0, 0, 0, 0, 0, 0, 0], atol=3e-14)
        assert_allclose([w.deriv()(1.0) for w in weights], [0.0, 0, 0, 0, 0, 0, 1.0], atol=3e-14)
    for x in np.linspace(0.1, 1.0, 10):
        for order, value, stage in conditions:
            if order < 5:
                here = np.array([w(x) for w in weights]) @ stage
                assert here == pytest.approx(value * x**order, abs=2e-13)


# ---- observed orders ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    return {method: link(NETWORK, method).compile().module for method in METHODS}


def fixed(module: ModuleType, values: dict[str, float], times: Sequence[float], step: float) -> Vector:
    """The state at the times, (T, 4), in steps of one length."""
    run = Drive(
        module, NETWORK, times, 1, values=values, rtol=1e3, atol=1e6, first_step=step, longest_step=step
    ).go()
    assert run.status[0] == 0
    assert abs(run.work[0] - (times[-1] - times[0]) / step) < 1.5
    return run.state[0]


def slope(steps: Vector, errors: Sequence[float]) -> float:
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def logistic(t: Vector) -> Vector:
    return np.array([1.0 / (1.0 + 19.0 * np.exp(-t))])


def rhythm(t: Vector) -> Vector:
    return np.array([np.exp(3.0 * np.sin(t))])


def turn(wobble: float) -> Callable[[Vector], Vector]:
    """a + i b = r exp(i phase), r^2 logistic from 1/4 at twice the rate, phase t + wobble sin t."""

    def exact(t: Vector) -> Vector:
        radius, phase = 1.0 / np.sqrt(1.0 + 3.0 * np.exp(-1.4 * t)), t + wobble * np.sin(t)
        return np.array([radius * np.cos(phase), radius * np.sin(phase)])

    return exact


Problem = tuple[dict[str, float], Callable[[Vector], Vector], float, float]
SPIN = {"hopf": 0.7, "spin": 1.0, "a__initial": 0.5}
PROBLEMS: dict[str, Problem] = {  # values, exact path, end, first of the steps
    "logistic, autonomous": ({"crowd": 1.0, "a__initial": 0.05}, logistic, 4.0, 1 / 2),
    "turn, autonomous": (SPIN, turn(0.0), 6.0, 1 / 4),
    "rhythm, rate depends on time": ({"swing": 3.0, "a__initial": 1.0}, rhythm, 7.0, 1 / 8),
    "turn, rate depends on time": (SPIN | {"wobble": 0.8}, turn(0.8), 6.0, 1 / 16),
}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("method", METHODS)
def test_order_over_halved_steps(modules: dict[str, ModuleType], method: str, problem: str) -> None:
    values, exact, end, first = PROBLEMS[problem]
    steps = first * 0.5 ** np.arange(5)
    at_end, between = [], []
    for step in steps:
        times = np.unique(np.append(np.arange(0.0, end, 0.37 * first), end))  # most of them within a step
        path = fixed(modules[method], values, times, step)
        wrong = np.abs(path[:, : len(exact(0.0))].T - exact(times)).max(axis=0)
        at_end.append(wrong[-1])
        between.append(wrong.max())
    assert slope(steps, at_end) >= 5 - 0.15
    assert slope(steps, between) >= 4 - 0.15  # dense output
    assert at_end[0] < 1e-3


def test_stiff_order_on_prothero_and_robinson(modules: dict[str, ModuleType]) -> None:
    """y' = -L (y - sin t) + cos t: order 5 while h L is small; for h L -> inf the error is h^3 / L."""
    steps = 0.25 * 0.5 ** np.arange(5)

    def errors(stiffness: float) -> Vector:
        values = {"relax": stiffness, "track": 1.0}
        ends = [fixed(modules["rodas5p"], values, [0.0, 4.0], step)[-1, 0] for step in steps]
        return np.abs(np.array(ends) - np.sin(4.0))

    assert slope(steps, errors(5.0)) >= 5 - 0.15
    stiff, stiffer = errors(1e4), errors(1e6)
    assert slope(steps, stiff) >= 3 - 0.15
    assert slope(steps, stiffer) >= 3 - 0.15
    assert stiff.max() < 1e-7
    assert_allclose(stiffer * 100.0, stiff, rtol=0.6)
