"""Exact answers for `ctcdyn selftest`: closed laws of two models, and how far simulations may lie off.

Birth, death and immigration: D. G. Kendall (1948), doi:10.1214/aoms/1177730285. Reactions of first order:
the mean obeys x' = A x + c for the jump process and the rate equations alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ctcdyn.model.network import Network

# A correct installation fails a statistical check of |z| < 5.5 once in 26 million; the seed is fixed besides.
Z_ALLOWED = 5.5
# The solver is asked for 1e-6 a step; over 100 days errors add up, so two digits less are promised.
ODE_ALLOWED = 1e-4
TRAJECTORIES = 20_000
SEED = 20_261_123


@dataclass(frozen=True)
class Check:
    """One number found by simulation beside the exact one. `error` is what `limit` counts in."""

    what: str
    found: float
    exact: float
    error: float
    limit: float
    label: str  # what the distance is called: "z" counts Monte-Carlo errors

    @property
    def score(self) -> float:
        return (self.found - self.exact) / self.error

    @property
    def passed(self) -> bool:
        return abs(self.score) <= self.limit  # False for NaN

    @property
    def distance(self) -> str:
        return f"{self.label} = {self.score:+.2f}"


def checks() -> Iterator[Check]:
    """All self-tests, one after the other."""
    yield from birth_death_immigration()
    yield from linear_means()


def birth_death_immigration() -> Iterator[Check]:
    """Mean, variance and P(0) at 5 days of the exact jump process from zero cells."""
    import ctcdyn

    birth, death, immigration, t = 1.0, 0.8, 0.5, 5.0
    given = {"birth": birth, "death": death, "immigration": immigration}
    model = ctcdyn.load_model("birth_death_immigration")
    results = model.simulate(np.array([0.0, t]), method="direct", n=TRAJECTORIES, parameters=given, seed=SEED)
    cells = np.asarray(results.final_state)[:, 0]
    n = len(cells)
    growth = birth - death
    mean = immigration * math.expm1(growth * t) / growth
    variance = mean + mean**2 * birth / immigration
    empty = (growth / (birth * math.exp(growth * t) - death)) ** (immigration / birth)
    # negative binomial, r = immigration / birth: the fourth central moment gives the error of the variance
    r = immigration / birth
    fourth = variance**2 * (3 + 6 / r) + variance
    where = "birth_death_immigration, direct, day 5:"
    yield Check(f"{where} mean", float(cells.mean()), mean, math.sqrt(variance / n), Z_ALLOWED, "z")
    error = math.sqrt((fourth - variance**2) / n)
    yield Check(f"{where} variance", float(cells.var(ddof=1)), variance, error, Z_ALLOWED, "z")
    error = math.sqrt(empty * (1 - empty) / n)
    yield Check(f"{where} P(0)", float((cells == 0).mean()), empty, error, Z_ALLOWED, "z")


def linear_means() -> Iterator[Check]:
    """Means of `ctc_linear`: rate equations at 100 days, exact jump process at 10 days."""
    import ctcdyn
    from ctcdyn.model.load import load_model

    network = load_model("ctc_linear")
    model = ctcdyn.load_model("ctc_linear")
    exact = mean_of_linear(network, 100.0)
    results = model.simulate(np.array([0.0, 100.0]), method="ode", n=1, seed=SEED)
    for name, found, mean in zip(results.species, np.asarray(results.final_state)[0], exact, strict=True):
        what = f"ctc_linear, ode, day 100: {name}"
        yield Check(what, float(found), mean, ODE_ALLOWED * mean, 1.0, "error / 1e-4")

    exact = mean_of_linear(network, 10.0)
    results = model.simulate(np.array([0.0, 10.0]), method="direct", n=512, seed=SEED)
    state = np.asarray(results.final_state)
    for s, name in enumerate(results.species):
        error = float(state[:, s].std(ddof=1)) / math.sqrt(len(state))
        what = f"ctc_linear, direct, day 10: {name}"
        yield Check(what, float(state[:, s].mean()), exact[s], error, Z_ALLOWED, "z")


def mean_of_linear(network: Network, t: float) -> NDArray[np.float64]:
    """Mean state (S,) at day t of a network whose reactions are all of first or zeroth order."""
    from scipy.linalg import expm

    from ctcdyn.model.expr import evaluate

    values: dict[str, float] = {p.name: p.value for p in network.parameters}
    names = network.species_names
    change = network.stoichiometry().astype(np.float64)

    def drift(state: NDArray[np.float64]) -> NDArray[np.float64]:
        here = values | dict(zip(names, state.tolist(), strict=True))
        rates = [float(evaluate(r.propensity("ode", network), here)) for r in network.reactions]
        return np.asarray(change @ np.array(rates), dtype=np.float64)

    count = len(names)
    constant = drift(np.zeros(count))
    # the constant inflow is a last column (Van Loan 1978, doi:10.1109/TAC.1978.1101743)
    matrix = np.zeros((count + 1, count + 1))
    for s in range(count):
        unit = np.zeros(count)
        unit[s] = 1.0
        matrix[:count, s] = drift(unit) - constant
    matrix[:count, count] = constant
    start = np.append(network.initial_values(), 1.0)
    return np.asarray((expm(matrix * t) @ start)[:count], dtype=np.float64)
