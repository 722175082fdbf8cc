"""What every tool is given: networks as plain data, and the exact answer to each.

A rate is Python arithmetic over species and parameters (numbers a day, times in days), and `constant` names the
parameter k where the reaction is mass action: k times one of each reactant. A tool takes whichever it understands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

SEED = 20_261_128
REFERENCES = {"cascade": "LSODA"}  # where Radau of SciPy would take hours
NOTHING = 0.01  # cells: what an error is relative to is never less


@dataclass(frozen=True)
class Reaction:
    """`reactants`, `products`: how many of each species; `rate`: events a day; `constant`: k of a mass action."""

    name: str
    reactants: Mapping[str, int]
    products: Mapping[str, int]
    rate: str
    constant: str = ""


@dataclass(frozen=True)
class Problem:
    """A network, its times (days, the first is 0) and the parameters that differ by trajectory: times exp(sigma z)."""

    name: str
    says: str
    species: Mapping[str, float]  # number at day 0
    parameters: Mapping[str, float]
    reactions: tuple[Reaction, ...]
    times: tuple[float, ...]
    varied: tuple[str, ...] = ()
    sigma: float = 0.3

    def draws(self, n: int) -> NDArray[np.float64]:
        """Parameters (n, parameters), the same for the same n in every tool."""
        made = np.tile(list(self.parameters.values()), (n, 1))
        columns = [list(self.parameters).index(name) for name in self.varied]
        z = np.random.default_rng(SEED).standard_normal((n, len(columns)))
        made[:, columns] *= np.exp(self.sigma * z)
        return made

    def write(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path

    def change(self) -> NDArray[np.float64]:
        """(species, reactions)"""
        made = np.zeros((len(self.species), len(self.reactions)))
        for column, reaction in enumerate(self.reactions):
            for row, name in enumerate(self.species):
                made[row, column] = reaction.products.get(name, 0) - reaction.reactants.get(name, 0)
        return made


def mass_action(name: str, constant: str, reactants: str, products: str) -> Reaction:
    """`reactants`, `products`: names with spaces between them; a product stands twice where there are two of it."""
    given, made = (_count(side) for side in (reactants, products))
    assert all(number == 1 for number in given.values())
    return Reaction(name, given, made, " * ".join((constant, *given)), constant)


def _count(side: str) -> dict[str, int]:
    names = side.split()
    return {name: names.count(name) for name in dict.fromkeys(names)}


def linear(scale: float = 1.0) -> Problem:
    """ctc_linear: the jump process of `peers.md`, with so many times the shedding; 4 species, 10 reactions."""
    k = {
        "shed": 2000.0 * scale, "clear": 16.0, "leave": 0.05, "die": 1.0, "sleep": 0.1,
        "settle": 0.005, "wake": 5e-4, "lose": 1e-3, "birth": 0.02, "death": 0.018,
    }  # fmt: skip
    sides = {
        "shed": ("", "B"), "clear": ("B", ""), "leave": ("B", "E"), "die": ("E", ""), "sleep": ("E", "Q"),
        "settle": ("E", "G"), "wake": ("Q", "G"), "lose": ("Q", ""), "birth": ("G", "G G"), "death": ("G", ""),
    }  # fmt: skip
    return Problem(
        "linear" if scale == 1.0 else f"linear_{scale:g}",
        "cells through the blood, every reaction of first order",
        dict.fromkeys("BEQG", 0.0),
        {f"k_{name}": value for name, value in k.items()},
        tuple(mass_action(name, f"k_{name}", *sides[name]) for name in k),
        tuple(float(day) for day in range(101)),
    )


def five() -> Problem:
    """ctc_five: the stiff ensemble of `peers.md`; 5 compartments, 10 years, rates from 5e-4 to 30 a day."""
    growth, regrowth = "r * T * (1 - T / K)", "r_G * G * (1 - G / K_G)"
    logistic = (Reaction("grow", {}, {"T": 1}, growth), Reaction("regrow", {}, {"G": 1}, regrowth))
    moves = (
        ("intravasate", "k_int", "T", "B"), ("shear", "k_sh", "B", ""), ("kill", "k_nk", "B", ""), ("leave", "k_ext",
        "B", "E"),
        ("sleep", "k_d", "E", "Q"), ("settle", "k_g", "E", "G"), ("die", "m_E", "E", ""), ("wake", "k_w", "Q", "G"),
        ("lose", "m_Q", "Q", ""), ("reseed", "k_re", "G", "B"), ("death", "m_G", "G", ""),
    )  # fmt: skip
    return Problem(
        "five",
        "stiff: tumour, blood, tissue, dormant and growing cells for ten years",
        {"T": 1e6, "B": 0.0, "E": 0.0, "Q": 0.0, "G": 0.0},
        {
            "r": 0.01,
            "K": 1e10,
            "k_int": 1e-4,
            "k_re": 1e-5,
            "k_sh": 8.0,
            "k_nk": 8.0,
            "k_ext": 0.05,
            "k_d": 0.1,
            "k_g": 0.005,
            "m_E": 1.0,
            "k_w": 5e-4,
            "m_Q": 1e-3,
            "r_G": 0.02,
            "K_G": 1e8,
            "m_G": 0.005,
        },
        (*logistic, *(mass_action(*move) for move in moves)),
        tuple(10.0 * save for save in range(366)),
        ("r", "k_nk", "k_w"),
    )


def surveillance() -> Problem:
    """Not stiff: tumour and effector cells of Kuznetsov 1994, doi:10.1007/BF02460644, in units of 1e6 cells."""
    return Problem(
        "surveillance",
        "not stiff: tumour and effector cells that oscillate for 300 days (Kuznetsov 1994)",
        {"E": 0.32, "T": 0.5},
        {
            "s": 0.0130,
            "p": 0.1245,
            "g": 20.19,
            "m": 0.0003422,
            "d": 0.0412,
            "a": 0.180,
            "b": 0.002,
            "n": 0.1101,
        },
        (
            Reaction("enter", {}, {"E": 1}, "s"),
            Reaction("recruit", {}, {"E": 1}, "p * E * T / (g + T)"),
            Reaction("exhaust", {"E": 1}, {}, "m * E * T"),
            Reaction("age", {"E": 1}, {}, "d * E"),
            Reaction("grow", {}, {"T": 1}, "a * T * (1 - b * T)"),
            Reaction("kill", {"T": 1}, {}, "n * E * T"),
        ),
        tuple(3.0 * save for save in range(101)),
        ("a", "n", "s"),
        0.1,
    )


def conjugates(cells: int = 20) -> Problem:
    """Bimolecular: NK cells bind tumour cells, let go or kill. Rates assumed; few enough for an exact law."""
    return Problem(
        "conjugates",
        "bimolecular: NK cells bind tumour cells, let go or kill",
        {"B": float(cells), "N": float(cells // 2), "C": 0.0},
        {"k_bind": 0.5, "k_free": 2.0, "k_kill": 1.0, "k_shed": 0.5 * cells, "k_clear": 0.5},
        (
            mass_action("bind", "k_bind", "B N", "C"),
            mass_action("free", "k_free", "C", "B N"),
            mass_action("kill", "k_kill", "C", "N"),
            mass_action("shed", "k_shed", "", "B"),
            mass_action("clear", "k_clear", "B", ""),
        ),
        tuple(0.5 * save for save in range(21)),
        ("k_bind", "k_kill"),
    )


def organs(reactions: int, cells: float = 100.0) -> Problem:
    """Large: cells pass around a ring of sites, divide and die; a third of the reactions each. Rates assumed.

    So many reactions, a third as many species, all of first order: means and variances are exact.
    """
    sites = reactions // 3
    names = [f"S{site}" for site in range(sites)]
    # rates differ by site: a sum of all rates is no substitute for each
    k: dict[str, float] = {}
    made: list[Reaction] = []
    for site, here in enumerate(names):
        after = names[(site + 1) % sites]
        spread = 1.0 + 0.5 * float(np.cos(2.0 * np.pi * site / sites))
        k |= {f"move{site}": 2.0 * spread, f"birth{site}": 0.10 * spread, f"death{site}": 0.12}
        made += [
            mass_action(f"m{site}", f"move{site}", here, after),
            mass_action(f"b{site}", f"birth{site}", here, f"{here} {here}"),
            mass_action(f"d{site}", f"death{site}", here, ""),
        ]
    return Problem(
        f"organs_{reactions}",
        f"large: {reactions} reactions of first order over {sites} sites",
        {name: cells if site % 2 == 0 else 0.0 for site, name in enumerate(names)},
        k,
        tuple(made),
        tuple(0.5 * save for save in range(11)),
        ("move0", "birth0"),
    )


def cascade() -> Problem:
    from cascade import cascade_human

    return cascade_human()


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "five": five,
    "surveillance": surveillance,
    "conjugates": conjugates,
    "linear": linear,
    "linear_1000": lambda: linear(1000.0),
    "cascade": cascade,
    "organs_30": lambda: organs(30),
    "organs_100": lambda: organs(99),
    "organs_300": lambda: organs(300),
    "organs_1000": lambda: organs(999),
}


def first_order(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact means and variances (saves, species) of a jump process whose reactions all are of order 0 or 1.

    d mean/dt = A mean + b; d C/dt = A C + C A' + D(mean), D = sum over reactions of rate v v'. By one exponential of
    the stacked linear system for few species, by exact propagators and Simpson's rule otherwise (relative error of
    2e-6).
    N. G. van Kampen, Stochastic Processes in Physics and Chemistry, 3rd ed. 2007, chapter VI.
    """
    v, s = problem.change(), len(problem.species)
    rates, flow = _flow(problem, np.array(list(problem.parameters.values())))
    start = np.array([*problem.species.values(), 1.0])
    if s > 8:
        return _stepwise(flow, v, rates, start, np.array(problem.times))
    size, a = s * s, flow[:s, :s]
    whole = np.zeros((size + s + 1, size + s + 1))
    whole[:size, :size] = np.kron(a, np.eye(s)) + np.kron(np.eye(s), a)
    whole[:size, size:] = np.einsum("ir,jr,rk->ijk", v, v, rates).reshape(size, s + 1)
    whole[size:, size:] = flow
    state = np.concatenate([np.zeros(size), start])
    found = np.array([expm(whole * t) @ state for t in problem.times])
    return found[:, size:-1], found[:, :size].reshape(-1, s, s).diagonal(axis1=1, axis2=2)


