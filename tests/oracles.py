"""Closed forms and naive references that the package is compared with. Nothing here imports ctcdyn.

Times in days, rates in 1/day, counts of cells. Each function names its source; `test_oracles.py` holds
each of them against figures printed elsewhere, so that no test of the package leans on an unchecked formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import expm_multiply
from scipy.special import gammainc, gammaln

Vector = NDArray[np.float64]


# ---- one kind of cell: birth, death, immigration --------------------------------------------------
def birth_death_immigration(birth: float, death: float, immigration: float, t: float) -> dict[str, float]:
    """Negative binomial of size nu/b, from no cell (Kendall 1948, doi:10.1214/aoms/1177730285); b != d."""
    growth = birth - death
    mean = immigration * np.expm1(growth * t) / growth
    empty = (growth / (birth * np.exp(growth * t) - death)) ** (immigration / birth)
    return {"mean": mean, "var": mean + mean**2 * birth / immigration, "p0": empty}


def birth_death_immigration_pmf(birth: float, death: float, immigration: float, t: float, n: int) -> Vector:
    """P(count = 0 .. n-1) from no cell, float64 (n,)."""
    size = immigration / birth
    mean = birth_death_immigration(birth, death, immigration, t)["mean"]
    k = np.arange(n)
    log = gammaln(k + size) - gammaln(size) - gammaln(k + 1)
    pmf: Vector = np.exp(log + size * np.log(size / (size + mean)) + k * np.log(mean / (size + mean)))
    return pmf


def birth_death(birth: float, death: float, t: float, n: int = 1) -> dict[str, float]:
    """From n cells: mean, variance, P(extinct by t), P(ever extinct) (Kendall 1948); birth != death."""
    growth = birth - death
    grown = np.exp(growth * t)
    extinct = death * np.expm1(growth * t) / (birth * grown - death)
    variance = n * (birth + death) / growth * grown * np.expm1(growth * t)
    return {"mean": n * grown, "var": variance, "p0": extinct**n, "ever": min(1.0, death / birth) ** n}


def feller_extinction(birth: float, death: float, t: float, n: float) -> float:
    """P(extinct by t) of the Langevin limit dx = (b-d) x dt + sqrt((b+d) x) dW from n cells (Feller 1951)."""
    growth = birth - death
    return float(np.exp(-2.0 * growth * n / ((birth + death) * -np.expm1(-growth * t))))


def blood_mean(source: Callable[[float], float], clearance: float, t: float, start: float = 0.0) -> float:
    """Mean of cells that arrive at rate source(s) and are cleared one by one (M/M/infinity).

    The count is Poisson with this mean at every time, from nothing or from a Poisson number of mean `start`.
    """

    def still_there(s: float) -> float:
        return float(source(s) * np.exp(-clearance * (t - s)))

    held = quad(still_there, 0.0, t, epsabs=0.0, epsrel=1e-12, limit=200)[0]
    return float(held + start * np.exp(-clearance * t))


def lineage_silence(birth: float, death: float, hazard: float, t: float) -> float:
    """P(no event by t from one cell) where every cell carries the hazard of it: backward Kolmogorov."""
    total = birth + death + hazard
    root = np.sqrt(total**2 - 4.0 * birth * death)
    low, high = (total - root) / (2.0 * birth), (total + root) / (2.0 * birth)
    weight = (1.0 - low) / (high - 1.0) * np.exp(-birth * (high - low) * t)
    return float((low + high * weight) / (1.0 + weight))


def relapse_free(birth: float, death: float, seeding: float, growth: float, size: float, x: float) -> float:
    """P(no metastasis of `size` by time x after resection) of an exponential primary, limit of a large size;
    `seeding` is its rate at resection (Avanzini and Antal 2019, doi:10.1371/journal.pcbi.1007423).
    """
    net = birth - death
    a = growth / net
    scale = net * size / birth
    gamma = np.exp(gammaln(a)) * gammainc(a, scale * np.exp(-net * x))
    return float(np.exp(-seeding / birth * scale**-a * np.exp(growth * x) * gamma))


def luria_delbrueck(mean: float, n: int) -> Vector:
    """P(0 .. n-1 mutants) by the recursion of Lea and Coulson (Ma, Sandri, Sarkar 1992), float64 (n,)."""
    p = np.empty(n)
    p[0] = np.exp(-mean)
    for k in range(1, n):
        p[k] = mean / k * sum(p[i] / (k - i + 1) for i in range(k))
    return p


def bottleneck(founders: int, kappa: float, power: float, limit: float = 1.24) -> float:
    """P(a colony of so many founders lives on): birth/death at size i is limit i^h / (i^h + kappa^h)."""
    sizes = np.arange(1.0, 20_000.0)
    ratios = np.log((sizes**power + kappa**power) / (limit * sizes**power))
    weights = np.exp(np.concatenate([[0.0], np.cumsum(ratios)]))  # product of d_j / b_j for j <= i, i from 0
    return float(weights[:founders].sum() / weights.sum())


# ---- networks of first order ----------------------------------------------------------------------
# (species that drives it or None, rate, net change)
FirstOrder = Sequence[tuple[int | None, float, Mapping[int, int]]]


def first_order_matrices(reactions: FirstOrder, n: int) -> tuple[Vector, Vector]:
    """A (n, n) and c (n,) of x' = A x + c."""
    a, c = np.zeros((n, n)), np.zeros(n)
    for driver, rate, change in reactions:
        for s, step in change.items():
            if driver is None:
                c[s] += rate * step
            else:
                a[s, driver] += rate * step
    return a, c


