"""Emitted algebra of the ODE in plain Python: drift, Jacobian, LU and solve beside SymPy and numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from chance import seed_of
from ctcdyn import plugins
from ctcdyn.codegen.emit import emit
from ctcdyn.codegen.jacobian import eliminate
from ctcdyn.codegen.layout import extra_values
from ctcdyn.model.expr import text
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network
from networks import network

MODELS = sorted(plugins.available("model"))
PLAIN = {
    "np": np,
    "int64": int,
    "block": lambda f: f,
    "lane": lambda f: f,
    "exp_": np.exp,
    "log_": np.log,
    "pow_": np.power,
    "sin_": np.sin,
    "cos_": np.cos,
    "pick": lambda yes, a, b: a if yes else b,
}


class Algebra:
    """The emitted parts of a model for one lane; `at` puts state and time into its work buffer."""

    def __init__(self, model: Network) -> None:
        self.space: dict[str, Any] = dict(PLAIN)
        exec("\n\n".join(emit(model, "ode", ("drift", "jacobian"), 1).parts.values()), self.space)  # noqa: S102
        self.size = self.space["SPECIES"]
        self.w = np.zeros(self.space["FREE"] + 64)
        q, values = self.space["Q"], [*model.parameter_values(), *extra_values(model).values()]
        self.w[q : q + len(values)] = values
        for part in ("initial", "coefficients"):
            self.space[part](self.w, 0)

    def at(self, x: NDArray[np.float64], t: float = 0.0) -> None:
        for row in ("X", "U"):
            self.w[self.space[row] : self.space[row] + self.size] = x
        self.w[self.space["TIME"]] = self.w[self.space["AT"]] = t

    def drift(self) -> NDArray[np.float64]:
        self.space["drift"](self.w)
        return self.w[self.space["F"] : self.space["F"] + self.size].copy()

    def jacobian(self) -> NDArray[np.float64]:
        self.space["jacobian"](self.w)
        names = [[f"J_{s}_{z}" for z in range(self.size)] for s in range(self.size)]
        return np.array([[self.w[self.space[n]] if n in self.space else 0.0 for n in row] for row in names])

    def solve(self, shift: float, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """x of (shift I - J) x = right, by the emitted factors."""
        self.w[self.space["SHIFT"]] = shift
        self.space["factor"](self.w)
        b = self.space["B"]
        self.w[b : b + self.size] = right
        self.space["solve"](self.w)
        return self.w[b : b + self.size].copy()


def symbolic(model: Network) -> tuple[list[Any], sympy.Matrix, sympy.Matrix]:
    """(species, drift, Jacobian) read from the text of the rates by SymPy, parameters put in."""
    known = {
        name: sympy.Symbol(name, positive=True) for name in (*model.species_names, *model.parameter_names)
    }
    functions = {"max": sympy.Max, "min": sympy.Min, "pi": sympy.pi, "t": sympy.Symbol("t")}
    rates = [
        sympy.parse_expr(text(r.propensity("ode", model)), local_dict={**functions, **known})
        for r in model.reactions
    ]
    values = {known[p.name]: p.value for p in model.parameters}
    drift = (sympy.Matrix(model.stoichiometry()) * sympy.Matrix(rates)).subs(values)
    species = [known[name] for name in model.species_names]
    return species, drift, drift.jacobian(species)


@pytest.mark.parametrize("name", MODELS)
def test_drift_and_jacobian_are_those_of_sympy(name: str) -> None:
    model = replace(load_model(name), observables=(), founders=())  # without counters, which are rows of their own
    algebra = Algebra(model)
    species, drift, slopes = symbolic(model)
    rng = np.random.default_rng(seed_of())
    exact = sympy.lambdify(species, [drift, slopes], ["numpy", {"Heaviside": lambda x: np.heaviside(x, 0.5)}])
    for _ in range(5):
        x = np.exp(rng.uniform(0.0, np.log(1e6), len(species)))
        algebra.at(x)
        f, j = exact(*x)
        scale = np.abs(j) @ x + np.abs(f.ravel())
        assert np.all(np.abs(algebra.drift() - f.ravel()) <= 1e-12 * scale + 1e-300)
        assert_allclose(algebra.jacobian(), j, rtol=1e-10, atol=1e-14 * np.abs(j).max())


@pytest.mark.parametrize("name", MODELS)
def test_solve_is_that_of_a_dense_matrix(name: str) -> None:
    """Without pivoting: for every step length the factors are as good as those of numpy."""
    model = load_model(name)
    algebra = Algebra(model)
    rng = np.random.default_rng(seed_of())
    for step in (1e-9, 1e-4, 1e-1, 1.0, 30.0):
        x = np.exp(rng.uniform(0.0, np.log(1e6), algebra.size))
        algebra.at(x)
        shift, right = 1.0 / (0.2119 * step), rng.standard_normal(algebra.size)
        matrix = shift * np.eye(algebra.size) - algebra.jacobian()
        found = algebra.solve(shift, right)
        residual = np.abs(matrix @ found - right)
        assert np.all(residual <= 1e-11 * (np.abs(matrix) @ np.abs(found) + np.abs(right)))


def test_time_derivative() -> None:
    model = network(
        "seasons",
        {"x": 2.0, "y": 1.0},
        {"k": 0.7, "when": 3.0},
        {
            "a": ("x -> y", "k * (1 + 0.5 * sin(2 * t)) * exp(-t / 9)"),
            "b": ("y ->", "k * sqrt(1 + t)"),
            "c": ("-> x", "k * step(t - when)"),
        },
    )
    algebra = Algebra(model)
    algebra.space["schedule"](algebra.w, 0, 0.0)
    x, step = np.array([2.0, 1.0]), 1e-6
    for t in (0.0, 1.3, 4.0):
        algebra.at(x, t + step)
        above = algebra.drift()
        algebra.at(x, t - step)
        below = algebra.drift()
        algebra.at(x, t)
        algebra.space["time_derivative"](algebra.w)
        found = algebra.w[algebra.space["T"] : algebra.space["T"] + 2]
        assert_allclose(found, (above - below) / (2.0 * step), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("size", range(2, 13))
def test_random_linear_networks(size: int) -> None:
    """Random conversions, deaths and catalysis: drift is A x + c, Jacobian A, solve that of numpy."""
    rng = np.random.default_rng(seed_of())
    matrix, reactions, names = np.zeros((size, size)), {}, [f"s{k}" for k in range(size)]
    for r in range(3 * size):
        i, rate, keeps = int(rng.integers(size)), float(np.exp(rng.uniform(-6.0, 4.0))), rng.uniform() < 0.3
        j = (i + int(rng.integers(1, size))) % size
        reactions[f"r{r}"] = (f"{names[i]} -> {names[j]}" + (f" + {names[i]}" if keeps else ""), repr(rate))
        matrix[j, i] += rate
        matrix[i, i] -= 0.0 if keeps else rate
    algebra = Algebra(network("random", dict.fromkeys(names, 1.0), {"q": 1.0}, reactions))
    x, right = rng.uniform(0.0, 10.0, size), rng.standard_normal(size)
    algebra.at(x)
    assert_allclose(algebra.drift(), matrix @ x, rtol=1e-11, atol=1e-11 * np.abs(matrix).max())
    assert_allclose(algebra.jacobian(), matrix, rtol=1e-13, atol=1e-13)
    whole = 20.0 * np.eye(size) - matrix
    found = algebra.solve(20.0, right)
    assert np.max(np.abs(whole @ found - right)) <= 1e-11 * np.abs(whole).max() * np.abs(found).max()


def test_elimination_of_random_patterns() -> None:
    """No entry outside the announced fill is ever needed, and the fill is less than in natural order."""
    rng = np.random.default_rng(seed_of())
    sizes = []
    for _ in range(100):
        n = int(rng.integers(1, 14))
        pattern = {(int(s), int(z)) for s, z in rng.integers(0, n, (2 * n, 2))}
        order, filled = eliminate(range(n), set(pattern))
        assert sorted(order) == list(range(n))
        kept = set(filled)
        assert kept >= pattern | {(s, s) for s in range(n)}
        a = np.zeros((n, n))
        for entry in pattern:
            a[entry] = rng.standard_normal()
        a += np.diag(np.abs(a).sum(axis=1) + 1.0)
        lu, right = a.copy(), rng.standard_normal(n)
        for k, p in enumerate(order):
            for s in order[k + 1 :]:
                lu[s, p] /= lu[p, p]
                for z in order[k + 1 :]:
                    lu[s, z] -= lu[s, p] * lu[p, z]
        assert {(int(s), int(z)) for s, z in np.argwhere(lu != 0.0)} <= kept
        x = right.copy()
        for k, p in enumerate(order):
            x[p] -= sum(lu[p, z] * x[z] for z in order[:k])
        for k in reversed(range(n)):
            p = order[k]
            x[p] = (x[p] - sum(lu[p, z] * x[z] for z in order[k + 1 :])) / lu[p, p]
        assert_allclose(x, np.linalg.solve(a, right), rtol=1e-10, atol=1e-12)
        natural = a != 0.0
        for p in range(n):
            natural[p + 1 :, p + 1 :] |= np.outer(natural[p + 1 :, p], natural[p, p + 1 :])
        sizes.append((len(kept), int(natural.sum())))
    ours, plain = np.array(sizes).sum(axis=0)
    assert ours < plain
