"""Small systems with a known law: Schloegl's two stations, a gene that goes on and off, mutants; and their rows.

F. Schloegl 1972, doi:10.1007/BF01379769, with the constants of Y. Cao, D. T. Gillespie and L. R. Petzold 2006,
doi:10.1063/1.2159468. Telegraph: J. Peccoud and B. Ycart 1995, doi:10.1006/tpbi.1995.1027.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import oracles
from claims import Claim, distance, pmf
from ctcdyn.model.network import Network
from ctcdyn.simulation import Model
from networks import mutation, network

MASTER = "master equation on {} states, {:.0e} lost"
Vector = NDArray[np.float64]


def final(net: Network, method: str, days: float, n: int, seed: int, species: int, **options: Any) -> Vector:
    """Counts of a species at the end, of n trajectories."""
    found = Model(net).simulate(
        [0.0, days], method=method, n=n, seed=seed, keep="none", quantiles=(), threads=1, **options
    )
    assert set(np.unique(found.status)) <= {0, 1}
    return np.asarray(found.final_state[:, species], dtype=float)


# ---- Schloegl ---------------------------------------------------------------------------------------------------
SCHLOEGL = {"grow": 0.03, "shrink": 1e-4, "feed": 200.0, "lose": 3.5}
LATE, BOX = 4.0, 1000


def schloegl() -> Network:
    """Two stable numbers, about 85 and 565, and 250 between them, where it starts."""
    return network(
        "schloegl", {"x": 250.0}, SCHLOEGL,
        {"grow": ("2 x -> 3 x", "grow"), "shrink": ("3 x -> 2 x", "shrink"), "feed": ("-> x", "feed"),
         "lose": ("x ->", "lose")},
    )  # fmt: skip


@cache
def schloegl_law() -> tuple[Vector, str]:
    """P(x = 0 ...) at the end."""

    def propensity(state: tuple[int, ...]) -> list[float]:
        (x,) = state
        pairs, triples = x * (x - 1) / 2.0, x * (x - 1) * (x - 2) / 6.0
        return [SCHLOEGL["grow"] * pairs, SCHLOEGL["shrink"] * triples, SCHLOEGL["feed"], SCHLOEGL["lose"] * x]

    law, lost = oracles.master_equation([(1,), (-1,), (1,), (-1,)], propensity, [250], [BOX], [LATE])
    return law[0], MASTER.format(BOX, abs(lost))


def two_stations(method: str, n: int, seed: int, allowed: float | None = None, **options: Any) -> Claim:
    """The count at day 4: half of the trajectories are at each."""
    x = final(schloegl(), method, LATE, n, seed, 0, **options)
    law, oracle = schloegl_law()
    return pmf(x, law, oracle, 0) if allowed == 0.0 else distance(x, law, allowed, oracle)


# ---- telegraph --------------------------------------------------------------------------------------------------
GENE = {"open": 0.7, "shut": 1.6, "fade": 1.0}
HALF = 3.0


def telegraph() -> Network:
    """A gene that is off or on, and what it makes while it is on."""
    return network(
        "telegraph", {"off": 1.0, "on": 0.0, "m": 0.0}, {**GENE, "make": 20.0},
        {"open": ("off -> on", "open"), "shut": ("on -> off", "shut"), "make": ("on -> on + m", "make"),
         "fade": ("m ->", "fade")},
    )  # fmt: skip


@cache
def telegraph_law(make: float) -> tuple[Vector, str]:
    """P(m = 0 ...) at day 3."""
    box = [2, 2, int(make + 8.0 * np.sqrt(make)) + 1]

    def propensity(state: tuple[int, ...]) -> list[float]:
        off, on, m = state
        return [GENE["open"] * off, GENE["shut"] * on, make * on, GENE["fade"] * m]

    changes = [(-1, 1, 0), (1, -1, 0), (0, 0, 1), (0, 0, -1)]
    law, lost = oracles.master_equation(changes, propensity, [1, 0, 0], box, [HALF])
    return law[0].sum(axis=(0, 1)), MASTER.format(2 * box[2], abs(lost))


def on_and_off(method: str, make: float, n: int, seed: int, allowed: float | None = 0.0, **options: Any) -> Claim:
    """What the gene has made by day 3."""
    x = final(telegraph(), method, HALF, n, seed, 2, parameters={"make": make}, **options)
    law, oracle = telegraph_law(make)
    return pmf(x, law, oracle) if allowed == 0.0 else distance(x, law, allowed, oracle)


# ---- mutants (T10) ----------------------------------------------------------------------------------------------
def mutants(method: str, n: int, seed: int) -> Claim:
    """One mutation expected by day 14 in a population that grows e-fold a day: p_0 ... p_5, and the whole law."""
    rate = 1.0 / np.expm1(14.0)
    x = final(mutation(), method, 14.0, n, seed, 0, parameters={"rate": rate}, window=0.25)
    return pmf(x, oracles.luria_delbrueck(1.0, 3000), "generating function of Lea and Coulson")
