"""Classic models of the literature as shipped: their equations, thresholds and closed laws."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, minimize_scalar

import oracles
from chance import assert_fraction, fraction_size, seed_of
from ctcdyn.model.load import load_model
from ctcdyn.simulation import Model
from test_shipped_models import parameters, right_hand_side

Vector = NDArray[np.float64]

# ---- Kirschner and Panetta 1998 ---------------------------------------------------------------------
KIRSCHNER = load_model("kirschner_panetta_1998")


def kirschner(_: float, x: Vector, c: float = 0.035, s1: float = 0.0, s2: float = 0.0) -> Vector:
    """The three equations with the values of BioModels BIOMD0000000732."""
    e, t, i = x
    return np.array([
        c * t - 0.03 * e + 0.1245 * e * i / (2e7 + i) + s1,
        0.18 * t * (1 - 1e-9 * t) - e * t / (1e5 + t),
        5 * e * t / (1e3 + t) - 10 * i + s2,
    ])  # fmt: skip


def balance(t: float) -> tuple[Vector, float]:
    """The state in which a tumour of t cells is at rest, and the antigenicity that it takes."""
    e = 0.18 * (1 - 1e-9 * t) * (1e5 + t)
    i = 0.5 * e * t / (1e3 + t)
    return np.array([e, t, i]), (0.03 * e - 0.1245 * e * i / (2e7 + i)) / t


def leading(t: float) -> complex:
    """The eigenvalue of the largest real part at that state, from the shipped model by differences."""
    x, c = balance(t)
    slope = right_hand_side(KIRSCHNER.with_values(parameters={"antigenicity": c}))
    steps = np.diag(1e-5 * x)
    jacobian = np.stack([(slope(0, x + h) - slope(0, x - h)) / (2 * h.sum()) for h in steps], axis=1)
    return complex(max(np.linalg.eigvals(jacobian), key=lambda z: z.real))


@pytest.mark.parametrize("given", [{}, {"c": 0.02, "s1": 600.0, "s2": 5e6}])
def test_kirschner_is_the_paper(given: dict[str, float]) -> None:
    names = {"c": "antigenicity", "s1": "effector_supply", "s2": "il2_supply"}
    slope = right_hand_side(KIRSCHNER.with_values(parameters={names[q]: x for q, x in given.items()}))
    for state in ([1.0, 1.0, 1.0], [2e4, 1.8e4, 1e4], [2e6, 9.9e8, 1e6], [5.0, 0.0, 3.0], [0.0, 7.0, 0.0]):
        assert_allclose(slope(0.0, np.array(state)), kirschner(0.0, np.array(state), **given), rtol=1e-12)


def test_kirschner_thresholds() -> None:
    """The paper: a large tumour for c < 8.55e-5, swings up to 0.032; cells clear it from s1 = 540 on."""
    fold = minimize_scalar(lambda u: -balance(np.exp(u))[1], bounds=np.log([9e8, 9.99e8]), method="bounded")
    assert -fold.fun == pytest.approx(8.552037e-5, rel=1e-6)
    assert -fold.fun == pytest.approx(8.55e-5, abs=5e-8)  # as printed there
    hopf = brentq(lambda t: leading(t).real, 1.5e4, 3e4)
    assert balance(hopf)[1] == pytest.approx(0.0324644, rel=1e-5)
    assert abs(balance(hopf)[1] - 0.032) < 5e-4
    assert 2 * np.pi / leading(hopf).imag == pytest.approx(93.7, abs=0.1)  # days of a swing there
    derived = parameters(KIRSCHNER)
    assert derived["critical_supply"] == pytest.approx(540.0, rel=1e-12)
    assert derived["critical_il2"] == pytest.approx(6.3492063e7, rel=1e-8)
    for supply, sign in ((539.0, 1.0), (541.0, -1.0)):  # of one tumour cell beside s1 / mu2 effectors
        slope = right_hand_side(KIRSCHNER.with_values(parameters={"effector_supply": supply}))
        assert np.sign(slope(0.0, np.array([supply / 0.03, 1e-6, 0.0]))[1]) == sign


def test_kirschner_regimes() -> None:
    """By `rodas5p`, four courses in one call: swings, the small tumour, the large one, and cells that clear it."""
    model = Model(KIRSCHNER)
    c, s1 = np.array([0.02, 0.035, 5e-5, 0.02]), np.array([0.0, 0.0, 0.0, 600.0])
    given = {"antigenicity": c, "effector_supply": s1}
    times = np.arange(0.0, 1001.0, 1.0)
    found = model.simulate(times, method="rodas5p", parameters=given, rtol=1e-10, atol=1e-8).state
    for k in range(4):
        exact = solve_ivp(
            kirschner, (0, 1000), [1.0] * 3, "LSODA", [50, 200, 1000], args=(c[k], s1[k]), rtol=1e-12, atol=1e-10
        ).y.T
        assert_allclose(found[k, [50, 200, 1000]], exact, rtol=1e-5, atol=1e-5)
    tumor = found[:, :, 1]
    peaks = [np.flatnonzero((np.diff(x[:-1]) > 0) & (np.diff(x[1:]) <= 0)) + 1 for x in tumor]
    assert tumor[0, peaks[0]] == pytest.approx([3.84e5, 3.76e5, 3.76e5, 3.75e5], rel=5e-3)
    assert np.diff(peaks[0])[1:] == pytest.approx(242.5, abs=1.0)
    assert np.all(np.diff(tumor[1, peaks[1]]) < 0)  # damped, to 18 198 cells
    assert tumor[2, -1] == pytest.approx(9.88366e8, rel=1e-4)
    assert tumor[3].max() < 100.0
    assert tumor[3, -1] < 1e-3


# ---- Haeno, Michor, Iwasa ---------------------------------------------------------------------------
LINE = {"division_1": 0.5, "death_1": 0.3, "dissemination": 0.02}


@pytest.fixture(scope="module")
def haeno() -> Model:
    return Model(load_model("haeno_michor_iwasa"))


def no_export(flow: float, growth: float, t: float, kind: tuple[float, float, float] = (0.5, 0.3, 0.02)) -> float:
    """Chance that a primary whose first cells give `flow` type-1 cells a day has exported none by t, science e2."""
    lost = quad(
        lambda s: np.exp(growth * s) * (1 - oracles.lineage_silence(*kind, t - s)),
        0, t, epsabs=0, epsrel=1e-10, limit=200,
    )[0]  # fmt: skip
    return float(np.exp(-flow * lost))


def test_export_has_the_closed_law_by_backward_equations(haeno: Model) -> None:
    """A growing primary: the chance of no export yet, of the primary and of the line of one type-1 cell."""
    assert oracles.lineage_silence(0.5, 0.3, 0.02, 10.0) == pytest.approx(0.6880655326, abs=1e-9)
    assert oracles.lineage_silence(0.5, 0.3, 0.02, 20.0) == pytest.approx(0.5631280541, abs=1e-9)
    days = [0.0, 10.0, 20.0, 60.0]
    given = LINE | {"mutation": 1e-3}
    found = haeno.simulate(days, method="backward", parameters=given, rtol=1e-9)
    one = [1 - oracles.lineage_silence(0.5, 0.3, 0.02, t) for t in days]
    assert_allclose(found.values("chance_metastasis_of_type_1")[0], one, rtol=1e-7)
    law = [1 - no_export(1e-3 * 0.16, 0.1584, t) for t in days]
    assert_allclose(found.values("chance_metastasis")[0], law, rtol=1e-6)
    sizes = np.array([1e7, 1e8, 1e9, 1e10])  # the values of the file, at so many cells of the primary
    days = [0.0, *(np.log(sizes) / 0.1584)]
    found = haeno.simulate(days, method="backward", rtol=1e-9).values("chance_metastasis")[0, 1:]
    law = [1 - no_export(6.3e-5 * 0.16, 0.1584, t, (0.16, 0.0016, 6.3e-7)) for t in days[1:]]
    assert_allclose(found, law, rtol=1e-6)
    assert found == pytest.approx([0.02844, 0.25107, 0.94451, 1.0], abs=1e-5)


def test_export_has_the_closed_law_by_sampling(haeno: Model) -> None:
    """By `direct`, whose kernel the conformance tests have too; type-0 cells are counted there, from 100 of them."""
    days, b, d, u = np.array([0.0, 5.0, 10.0, 20.0]), 0.2, 0.1, 0.02

    def slope(t: float, g: Vector) -> Vector:  # of no export from one type-0 cell, mutations leave it there
        return b * (g * g - g) + d * (1 - g) + u * b * g * (oracles.lineage_silence(0.5, 0.3, 0.02, t) - 1)

    law = solve_ivp(slope, (0, 20), [1.0], "LSODA", days, rtol=1e-11, atol=1e-13).y[0] ** 100
    assert law[1:] == pytest.approx([0.857931, 0.434983, 0.008566], abs=1e-6)
    n = max(fraction_size(p, 0.05) for p in law[1:])
    given = LINE | {"division": b, "death": d, "mutation": u}
    found = haeno.simulate(
        days, method="direct", n=n, parameters=given, initial={"type_0": 100.0}, seed=seed_of(), keep="none"
    )
    first = np.where(found.event_observed[:, 0] == 1, found.event_time[:, 0], np.inf)
    for t, p in zip(days[1:], law[1:], strict=True):
        assert_fraction(first > t, p, detect=0.05)