def _stepwise(
    flow: NDArray[np.float64],
    v: NDArray[np.float64],
    rates: NDArray[np.float64],
    start: NDArray[np.float64],
    times: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means by exact propagators, covariances by Simpson's rule over steps of a tenth of the fastest rate."""
    s, gap = len(v), float(times[1] - times[0])  # saves are equally far apart
    pairs = int(np.ceil(gap * 10.0 * float(np.abs(flow).max())))
    forward, weight = expm(flow * gap / (2 * pairs)), gap / (6 * pairs)
    carry = forward[:s, :s]
    mean, covariance = start, np.zeros((s, s))
    means, variances = [mean[:s]], [np.zeros(s)]

    def noise(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return weight * ((v * (rates @ at)) @ v.T)

    for _ in times[1:]:
        for _ in range(pairs):
            middle = forward @ mean
            half = carry @ (covariance + noise(mean)) @ carry.T + 4.0 * noise(middle)
            mean = forward @ middle
            covariance = carry @ half @ carry.T + noise(mean)
        means.append(mean[:s])
        variances.append(covariance.diagonal())
    return np.array(means), np.array(variances)


def few_cells(problem: Problem, most: int = 120) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact means and variances (saves, species) of `conjugates` by its master equation, B cut at `most` cells."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import expm_multiply

    k, killers = problem.parameters, int(problem.species["N"])
    b, c = (grid.ravel() for grid in np.meshgrid(np.arange(most + 1), np.arange(killers + 1), indexing="ij"))
    free = killers - c
    moves = (
        (-1, 1, k["k_bind"] * b * free), (1, -1, k["k_free"] * c), (0, -1, k["k_kill"] * c),
        (1, 0, np.full(len(b), k["k_shed"])), (-1, 0, k["k_clear"] * b),
    )  # fmt: skip
    here = np.arange(len(b))
    rows, columns, rates = [], [], []
    for db, dc, rate in moves:
        allowed = (b + db >= 0) & (b + db <= most) & (c + dc >= 0) & (c + dc <= killers)
        there = (b + db) * (killers + 1) + c + dc
        rows += [there[allowed], here[allowed]]
        columns += [here[allowed], here[allowed]]
        rates += [rate[allowed], -rate[allowed]]
    generator = coo_array((np.concatenate(rates), (np.concatenate(rows), np.concatenate(columns)))).tocsr()
    start = np.zeros(len(b))
    start[int(problem.species["B"]) * (killers + 1)] = 1.0
    law = np.array([start, *(expm_multiply(generator * t, start) for t in problem.times[1:])])
    values = np.array([b, free, c], dtype=float)
    mean = law @ values.T
    return mean, law @ (values**2).T - mean**2


def moments_of(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact means and variances (saves, species) of the jump process."""
    return few_cells(problem) if problem.name == "conjugates" else first_order(problem)


def solution(problem: Problem, n: int, method: str = "") -> NDArray[np.float64]:
    """Rate equations of the first n draws (n, saves, species), right to about 1e-9.

    Exact propagators where every reaction is of order 0 or 1, else a method of SciPy at a tolerance of 1e-12.
    """
    from numba import njit
    from scipy.integrate import solve_ivp

    draws, times = problem.draws(n), np.array(problem.times)
    if all(reaction.constant and len(reaction.reactants) <= 1 for reaction in problem.reactions):
        return np.array([_propagated(problem, draw, times) for draw in draws])
    lines = [f"    {name} = state_[{i}]" for i, name in enumerate(problem.species)]
    lines += [f"    {name} = given_[{i}]" for i, name in enumerate(problem.parameters)]
    lines += [f"    rates_ = np.array([{', '.join(reaction.rate for reaction in problem.reactions)}])"]
    space: dict[str, Any] = {"np": np, "v_": problem.change()}
    exec("\n".join(["def slope(_, state_, given_):", *lines, "    return v_ @ rates_"]), space)  # noqa: S102
    slope = njit(space["slope"])
    found = []
    for draw in draws:
        solved = solve_ivp(
            slope, (0.0, times[-1]), list(problem.species.values()), method or REFERENCES.get(problem.name, "Radau"),
            times, args=(draw,), rtol=1e-12, atol=1e-12 * NOTHING,
        )  # fmt: skip
        assert solved.success, solved.message
        found.append(solved.y.T)
    return np.array(found)


def _flow(problem: Problem, draw: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events a day = rates @ (mean, 1), and d(mean, 1)/dt = flow @ (mean, 1), of reactions of order 0 or 1."""
    names, given = list(problem.species), dict(zip(problem.parameters, draw.tolist(), strict=True))
    s = len(names)
    rates = np.zeros((len(problem.reactions), s + 1))
    for row, reaction in enumerate(problem.reactions):
        assert reaction.constant, "of first order only"
        assert len(reaction.reactants) <= 1, "of first order only"
        place = names.index(next(iter(reaction.reactants))) if reaction.reactants else s
        rates[row, place] = given[reaction.constant]
    flow = np.zeros((s + 1, s + 1))
    flow[:s] = problem.change() @ rates
    return rates, flow


def _propagated(
    problem: Problem, draw: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    _, flow = _flow(problem, draw)
    forward = expm(flow * (times[1] - times[0]))  # saves are equally far apart
    state = [np.array([*problem.species.values(), 1.0])]
    for _ in times[1:]:
        state.append(forward @ state[-1])
    return np.array(state)[:, :-1]


def error(found: NDArray[np.float64], exact: NDArray[np.float64]) -> float:
    """Largest relative error over draws, saves and species; NOTHING cells count as none."""
    return float(np.max(np.abs(found - exact) / (NOTHING + np.abs(exact))))


def with_times(problem: Problem, times: tuple[float, ...]) -> Problem:
    return replace(problem, times=times)