def first_order_moments(
    reactions: FirstOrder, x0: Sequence[float], t: float, cov0: Vector | None = None
) -> tuple[Vector, Vector]:
    """Mean (n,) and covariance (n, n) at t: x' = A x + c, Sigma' = A Sigma + Sigma A^T + S diag(a(x)) S^T.

    Exact for reactions of first order, also G -> 2 G (van Kampen 2007, chapter VI). Linear in (x, Sigma), so
    one matrix exponential gives both; `cov0` is the covariance at the start.
    """
    n = len(x0)
    a, c = first_order_matrices(reactions, n)
    size = 1 + n + n * n  # the state (1, x, vec Sigma)
    m = np.zeros((size, size))
    m[1 : n + 1, 0] = c
    m[1 : n + 1, 1 : n + 1] = a
    m[n + 1 :, n + 1 :] = np.kron(a, np.eye(n)) + np.kron(np.eye(n), a)
    for driver, rate, change in reactions:
        v = np.zeros(n)
        for s, step in change.items():
            v[s] = step
        m[n + 1 :, 0 if driver is None else 1 + driver] += rate * np.outer(v, v).ravel()
    start = np.zeros(size)
    start[0] = 1.0
    start[1 : n + 1] = x0
    if cov0 is not None:
        start[n + 1 :] = cov0.ravel()
    end = expm(m * t) @ start
    return end[1 : n + 1], end[n + 1 :].reshape(n, n)


# ---- any small network: the master equation on a box ----------------------------------------------
def master_equation(
    changes: Sequence[Sequence[int]],
    propensity: Callable[[tuple[int, ...]], Sequence[float]],
    start: Sequence[int],
    box: Sequence[int],
    times: Sequence[float],
) -> tuple[Vector, float]:
    """P(state, t) on 0 <= x < box, float64 (times, *box), and the probability lost over the edge by the end.

    What leaves the box is gone, so each entry is a lower bound and the lost mass bounds the total error
    (Munsky and Khammash 2006, doi:10.1063/1.2145882, finite state projection).
    """
    shape = tuple(box)
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for state in product(*(range(width) for width in shape)):
        here = int(np.ravel_multi_index(state, shape))
        for change, rate in zip(changes, propensity(state), strict=True):
            if rate == 0.0:
                continue
            rows.append(here)
            columns.append(here)
            values.append(-rate)
            target = tuple(x + step for x, step in zip(state, change, strict=True))
            if all(0 <= x < width for x, width in zip(target, shape, strict=True)):
                rows.append(int(np.ravel_multi_index(target, shape)))
                columns.append(here)
                values.append(rate)
    size = int(np.prod(shape))
    generator = csr_matrix((values, (rows, columns)), shape=(size, size))
    p = np.zeros(size)
    p[np.ravel_multi_index(tuple(start), shape)] = 1.0
    out = np.empty((len(times), *shape))
    before = 0.0
    for j, t in enumerate(times):
        if t > before:
            p = expm_multiply(generator * (t - before), p)
        out[j] = p.reshape(shape)
        before = t
    return out, float(1.0 - p.sum())


