"""First-order leap: its laws beside closed forms, moment equations and the exact process."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import poisson

import chance
import oracles
from chance import assert_cdf, assert_fraction, assert_mean, assert_same_law, seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import Lineage, describe
from ctcdyn.errors import CtcError
from ctcdyn.model.network import Network, Observable
from drive import Drive
from instances import compiled, small
from networks import dimers, network, relapse

WAVE = "(1 + swing * sin(2 * pi * t / 3))"
RATES = (
    "ab", "ba", "bc", "ca", "ag", "ch", "hg", "ga", "gb", "gd", "hb", "hd", "ad", "bd", "cd", "branch", "mark", "src",
    "two",
)  # fmt: skip


kernels: dict[tuple[str, str], Any] = {}


def module(net: Network, method: str = "first_order_leap") -> Any:
    """The kernel, compiled once for all tests of this page."""
    key = (net.name, method)
    if key not in kernels:
        kernels[key] = link(net, method).compile().module
    return kernels[key]


@cache
def web() -> Network:
    """Everything of first order: circles, divisions, branching, counters, sources of one cell and of two."""
    counters = tuple(
        Observable(name, None, "flux", {"reaction": r}, "1", realised="counter")
        for name, r in (("moved", "move"), ("left", "fall"))
    )
    return network(
        "web", {"a": 3.0, "b": 0.0, "c": 0.0, "g": 1.0, "h": 0.0, "seen": 0.0},
        {**dict.fromkeys(RATES, 0.0), "swing": 0.0},
        {
            "go": ("a -> b", f"ab * {WAVE}"), "back": ("b -> a", "ba"), "move": ("b -> c", "bc"),
            "turn": ("c -> a", "ca"), "found": ("a -> g", "ag"), "settle": ("c -> h", "ch"),
            "change": ("h -> g", "hg"), "sleep": ("g -> a", "ga"),
            "divide": ("g -> 2 g", f"gb * {WAVE}"), "fall": ("g ->", "gd"), "split": ("h -> 2 h", "hb"),
            "fade": ("h ->", "hd"), "die_a": ("a ->", "ad"), "die_b": ("b ->", "bd"), "die_c": ("c ->", "cd"),
            "make": ("b -> b + c", "branch"), "see": ("g -> g + seen", "mark"), "come": ("-> a", f"src * {WAVE}"),
            "pair": ("-> b + c", "two"),
        },
        observables=counters,
    )  # fmt: skip


def drawn_rates(seed: int) -> dict[str, float]:
    """A random network: a third of the reactions is not there, some are fast, every other is rhythmic."""
    random = np.random.default_rng(seed)
    rates = {q: float(random.choice([0, 1, 1]) * random.uniform(0.05, 0.6)) for q in RATES}
    rates |= {"gb": 0.6 * rates["gb"], "hb": 0.6 * rates["hb"], "src": 4.0 * rates["src"]}
    rates["swing"] = 0.8 * float(seed % 2)
    if seed % 5 == 2:
        rates |= {"ad": rates["ad"] + 20.0, "src": 20.0 * rates["src"]}
    return rates


@pytest.mark.parametrize("seed", range(10))
def test_random_networks_have_the_law_of_the_exact_process(seed: int) -> None:
    net, rates, n = web(), drawn_rates(seed), chance.law_size(0.05)
    runs = [
        Drive(module(net, method), net, [0.0, 1.3, 5.0], count=n, seed=seed_of(method), values=rates).go()
        for method in ("first_order_leap", "direct")
    ]
    for run in runs:
        assert set(run.status.tolist()) <= {0, 1}
        assert (run.rows >= 0.0).all()
        assert (run.rows == np.floor(run.rows)).all()
    leap, exact = (run.rows[:, -1] for run in runs)
    weights = np.array([1, 2, 3, 5, 7, 11, 13, 17])  # one number for the joint law
    assert_same_law(leap @ weights, exact @ weights, detect=0.05)
    for s in range(leap.shape[1]):
        assert_same_law(leap[:, s], exact[:, s], detect=0.05)
    assert_same_law(runs[0].rows[:, 1, :5].sum(axis=1), runs[1].rows[:, 1, :5].sum(axis=1), detect=0.05)


@cache
def colony() -> Network:
    return network(
        "colony", {"x": 0.0}, {"nu": 0.5, "b": 1.0, "d": 0.8},
        {"come": ("-> x", "nu"), "divide": ("x -> 2 x", "b"), "die": ("x ->", "d")},
    )  # fmt: skip


@pytest.mark.parametrize("saves", [2, 7])
def test_birth_death_and_immigration(saves: int) -> None:
    """T1, T2: negative binomial with immigrants, geometric from one cell; in one step or in several."""
    law, grid = oracles.birth_death_immigration(1.0, 0.8, 0.5, 5.0), np.linspace(0.0, 5.0, saves)
    pmf = np.cumsum(oracles.birth_death_immigration_pmf(1.0, 0.8, 0.5, 5.0, 2000))
    size = chance.cdf_size(0.02)
    kernel = module(colony())
    found = Drive(kernel, colony(), grid, count=size, seed=seed_of("immigrants")).go().state[:, -1, 0]
    assert_cdf(found, lambda x: np.where(x < 0, 0.0, pmf[np.clip(x, 0, 1999).astype(int)]), detect=0.02)
    assert_fraction(found == 0, law["p0"], detect=0.02)
    line = oracles.birth_death(1.0, 0.8, 5.0)
    values = {"nu": 0.0, "x__initial": 1.0}
    sd = np.sqrt(line["var"])
    size = max(chance.fraction_size(line["p0"], 0.015), chance.mean_size(sd, 0.2))
    found = Drive(kernel, colony(), grid, count=size, seed=seed_of("line"), values=values).go().state[:, -1, 0]
    assert_fraction(found == 0, line["p0"], detect=0.015)
    assert_mean(found, line["mean"], sd=sd, detect=0.2)


@cache
def blood() -> Network:
    return network(
        "blood", {"x": 0.0}, {"s": 30.0, "k": 3.0},
        {"come": ("-> x", "s * k * (1 + 0.7 * sin(2 * pi * t))"), "go": ("x ->", "k")},
    )  # fmt: skip


@pytest.mark.parametrize("k", [3.0, 36.0, 1440.0])
def test_blood_is_poisson_and_no_rate_shortens_a_step(k: float) -> None:
    """T4, T18: fed by a rhythm and cleared up to 1440 times a day: Poisson with the integrated mean, in equal steps."""
    run = Drive(module(blood()), blood(), [0.0, 0.4, 1.3], count=chance.cdf_size(0.02), seed=seed_of(), values={"k": k})
    run.go()
    for j, t in ((1, 0.4), (2, 1.3)):
        mean = oracles.blood_mean(lambda s: 30.0 * k * (1.0 + 0.7 * np.sin(2.0 * np.pi * s)), k, t)
        assert_cdf(run.state[:, j, 0], poisson(mean).cdf, detect=0.02)
    slow = Drive(module(blood()), blood(), [0.0, 0.4, 1.3], count=1, seed=1, values={"k": 0.5}).go()
    assert (run.work == slow.work[0]).all()


def test_means_and_variances_of_the_cascade() -> None:
    """T5, with a circle through a species that divides."""
    grid = [0.0, 10.0, 20.0]
    moments = [
        (None, 2.0, {0: 1}), (0, 0.5, {0: -1, 1: 1}), (0, 1.5, {0: -1}), (1, 0.3, {1: -1, 2: 1}),
        (1, 0.1, {1: -1, 3: 1}), (1, 0.6, {1: -1}), (2, 0.05, {2: -1, 3: 1}), (2, 0.02, {2: -1}), (3, 0.5, {3: 1}),
        (3, 0.3, {3: -1}), (3, 0.1, {3: -1, 2: 1}),
    ]  # fmt: skip
    fed = oracles.first_order_moments(moments, np.zeros(4), 10.0)
    assert_allclose(fed[0], (1.0, 0.4999546, 1.25283089, 1.04073544), rtol=1e-6)
    sd = np.sqrt(np.diag(fed[1]))
    size = chance.mean_size(1.0, 0.03)
    run = Drive(module(relapse()), relapse(), grid, count=size, seed=seed_of(), values={"eta": 0.0}).go()
    for s in range(4):
        assert_mean(run.state[:, 1, s], fed[0][s], sd=sd[s], detect=0.03 * sd[s])
    for s, mean, sd_late in ((2, 2.66010461, 5.24), (3, 4.50252560, 12.13)):
        assert_mean(run.state[:, 2, s], mean, sd=sd_late, detect=0.03 * sd_late)
    both = run.state[:, 1, 2] * run.state[:, 1, 3]
    product = fed[1][2, 3] + fed[0][2] * fed[0][3]
    assert_mean(both, product, sd=float(both.std()), detect=0.03 * float(both.std()))


def test_relapse_free_fractions_and_the_time_of_relapse() -> None:
    """T6; passages at their time, not at the end of a step."""
    grid, table = [0.0, 5.0, 10.0, 20.0, 40.0], (0.99135802, 0.94464299, 0.78316455, 0.61317743)
    run = Drive(module(relapse()), relapse(), grid, count=chance.fraction_size(0.5, 0.02), seed=seed_of()).go()
    assert set(run.status.tolist()) == {0}
    for j, free in enumerate(table, 1):
        assert_fraction(run.state[:, j, 4] == 0, free, detect=0.02)
    passed = run.passed[:, 0]
    assert ((passed <= 40.0) == (run.state[:, 4, 4] > 0)).all()
    for t in (13.0, 31.0):
        assert_fraction(passed > t, oracles.no_relapse(oracles.RELAPSE_TOY, lambda s: 2.0, 10.0, t), detect=0.02)


def test_one_line_until_it_is_seen() -> None:
    """T7: the chance that the line of one cell is not detected, in one step of ten days and of twenty."""
    values = {"s": 0.0, "k_GD": 0.0, "G__initial": 1.0}
    run = Drive(module(relapse()), relapse(), [0.0, 10.0, 20.0], count=chance.fraction_size(0.5, 0.01), seed=seed_of(),
                values=values).go()  # fmt: skip
    for j, t in ((1, 10.0), (2, 20.0)):
        free = oracles.lineage_silence(0.5, 0.3, 0.02, t)
        assert_fraction(run.state[:, j, 4] == 0, free, detect=0.01)
        assert_fraction(run.passed[:, 0] > t, free, detect=0.01)
    middle = oracles.lineage_silence(0.5, 0.3, 0.02, 5.0)
    assert_fraction(run.passed[:, 0] > 5.0, middle, detect=0.01)


def test_what_it_says_of_a_model() -> None:
    lines = describe(Lineage(Layout(relapse(), "mixed")))
    assert lines[0].startswith("B: passes")
    assert lines[0].endswith("exact")
    assert "detect at exact times" in lines[3]
    assert lines[4] == "seen: adds up: counted exactly; exact"
    with pytest.raises(CtcError, match="uses up 1 A and 1 B at once"):
        link(dimers(), "first_order_leap")


def test_a_thousand_networks_never_go_below_zero() -> None:
    """Rates of every trajectory its own, over four decades; whole counts at every save, and no failure."""
    random, count = np.random.default_rng(seed_of()), 1000
    rates = {q: random.choice([0.0, 1.0], count) * 10.0 ** random.uniform(-3.0, 1.0, count) for q in RATES}
    rates |= {"gb": np.minimum(rates["gb"], 1.0), "hb": np.minimum(rates["hb"], 1.0)}
    rates |= {"swing": random.uniform(0.0, 1.0, count)}
    run = Drive(module(web()), web(), [0.0, 0.5, 2.0], count=count, seed=seed_of(), values=rates).go()
    assert set(run.status.tolist()) == {0}
    assert (run.rows >= 0.0).all()
    assert (run.rows == np.floor(run.rows)).all()


def test_rates_that_depend_on_counts() -> None:
    """A tumour under immune attack in a small volume: every rate for each cell is frozen in pairs of steps."""
    n = chance.law_size(0.06)
    net, days = small("kuznetsov_1994")
    runs = [
        Drive(compiled("kuznetsov_1994", method).module, net, [0.0, days], count=n, seed=seed_of(method)).go()
        for method in ("first_order_leap", "direct")
    ]
    for s in range(2):
        assert_same_law(runs[0].state[:, -1, s], runs[1].state[:, -1, s], detect=0.06)
    assert runs[0].work.max() < 0.1 * runs[1].work.mean()
