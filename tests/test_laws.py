"""Laws of the exact process, by the whole path (`Model.simulate`), against closed forms and the master equation.

Statistical, with false-alarm rates and detectable errors declared in `chance.py`; seeds come from the tests' ids.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.integrate import quad

import oracles
from chance import (
    assert_cdf,
    assert_fraction,
    assert_mean,
    assert_variance,
    cdf_size,
    fraction_size,
    mean_size,
    seed_of,
    variance_size,
)
from ctcdyn import load_model
from ctcdyn.model.network import Network
from ctcdyn.simulation import Model
from networks import dimers, mutation, network, rhythm


@cache
def shipped(name: str) -> Model:
    return load_model(name)


@cache
def small(make: Callable[[], Network]) -> Model:
    return Model(make())


def simulate(model: Model, times: list[float], n: int, **options: Any) -> Any:
    return model.simulate(times, method="direct", n=n, quantiles=(), **{"seed": seed_of(), **options})


def counts(model: Model, t: float, n: int, **options: Any) -> np.ndarray:
    """State at t (n, S); every trajectory must be sound."""
    result = simulate(model, [0.0, t], n, **options)
    assert set(np.unique(result.status)) <= {0, 1}
    return np.asarray(result.state[:, 1])


def steps(pmf: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of a law on 0, 1, 2 ..."""
    cdf = np.concatenate([[0.0], np.cumsum(pmf)])
    return lambda x: cdf[np.clip(np.floor(np.asarray(x)).astype(int) + 1, 0, len(cdf) - 1)]


BIRTH, DEATH, ARRIVAL = 1.0, 0.8, 0.5  # the figures of T1 and T2
RATES = {"birth": BIRTH, "death": DEATH}


def bdi(arrival: float) -> dict[str, float]:
    """Parameters of the shipped model by role, whatever it calls them."""
    net = shipped("birth_death_immigration").network
    roles = {"arrive": arrival, "divide": BIRTH, "die": DEATH}
    return {next(iter(oracle_names(net, r))): x for r, x in roles.items()}


def oracle_names(net: Network, reaction: str) -> set[str]:
    from ctcdyn.model.expr import names

    law = net.reactions[net.index(reaction)].k
    assert law is not None
    return set(names(law)) & set(net.parameter_names)


def test_birth_death_immigration_is_negative_binomial() -> None:
    """T1 at day 5: the whole law, its moments and the empty share."""
    truth = oracles.birth_death_immigration(BIRTH, DEATH, ARRIVAL, 5.0)
    n = max(cdf_size(0.008), mean_size(np.sqrt(truth["var"]), 0.05), variance_size(0.06, 21.0))
    x = counts(shipped("birth_death_immigration"), 5.0, n, parameters=bdi(ARRIVAL), initial={"colony": 0})[
        :, 0
    ]
    pmf = oracles.birth_death_immigration_pmf(BIRTH, DEATH, ARRIVAL, 5.0, int(x.max()) + 2)
    assert_cdf(x, steps(pmf), detect=0.008)
    assert_mean(x, truth["mean"], sd=np.sqrt(truth["var"]), detect=0.05)
    assert_variance(x, truth["var"], detect=0.06, kurtosis=21.0)
    assert_fraction(x[: fraction_size(truth["p0"], 0.01)] == 0, truth["p0"], detect=0.01)


def test_birth_death_from_one_cell() -> None:
    """T2 at day 5, and the extinct trajectories say so: status 1, filled exactly."""
    truth = oracles.birth_death(BIRTH, DEATH, 5.0)
    n = max(fraction_size(truth["p0"], 0.005), mean_size(np.sqrt(truth["var"]), 0.05))
    result = simulate(
        shipped("birth_death_immigration"), [0.0, 5.0, 6.0], n, parameters=bdi(0.0), initial={"colony": 1}
    )
    x = result.state[:, 1, 0]
    assert_fraction(x == 0, truth["p0"], detect=0.005)
    assert_mean(x, truth["mean"], sd=np.sqrt(truth["var"]), detect=0.05)
    gone = result.state[:, 2, 0] == 0
    assert_array_equal(result.status, np.where(gone, 1, 0))
    ever = counts(
        shipped("birth_death_immigration"), 60.0, 20_000, parameters=bdi(0.0) | dying(), initial={"colony": 3}
    )
    assert (ever == 0).all()  # deaths five times as frequent as births


def test_initial_values_are_data() -> None:
    """Another start on the same model object, with and without parameters."""
    for start in (0, 500, 3):
        for values in ({}, bdi(0.0)):
            x = simulate(
                shipped("birth_death_immigration"),
                [0.0, 1e-9],
                2,
                parameters=values,
                initial={"colony": start},
            )
            assert_array_equal(x.state[:, 0, 0], start)


def dying() -> dict[str, float]:
    net = shipped("birth_death_immigration").network
    return {next(iter(oracle_names(net, "die"))): 5.0 * BIRTH}