# ---- relapse: backward equations ------------------------------------------------------------------
RELAPSE_TOY = {  # the toy set of the relapse and moment figures: source 2 /day on [0, 10]
    "source": 2.0, "k_ext": 0.5, "d_B": 1.5, "k_TD": 0.3, "k_TG": 0.1, "d_T": 0.6, "k_R": 0.05, "d_D": 0.02,
    "b": 0.5, "d": 0.3, "k_GD": 0.1, "eta": 0.02,
}  # fmt: skip


def relapse_backward(k: Mapping[str, float], times: Sequence[float] | Vector) -> Vector:
    """v = 1 - P(no detection by t | one cell of blood, tissue, dormant, growing at 0), float64 (times, 4).

    Solved for 1 - u, since values of 1e-8 would cancel in u.
    """

    def slope(_: float, v: Vector) -> list[float]:
        blood, tissue, dormant, growing = v
        return [
            k["k_ext"] * tissue - (k["k_ext"] + k["d_B"]) * blood,
            k["k_TD"] * dormant + k["k_TG"] * growing - (k["k_TD"] + k["k_TG"] + k["d_T"]) * tissue,
            k["k_R"] * growing - (k["k_R"] + k["d_D"]) * dormant,
            k["b"] * growing * (1.0 - growing) - k["d"] * growing - k["k_GD"] * (growing - dormant)
            + k["eta"] * (1.0 - growing),
        ]  # fmt: skip

    span = (0.0, float(max(times)))
    answer = solve_ivp(slope, span, np.zeros(4), "Radau", times, rtol=1e-11, atol=1e-18)
    v: Vector = answer.y.T
    return v


def no_relapse(k: Mapping[str, float], source: Callable[[float], float], stop: float, t: float) -> float:
    """P(no relapse by t) = exp(-int source(s) v_blood(t - s) ds), cells shed at source(s) until `stop`."""
    end = min(t, stop)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    s = 0.5 * end * (nodes + 1.0)
    order = np.argsort(t - s)
    v = np.empty_like(s)
    v[order] = relapse_backward(k, (t - s)[order])[:, 0]
    return float(np.exp(-0.5 * end * np.sum(weights * v * np.array([source(x) for x in s]))))


# ---- the shipped models ---------------------------------------------------------------------------
METASTASIS_STATES = (
    "blood", "arrested", "tissue", "dormant", "micrometastases", "growing", "macrometastases",
    "lost_in_vessels", "lost_in_tissue", "regressed",
)  # fmt: skip
METASTASIS_RATES = {  # models/experimental_metastasis.toml
    "blood_exit": np.log(2.0) / (27.5 / 1440.0), "arrest_share": 0.98, "vessel_exit": 4.0,
    "extravasation_share": 0.816332, "tissue_exit": 1.0, "dormancy_share": 0.455301,
    "founding_share": 0.0268314, "dormant_death": 1e-3, "micrometastasis_exit": 0.46,
    "outgrowth_share": 0.0105311, "appearance": 0.25,
}  # fmt: skip


