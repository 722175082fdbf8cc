"""The ODE methods against closed forms: tolerances, switches, conservation, drawn values, permutations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from chance import seed_of
from ctcdyn.codegen import cache
from ctcdyn.codegen.kernel import link
from ctcdyn.model.load import load_model
from drive import Drive
from networks import network
from problems import five, laws

Vector = NDArray[np.float64]
METHODS = ("tsit5", "rodas5p")
NETWORK = laws()
ABSOLUTE = 1e-3  # atol / rtol of the closed forms, whose states are of order 1 and more


@pytest.fixture(scope="module")
def modules() -> dict[str, ModuleType]:
    return {method: link(NETWORK, method).compile().module for method in METHODS}


@dataclass(frozen=True)
class Closed:
    """Numbers for `laws`, and the exact path of its first species (T, n) at the times (T,)."""

    values: Mapping[str, float]
    times: Vector
    exact: Callable[[Vector], Vector]

    def run(self, module: ModuleType, rtol: float) -> Vector:
        """|error| / (atol + rtol |exact|), the greatest over times and species."""
        start = Drive(
            module, NETWORK, self.times, 1, values=self.values, rtol=rtol, atol=rtol * ABSOLUTE
        ).go()
        assert start.status[0] == 0
        exact = self.exact(self.times)
        wrong = np.abs(start.state[0, :, : exact.shape[1]] - exact)
        return np.max(wrong / (rtol * (ABSOLUTE + np.abs(exact))))


def column(function: Callable[[Vector], Vector]) -> Callable[[Vector], Vector]:
    return lambda t: function(t)[:, None]


def gompertz(t: Vector) -> Vector:
    """T14: cells at t months of a tumour from one cell (L. Norton 1988, Cancer Res. 48:7067)."""
    return np.exp(np.log(3.1e12) * -np.expm1(-0.0283 * t))


def spratt(t: Vector) -> Vector:
    """T15: generalised logistic growth, doubling time 51.7 days at first (J. A. Spratt et al. 1993)."""
    return 1e12 / (1.0 + (1e12**0.25 - 1.0) * np.exp(-np.log(2.0) * t / (4.0 * 51.7))) ** 4


TOY = {
    "k_ab": 0.5,
    "k_a": 1.5,
    "k_bc": 0.3,
    "k_bd": 0.1,
    "k_b": 0.6,
    "k_cd": 0.05,
    "k_c": 0.02,
    "growth": 0.5,
    "k_d": 0.3,
    "k_dc": 0.1,
    "source": 2.0,
    "off": 10.0,
}


def cascade(times: Vector) -> Vector:
    """T5: means of blood, tissue, dormant, growing cells; a source of 2 /d until day 10."""
    a = np.array(
        [
            [-2.0, 0.0, 0.0, 0.0],
            [0.5, -1.0, 0.0, 0.0],
            [0.0, 0.3, -0.07, 0.1],
            [0.0, 0.1, 0.05, 0.5 - 0.3 - 0.1],
        ]
    )
    whole = np.zeros((5, 5))
    whole[1:, 1:], whole[1, 0] = a, 2.0
    grow, fade = expm(whole * times[1]), expm(a * times[1])
    state, rows = np.array([1.0, 0.0, 0.0, 0.0, 0.0]), []
    for t in times:  # evenly spaced, with day 10 among them
        rows.append(state[1:])
        state = grow @ state if t < 10.0 else np.append(1.0, fade @ state[1:])
    return np.array(rows)


def turning(t: Vector) -> Vector:
    radius, phase = 1.0 / np.sqrt(1.0 + 3.0 * np.exp(-1.4 * t)), t + 0.8 * np.sin(t)
    return np.stack([radius * np.cos(phase), radius * np.sin(phase)], axis=1)


CLOSED = {
    "decay": Closed(
        {"k_a": 0.7, "a__initial": 100.0}, np.linspace(0, 9, 31), column(lambda t: 100 * np.exp(-0.7 * t))
    ),
    "logistic": Closed(
        {"crowd": 1.0, "a__initial": 0.05}, np.linspace(0, 8, 31), column(lambda t: 1 / (1 + 19 * np.exp(-t)))
    ),
    "square": Closed(
        {"square": 1.0, "a__initial": 1.0}, np.linspace(0, 0.9, 19), column(lambda t: 1 / (1 - t))
    ),
    "Gompertz": Closed(
        {"gompertz": 0.0283 * np.log(3.1e12), "decay": 0.0283, "a__initial": 1.0},
        np.linspace(0, 120, 41),
        column(gompertz),
    ),
    "Spratt": Closed(
        {"spratt": np.log(2) / 51.7, "ceiling": 1e12, "a__initial": 1.0},
        np.linspace(0, 2000, 41),
        column(spratt),
    ),
    "cascade": Closed(TOY, np.linspace(0, 20, 41), cascade),
    "turn": Closed(
        {"hopf": 0.7, "spin": 1.0, "wobble": 0.8, "a__initial": 0.5}, np.linspace(0, 12, 49), turning
    ),
    "rhythm": Closed(
        {"swing": 3.0, "a__initial": 1.0}, np.linspace(0, 12, 49), column(lambda t: np.exp(3 * np.sin(t)))
    ),
}
TOLERANCES = tuple(10.0**-k for k in range(3, 12))


@pytest.mark.parametrize("method", METHODS)
def test_errors_follow_the_tolerance(modules: dict[str, ModuleType], method: str) -> None:
    ratios = np.array([[c.run(modules[method], rtol) for rtol in TOLERANCES] for c in CLOSED.values()])
    assert np.mean((ratios >= 0.01) & (ratios <= 100.0)) >= 0.9
    assert np.all(ratios[:, 3:] <= 30.0)  # rtol 1e-6 and below
    assert np.all(ratios <= 500.0)


def test_printed_growth_laws(modules: dict[str, ModuleType]) -> None:
    printed = {
        "Gompertz": {12: 3.9521e3, 24: 1.4387e6, 60: 1.6026e10, 120: 1.1825e12},
        "Spratt": {51.7: 1.9985, 1000: 5.9623e5, 2000: 4.0778e10},
    }
    for name, table in printed.items():
        for method in METHODS:
            run = Drive(
                modules[method], NETWORK, [0.0, *table], 1, values=CLOSED[name].values, rtol=1e-9, atol=1e-9
            ).go()
            assert_allclose(
                run.state[0, 1:, 0], list(table.values()), rtol=1.5e-4 if name == "Gompertz" else 3e-5
            )


def test_printed_means_of_the_cascade(modules: dict[str, ModuleType]) -> None:
    for method in METHODS:
        run = Drive(modules[method], NETWORK, [0.0, 10.0, 20.0], 1, values=TOY, rtol=1e-11, atol=1e-16).go()
        assert_allclose(run.state[0, 1], [1.0, 0.4999546, 1.25283089, 1.04073544], rtol=1e-7)
        assert_allclose(run.state[0, 2], [2.06e-9, 4.54e-5, 2.66010461, 4.50252560], rtol=1e-3)
        assert_allclose(run.state[0, 2, 2:], [2.66010461, 4.50252560], rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_stepwise_rates_are_exact_over_the_switch(modules: dict[str, ModuleType], method: str) -> None:
    """A constant rate is integrated without error, so any error is that of the switch times."""
    values = {"source": 3.0, "on": 0.37, "off": 7.11}
    times = np.array([0.0, 0.36, 0.38, 1.0, 7.1, 7.12, 9.0])
    run = Drive(modules[method], NETWORK, times, 1, values=values, rtol=1e-3, atol=1e-3).go()
    exact = 3.0 * (np.clip(times, 0.37, 7.11) - 0.37)
    assert_allclose(run.state[0, :, 0], exact, rtol=1e-13, atol=1e-13)
    assert run.work[0] < 60


@pytest.mark.parametrize("method", METHODS)
def test_conserved_sums_do_not_drift(modules: dict[str, ModuleType], method: str) -> None:
    closed = {
        "k_ab": 3.0,
        "k_bc": 0.3,
        "k_bd": 0.1,
        "k_cd": 0.05,
        "k_dc": 0.1,
        "a__initial": 70.0,
        "b__initial": 30.0,
    }
    for rtol in (1e-3, 1e-6, 1e-9):
        run = Drive(
            modules[method], NETWORK, np.linspace(0, 400, 101), 1, values=closed, rtol=rtol, atol=rtol
        ).go()
        assert np.max(np.abs(run.state[0].sum(axis=1) / 100.0 - 1.0)) <= min(10.0 * rtol, 1e-12)
        assert run.state.min() >= -2.0 * rtol  # atol, and what the dense output adds


# ---- drawn parameters ---------------------------------------------------------------------------
def breast(_: float, x: Vector, k: Mapping[str, float]) -> list[float]:
    """The head of models/human_breast_min.toml."""
    p, b, t, d, g = x[:5]
    shed = k["shedding"] * p ** k["size_exponent"]
    birth = k["tumor_growth"] / k["colony_survival"]
    leave, out = k["p_extravasate"] * k["clearance"] * b, t / k["tissue_stay"]
    wake = k["dormancy_exit"] * d
    return [
        birth * p * (1.0 - p / k["carrying_capacity"]) - (birth - k["tumor_growth"]) * p,
        shed - k["clearance"] * b,
        leave - out,
        k["p_dormant"] * out - wake - k["dormant_death"] * d,
        k["p_growing"] * out + wake + k["metastasis_growth"] * g,
        np.log(2.0) * k["metastasis_growth"] / k["detection_size"] * g,
        shed,
    ]


@pytest.mark.parametrize("name, slope", [("ctc_five", five), ("human_breast_min", breast)])
def test_a_thousand_drawn_patients(name: str, slope: Callable[..., list[float]]) -> None:
    model = load_model(name)
    rng = np.random.default_rng(seed_of())
    drawn = {
        p.name: p.value * np.exp(0.3 * rng.standard_normal(1000))
        for p in model.parameters
        if p.unit == "1/d" and p.expr is None and p.value > 0.0
    }
    times = np.linspace(0.0, 3650.0, 11)
    module = link(model, "rodas5p").compile().module
    run = Drive(module, model, times, 1000, values=drawn, rtol=1e-6, atol=1e-6).go()
    assert np.all(run.status == 0)
    assert np.all(np.isfinite(run.state))
    assert run.state.min() >= -1e-6
    names = [p.name for p in model.parameters]
    for k in (0, 499, 999):
        values = dict(zip(names, run.table[k, : len(names)], strict=True))
        truth = solve_ivp(
            slope, (0.0, 3650.0), run.state[k, 0], "LSODA", times, args=(values,), rtol=1e-12, atol=1e-9
        ).y.T
        assert np.max(np.abs(run.state[k] - truth) / (1e-2 + np.abs(truth))) <= 3e-5


# ---- order of species and reactions ---------------------------------------------------------------
def test_order_of_species_and_reactions_changes_rounding_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """In plain Python, so that nothing is compiled for it. Rounding changes the length of steps: a difference
    of 1e-14 in an error estimate moves a path whose error is 1e-5 by 1e-10.
    """
    species = {"x": 50.0, "y": 0.0, "z": 3.0, "u": 1.0}
    reactions = {
        "leave": ("x -> y", "16"),
        "pair": ("2 y -> z", "0.02"),
        "part": ("z -> 2 y", "0.3"),
        "turn": ("y -> u", "0.7"),
        "back": ("u -> x", "0.05"),
        "meet": ("u + z -> u", "0.01"),
        "enter": ("-> x", "4"),
    }
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    monkeypatch.setattr(cache, "_loaded", {})
    for method in METHODS:
        results = []
        for backwards in (False, True):
            turned = reversed if backwards else list
            model = network(
                "order",
                {s: species[s] for s in turned(species)},
                {"rate": 1.0},
                {r: reactions[r] for r in turned(reactions)},
            )
            module = link(model, method, width=2).compile().module
            run = Drive(module, model, [0.0, 0.5, 2.0, 5.0], 1, rtol=1e-5, atol=1e-5).go()
            results.append((run.work[0], run.state[0][:, [model.index(s) for s in species]]))
        assert results[0][0] == results[1][0]
        assert_allclose(results[0][1], results[1][1], rtol=2e-9)