def arrivals(t: float) -> float:
    """Rate of arrival in `rhythm`, 1/day."""
    return 40.0 * (1.0 + 0.8 * np.sin(2.0 * np.pi * t)) * (1.0 if t < 0.85 else 0.3)


def test_inhomogeneous_arrivals_are_poisson() -> None:
    """T4: M_t/M/infinity. Thinning (sine) and carry-over (step): exact mean and law at any time."""
    times = [0.3, 0.85, 1.6]
    n = cdf_size(0.006)
    result = simulate(small(rhythm), [0.0, *times], n)
    for j, t in enumerate(times):
        pieces = [(0.0, min(t, 0.85)), (0.85, t)] if t > 0.85 else [(0.0, t)]
        mean = sum(expected(a, b, t) for a, b in pieces)
        x = result.state[:, j + 1, 0]
        assert_mean(x, mean, sd=np.sqrt(mean), detect=8.0 * np.sqrt(mean / n))
        assert_cdf(x, stats.poisson(mean).cdf, detect=0.006)


def expected(a: float, b: float, t: float) -> float:
    """Cells there at t that came between a and b."""
    return float(quad(lambda s: arrivals(s) * np.exp(-1.7 * (t - s)), a, b, epsrel=1e-12)[0])


def test_luria_delbrueck() -> None:
    """T10 with one mutation expected by day 14, and the time of the first mutant, which is known too."""
    days, rate = 14.0, 1.0 / np.expm1(14.0)
    n = cdf_size(0.006)
    result = simulate(small(mutation), [0.0, days], n, parameters={"rate": rate}, window=0.25)
    x = result.state[:, 1, 0]
    law = steps(oracles.luria_delbrueck(1.0, 3000))
    assert_cdf(np.minimum(x, 2500.0), lambda v: np.where(np.asarray(v) >= 2500.0, 1.0, law(v)), detect=0.006)
    first, seen = result.event_time[:, 0], result.event_observed[:, 0]
    assert_array_equal(seen == 1, x > 0)
    assert_allclose(first[seen == 0], days)
    assert_cdf(
        first,
        lambda t: np.where(np.asarray(t) >= days, 1.0, -np.expm1(-rate * np.expm1(np.asarray(t)))),
        detect=0.006,
    )


SET_K = {"k_ext": 0.5, "d_B": 1.5, "k_TD": 0.3, "k_TG": 0.1, "d_T": 0.6, "k_R": 0.05, "d_D": 0.02, "b": 0.5,
         "d": 0.3, "k_GD": 0.1}  # fmt: skip
CASCADE: list[tuple[int | None, str, dict[int, int], str]] = [
    (0, "k_ext", {0: -1, 1: 1}, "B -> T"), (0, "d_B", {0: -1}, "B ->"), (1, "k_TD", {1: -1, 2: 1}, "T -> D"),
    (1, "k_TG", {1: -1, 3: 1}, "T -> G"), (1, "d_T", {1: -1}, "T ->"), (2, "k_R", {2: -1, 3: 1}, "D -> G"),
    (2, "d_D", {2: -1}, "D ->"), (3, "b", {3: 1}, "G -> 2 G"), (3, "d", {3: -1}, "G ->"),
    (3, "k_GD", {3: -1, 2: 1}, "G -> D"),
]  # fmt: skip


def cascade() -> Network:
    """Toy set K: blood, tissue, dormant, growing; the source ends at day 10."""
    reactions = {"shed": ("-> B", "2 * (t < 10)")}
    reactions |= {f"{name}_{at}": (equation, name) for at, (_, name, _, equation) in enumerate(CASCADE)}
    return network("cascade", dict.fromkeys("BTDG", 0.0), SET_K, reactions)


def moments(mean: np.ndarray, cov: np.ndarray, source: float, t: float) -> tuple[np.ndarray, np.ndarray]:
    law = [(driver, SET_K[name], change) for driver, name, change, _ in CASCADE]
    return oracles.first_order_moments([*law, (None, source, {0: 1})], mean, t, cov)


def test_first_order_network_has_the_closed_moments() -> None:
    """T5: means and all covariances of set K at days 10 and 20, through the end of the source."""
    n = 200_000
    result = simulate(small(cascade), [0.0, 10.0, 20.0], n)
    at10 = moments(np.zeros(4), np.zeros((4, 4)), 2.0, 10.0)
    at20 = moments(*at10, 0.0, 10.0)
    assert_allclose(at20[0], [2.06e-9, 4.54e-5, 2.66010461, 4.50252560], rtol=2e-3)
    for j, (mean, cov) in ((1, at10), (2, at20)):
        x = result.state[:, j]
        assert_close_moments(x, mean, cov)