def metastasis_probabilities(t: float, k: Mapping[str, float] = METASTASIS_RATES) -> dict[str, float]:
    """P(state at t) of one cell injected into the blood in `experimental_metastasis`.

    Counts from n cells are multinomial (n, these): mean n p, variance n p (1 - p), covariance -n p q.
    """
    rest = 1.0 - k["dormancy_share"] - k["founding_share"]
    moves = (
        ("blood", "arrested", k["blood_exit"] * k["arrest_share"]),
        ("blood", "lost_in_vessels", k["blood_exit"] * (1.0 - k["arrest_share"])),
        ("arrested", "tissue", k["vessel_exit"] * k["extravasation_share"]),
        ("arrested", "lost_in_vessels", k["vessel_exit"] * (1.0 - k["extravasation_share"])),
        ("tissue", "dormant", k["tissue_exit"] * k["dormancy_share"]),
        ("tissue", "micrometastases", k["tissue_exit"] * k["founding_share"]),
        ("tissue", "lost_in_tissue", k["tissue_exit"] * rest),
        ("dormant", "lost_in_tissue", k["dormant_death"]),
        ("micrometastases", "growing", k["micrometastasis_exit"] * k["outgrowth_share"]),
        ("micrometastases", "regressed", k["micrometastasis_exit"] * (1.0 - k["outgrowth_share"])),
        ("growing", "macrometastases", k["appearance"]),
    )
    place = {name: i for i, name in enumerate(METASTASIS_STATES)}
    q = np.zeros((10, 10))
    for origin, target, rate in moves:
        q[place[origin], place[target]] += rate
        q[place[origin], place[origin]] -= rate
    return dict(zip(METASTASIS_STATES, expm(q * t)[0].tolist(), strict=True))


def metastasis_shares(t: float, k: Mapping[str, float] = METASTASIS_RATES) -> dict[str, float]:
    """Expected shares of the dose at t: the four observables of `experimental_metastasis`.

    Each is a binomial proportion: its standard error over m mice of n cells is sqrt(p (1 - p) / (m n)).
    """
    p = metastasis_probabilities(t, k)
    founded = p["micrometastases"] + p["growing"] + p["macrometastases"] + p["regressed"]
    return {
        "extravasated_share": p["tissue"] + p["dormant"] + p["lost_in_tissue"] + founded,
        "micrometastasis_share": founded,
        "macrometastasis_share": p["macrometastases"],
        "solitary_share": p["tissue"] + p["dormant"],
    }


def human_breast_sizes(diameter: float, k: Mapping[str, float]) -> dict[str, float]:
    """The row of a tumour of so many mm that grew as exp(r t) from one cell.

    Blood, tissue and dormant start empty; all is linear in the source k_s exp(alpha r t).
    """
    n = np.pi / 6.0 * (diameter / 10.0) ** 3 * 1e9
    speed = k["r"] * k["alpha"]  # growth of the source
    t = np.log(n) / k["r"]
    shed = k["k_s"] * n ** k["alpha"]
    out = 1.0 / k["stay"]
    m = np.zeros((4, 4))  # source, blood, tissue, dormant
    m[0, 0] = speed
    m[1, :2] = 1.0, -k["k_cl"]
    m[2, 1:3] = k["k_cl"] * k["p_ext"], -out
    m[3, 2:4] = out * k["f_D"], -k["k_R"] - k["d_D"]
    state = expm(m * t) @ np.array([k["k_s"], 0.0, 0.0, 0.0])
    total = k["k_s"] * np.expm1(speed * t) / speed
    p_met = k["p_ext"] * (k["f_G"] + k["f_D"] * k["k_R"] / (k["k_R"] + k["d_D"])) * k["survival"]
    return {
        "t": t, "N": n, "shed": shed, "blood": state[1], "per_litre": state[1] / 5.0,
        "per_tube": state[1] * 7.5e-3 / 5.0, "total": total, "dormant": state[3], "founded": total * p_met,
    }  # fmt: skip


HUMAN_BREAST = {  # models/human_breast_min.toml, in the letters of the size table
    "r": 0.0134, "alpha": 0.663, "k_s": 0.0445, "k_cl": 36.0, "p_ext": 5e-4, "stay": 3.0, "f_D": 0.2,
    "f_G": 5e-5, "k_R": 1e-7, "d_D": 1.9e-4, "survival": 0.193,
}  # fmt: skip