def test_shipped_linear_model_has_the_closed_moments() -> None:
    """T5 on ctc_linear at day 100, from the rates as the file gives them."""
    model = shipped("ctc_linear")
    net = model.network
    values = dict(zip(net.parameter_names, net.parameter_values().tolist(), strict=True))
    from ctcdyn.model.expr import evaluate

    law = []
    for r in net.reactions:
        assert r.k is not None
        law.append((r.reactants[0][0] if r.reactants else None, float(evaluate(r.k, values)), dict(r.change)))
    start = net.initial_values()
    mean, cov = oracles.first_order_moments(law, start, 100.0)
    assert_close_moments(counts(model, 100.0, 2500), mean, cov)


def assert_close_moments(x: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> None:
    """Means, and every covariance as the mean of a product, each at the false-alarm rate of `chance`."""
    centred = x - mean
    for s in range(len(mean)):
        if mean[s] < 1e-3:  # nothing to count
            assert x[:, s].mean() < 1e-2
            continue
        sd = float(np.sqrt(cov[s, s]))
        assert_mean(x[:, s], mean[s], sd=sd, detect=8.0 * sd / np.sqrt(len(x)))
        for z in range(s + 1):
            if mean[z] >= 1e-3:
                product = centred[:, s] * centred[:, z]
                spread = float(product.std())
                assert_mean(product, cov[s, z], sd=spread, detect=8.0 * spread / np.sqrt(len(x)))


def test_bimolecular_network_is_the_master_equation() -> None:
    """2 A -> B, A + B -> C, C -> 3 A: the joint law of all three counts on a box that loses nothing."""
    net = dimers(7, 2)
    box = (14, 8, 6)

    def propensity(x: tuple[int, ...]) -> list[float]:
        a, b, c = x
        return [0.05 * a * (a - 1) / 2.0, 0.04 * a * b, 0.6 * c]

    changes = [(-2, 1, 0), (-1, -1, 1), (3, 0, -1)]
    law, lost = oracles.master_equation(changes, propensity, (7, 2, 0), box, [1.5, 6.0])
    assert lost < 1e-9
    n = cdf_size(0.006)
    result = simulate(Model(net), [0.0, 1.5, 6.0], n)
    for j in range(2):
        x = result.state[:, j + 1].astype(int)
        joint = np.ravel_multi_index(tuple(x.T), box)
        assert_cdf(joint, steps(law[j].ravel()), detect=0.006)
        expected = law[j].ravel() * n
        seen = np.bincount(joint, minlength=expected.size)
        often = expected > 20.0
        chi = ((seen - expected)[often] ** 2 / expected[often]).sum()
        chi += (seen[~often].sum() - expected[~often].sum()) ** 2 / max(expected[~often].sum(), 1e-9)
        assert stats.chi2(often.sum()).sf(chi) > 1e-6


def test_pairs_of_an_odd_number_leave_one() -> None:
    """X + X with 7 of them: three pairs form, one is left for ever, and the trajectory is absorbed."""
    result = simulate(Model(dimers(7, 0)), [0.0, 50.0, 2000.0], 500, parameters={"join": 0.0, "part": 0.0})
    assert_array_equal(result.state[:, -1], np.tile([1.0, 3.0, 0.0], (500, 1)))
    assert set(result.status) == {1}
    assert_array_equal(result["n_reactions"], 3)


def test_nothing_can_happen() -> None:
    """Zero propensity from the start: absorbed at once, all rows the start, no event."""
    result = simulate(Model(dimers(1, 0)), [0.0, 1.0, 2.0], 300)
    assert_array_equal(result.state, np.tile([1.0, 0.0, 0.0], (300, 3, 1)))
    assert set(result.status) == {1}
    assert_array_equal(result["n_reactions"], 0)


def test_metastasis_of_the_quickstart() -> None:
    """The full model of 100 000 cells: every count binomial with the closed probabilities, days 1, 3 and 13."""
    mice, cells, days = 80, 100_000, [1.0, 3.0, 13.0]
    result = simulate(shipped("experimental_metastasis"), [0.0, *days], mice)
    for j, day in enumerate(days):
        p = oracles.metastasis_probabilities(day)
        assert_array_equal(result.state[:, j + 1].sum(axis=1), cells)
        for s, name in enumerate(oracles.METASTASIS_STATES):
            total = int(result.state[:, j + 1, s].sum())
            law = stats.binom(mice * cells, p[name])
            assert min(law.cdf(total), law.sf(total - 1)) > 5e-7, (
                f"{name} on day {day}: {total}, {law.mean():.6g}"
            )
            if p[name] * cells > 100:  # one mouse is binomial as well: the spread between mice
                spread = (
                    result.state[:, j + 1, s].var(ddof=1) / (cells * p[name] * (1.0 - p[name])) * (mice - 1)
                )
                assert min(stats.chi2(mice - 1).cdf(spread), stats.chi2(mice - 1).sf(spread)) > 5e-7