KUZNETSOV = {  # Kuznetsov 1994, doi:10.1007/BF02460644
    "s": 1.3e4, "p": 0.1245, "g": 2.019e7, "m": 3.422e-10, "d": 0.0412, "a": 0.18, "b": 2e-9, "n": 1.101e-7,
}  # fmt: skip


def kuznetsov(_: float, x: Vector, k: Mapping[str, float] = KUZNETSOV) -> Vector:
    """(E', T')."""
    e, t = x
    grow = k["s"] + k["p"] * e * t / (k["g"] + t) - k["m"] * e * t - k["d"] * e
    return np.array([grow, k["a"] * t * (1.0 - k["b"] * t) - k["n"] * e * t])


def kuznetsov_jacobian(x: Vector, k: Mapping[str, float] = KUZNETSOV) -> Vector:
    """Derivative of (E', T') by (E, T)."""
    e, t = x
    half = k["g"] + t
    effectors = [k["p"] * t / half - k["m"] * t - k["d"], k["p"] * e * k["g"] / half**2 - k["m"] * e]
    return np.array([effectors, [-k["n"] * t, k["a"] * (1.0 - 2.0 * k["b"] * t) - k["n"] * e]])


def kuznetsov_fixed_points(k: Mapping[str, float] = KUZNETSOV) -> list[tuple[float, float]]:
    """(E, T), tumour-free first, then by size: with E = a (1 - b T) / n the rest is a cubic in T."""
    poly = np.polynomial.Polynomial
    t, one = poly([0.0, 1.0]), poly([1.0])
    e = k["a"] / k["n"] * (one - k["b"] * t)
    cubic = (k["s"] * one - k["m"] * e * t - k["d"] * e) * (k["g"] * one + t) + k["p"] * e * t
    found = np.asarray(cubic.roots(), dtype=complex)
    roots = [float(z.real) for z in found if abs(z.imag) < 1e-6 * abs(z) and z.real > 0.0]
    return [(k["s"] / k["d"], 0.0)] + [(k["a"] * (1.0 - k["b"] * z) / k["n"], z) for z in sorted(roots)]


DE_PILLIS = {  # de Pillis 2005, doi:10.1158/0008-5472.CAN-05-0564: what the four pairs share
    "a": 0.514, "b": 1.02e-9, "sigma": 1.3e4, "f": 4.12e-2, "h": 2.02e7, "p": 1e-7, "m": 2e-2, "k": 2.02e7,
    "q": 3.42e-10, "r": 1.1e-7,
}  # fmt: skip
DE_PILLIS_PAIRS = {
    "nn": {"c": 3.23e-7, "g": 2.5e-2, "j": 3.75e-2, "d": 1.43, "lam": 0.58, "s": 2.73},
    "nl": {"c": 3.23e-7, "g": 2.5e-2, "j": 3.75e-2, "d": 3.6, "lam": 0.46, "s": 1.61},
    "ln": {"c": 3.5e-6, "g": 0.2, "j": 0.113, "d": 3.51, "lam": 0.9, "s": 5.07},
    "ll": {"c": 3.5e-6, "g": 0.2, "j": 0.3, "d": 7.17, "lam": 0.75, "s": 0.4},
}


def de_pillis(_: float, x: Vector, pair: str) -> Vector:
    """(T', N', L') with the kill term in the form that is finite at zero."""
    k = DE_PILLIS | DE_PILLIS_PAIRS[pair]
    t, n, cd8 = np.maximum(x, 0.0)
    below = k["s"] * t ** k["lam"] + cd8 ** k["lam"]
    kills = k["d"] * t * cd8 ** k["lam"] / below if below > 0.0 else 0.0
    return np.array([
        k["a"] * t * (1.0 - k["b"] * t) - k["c"] * n * t - kills,
        k["sigma"] - k["f"] * n + k["g"] * t * t / (k["h"] + t * t) * n - k["p"] * n * t,
        -k["m"] * cd8 + k["j"] * kills**2 / (k["k"] + kills**2) * cd8 - k["q"] * cd8 * t + k["r"] * n * t,
    ])  # fmt: skip
