"""Rare events: weighted trajectories beside closed laws and backward equations, down to chances of 1e-8."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import oracles
from arms import uncompiled
from chance import FALSE_ALARM, assert_fraction, assert_mean, fraction_size, mean_size, seed_of
from ctcdyn import analysis
from ctcdyn.analysis import event_chance, event_share
from ctcdyn.codegen.kernel import link
from ctcdyn.ensemble import Ensemble, Range, run_range
from ctcdyn.errors import CtcError, Status
from ctcdyn.model.importance import read_tilted
from ctcdyn.model.network import Network
from ctcdyn.rarity import chance, weighted_median
from ctcdyn.results import Results
from ctcdyn.simulation import Model
from ctcdyn.weights import Ratio
from instances import content
from networks import relapse, seeding
from relapses import TOY

DAYS = [0.0, 10.0, 40.0]


def ended(net: Network) -> Network:
    """The same, each trajectory over at its event."""
    (event,) = net.observables
    return replace(net, observables=(replace(event, options={**event.options, "stop": True}),))


# ---- chances of a relapse in the toy set, from 1e-3 to 1e-9 -----------------------------------------------------
SHARE = 0.1  # a day, drawn of the 0.6 at which cells in tissue meet their fate: 0.8 founders in a patient
SPREAD = 3.4  # standard deviation of w f over its mean, measured with that; 1 / sqrt(p) by plain sampling


@cache
def toy() -> Model:
    return Model(ended(relapse()))


def founders(rate: float) -> tuple[dict[str, float], dict[str, float], float]:
    """Parameters with cells that settle at `rate` a day and fall asleep at twice that, importance, P(relapse by 40)."""
    rates = {"k_TG": rate, "k_TD": 2.0 * rate}
    exact = 1.0 - oracles.no_relapse({**TOY, **rates}, lambda _: TOY["source"], 10.0, DAYS[-1])
    theta = SHARE / (3.0 * rate)
    return rates, {"settle": theta, "sleep": theta}, exact


@cache
def rare(rate: float, method: str, n: int, seed: int) -> Results:
    rates, importance, _ = founders(rate)
    return toy().simulate(
        DAYS, method=method, n=n, seed=seed, parameters=rates, importance=importance, keep="none", threads=1
    )


@pytest.mark.parametrize("rate", [1.5e-4, 1.5e-7, 1.5e-9])
def test_chances_of_a_thousandth_to_a_hundred_millionth(rate: float) -> None:
    """Within 5 % of the backward equations, as is stated, from 3e5 trajectories; of 1e-3 plain sampling as well."""
    exact = founders(rate)[2]
    assert {1.5e-4: 9e-4, 1.5e-7: 9e-7, 1.5e-9: 9e-9}[rate] < exact < 7.0 * rate
    n = mean_size(SPREAD, 0.05)
    found = rare(rate, "direct", n, seed_of())
    hit = found.event_observed[:, 0] == 1
    assert_mean(found.weight * hit / exact, 1.0, sd=SPREAD, detect=0.05)
    told = event_chance(found, "relapse")
    assert_allclose([told.value, told.n, told.seen], [(found.weight * hit).mean(), n, hit.sum()], rtol=1e-12)
    assert_allclose(told.gain, 1.0 / exact / (n * (told.error / exact) ** 2), rtol=0.2)
    assert told.gain > 0.05 / exact
    early = event_chance(found, "relapse", by=20.0)
    earlier = 1.0 - oracles.no_relapse({**TOY, **founders(rate)[0]}, lambda _: TOY["source"], 10.0, 20.0)
    assert abs(early.value - earlier) < stats.norm.isf(FALSE_ALARM / 2) * early.error < 0.15 * earlier


def test_plain_sampling_finds_the_same_thousandth() -> None:
    """Nothing drawn more often than it happens: all weights are 1, to the last bit."""
    rates, importance, exact = founders(1.5e-4)
    n = fraction_size(exact, 0.4 * exact)
    plain = toy().simulate(
        DAYS, method="direct", n=n, seed=seed_of(), parameters=rates, importance=dict.fromkeys(importance, 1.0),
        keep="none",
    )  # fmt: skip
    assert (plain.weight == 1.0).all()
    assert_fraction(plain.event_observed[:, 0], exact, detect=0.4 * exact)
    told = event_chance(plain, "relapse")
    assert_allclose([told.value, told.effective, told.gain], [told.seen / n, told.seen, 1.0], rtol=1e-5)


def test_the_mean_weight_is_one() -> None:
    """The weight is also that of trajectories that their event ended, or in which nothing can happen any more."""
    found = rare(1.5e-4, "direct", mean_size(1.4, 0.05), seed_of())
    assert_mean(found.weight, 1.0, sd=1.4, detect=0.05)
    assert {Status.STOPPED, Status.EXTINCT} <= found.counts.keys()


# ---- a Poisson number of cells, each with three fates: second moments in closed form --------------------------
@cache
def leaping() -> Model:
    return Model(seeding())


def second_moment(cells: float, p: float, theta: float) -> float:
    """E'[w^2] of a Poisson number of cells: each has p / theta + (1 - p) / c."""
    return math.exp(cells * (p / theta + (1.0 - p) ** 2 / (1.0 - theta * p) - 1.0))


FEW, MANY = (3.0, 2e5, 3200), (30_000.0, 30.0, 1500)


@pytest.mark.parametrize("case", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("method", ["tau_leap", "first_order_leap"])
def test_leaps_carry_the_same_weights(method: str, case: tuple[float, float, int]) -> None:
    """Mean 1 and the variance known; of few cells P(a founder) = 3e-6, of many, over which methods leap, 3 %."""
    cells, theta, n = case
    p = 1e-6
    sd = math.sqrt(second_moment(cells, p, theta) - 1.0)
    found = leaping().simulate(
        [0.0, 60.0], method=method, n=max(n, mean_size(sd, 0.2)), seed=seed_of(), importance={"settle": theta},
        parameters={"arrivals": cells / 10.0}, threads=1,
    )  # fmt: skip
    assert_mean(found.weight, 1.0, sd=sd, detect=0.2)
    assert_allclose(found.weight.std(), sd, rtol=0.25)
    exact = -math.expm1(-cells * p)
    told = event_share(found, "found")
    assert abs(told.value - exact) < stats.norm.isf(FALSE_ALARM / 2) * told.error < 0.4 * exact
    for name, mean in (("settle__fired", cells * p), ("die__fired", cells * 0.75 * (1.0 - p))):
        each = analysis.mean(found, name, 60.0)
        assert abs(each.value - mean) < stats.norm.isf(FALSE_ALARM / 2) * each.error < 0.4 * mean
    counts = found.values("settle__fired")[:, -1]
    share = found.params[0, found.parameter.index("tissue__rest")]
    others = found.values("leave__fired")[:, -1] + found.values("die__fired")[:, -1]
    assert_allclose(share, 1.0 - (theta - 1.0) * p / (1.0 - p), rtol=1e-14)
    assert_allclose(found.weight, theta**-counts * share**-others, rtol=1e-9)
    assert not {"var", "obs_var", "p_extinct", "quantiles", "obs_quantiles"} & set(found.names)
    with pytest.raises(CtcError, match="trajectories have weights"):
        found.quantiles  # noqa: B018


def test_hybrid_without_a_threshold_draws_what_direct_draws(tmp_path: Path) -> None:
    """Bit for bit, weights too; nothing is compiled for it."""
    made, problems = read_tilted(seeding(), {"settle": 2e5})
    assert not problems
    ensemble = Ensemble(
        network=made, seed=3, count=24, times=np.array([0.0, 5.0, 60.0]), keep=24, state_dtype="f8",
        switch=(1e16, 1e16), sketched=False,
    )  # fmt: skip
    both = []
    for method in ("direct", "hybrid"):
        with np.errstate(all="ignore"):
            both.append(content(uncompiled(link(made, method, width=3), tmp_path), ensemble))
    assert_array_equal(both[0]["state"], both[1]["state"])
    assert_array_equal(both[0]["root_mean"], both[1]["root_mean"])


def test_a_ratio_is_never_a_number_that_looks_right() -> None:
    made, _ = read_tilted(seeding(), {"settle": 1e3})
    values = np.repeat(made.parameter_values()[None, :], 3, axis=0)
    values[1, made.index("p")] = 0.5  # nothing left
    counts = np.zeros((3, 5))
    counts[0] = 0.0, 0.0, 2.0, 1.0, 3.0
    counts[2, 2:] = 0.0, 0.0, 1e9
    ratio = Ratio(made, values, 3)
    found = ratio.of(counts, 0)
    assert_allclose(found[0], 1e-6 * (1.0 - 999.0 * 1e-6 / (1.0 - 1e-6)) ** -4.0, rtol=1e-12)
    assert np.isnan(found[1:]).all()


def test_chances_of_weighted_trajectories_by_hand() -> None:
    weights = np.array([0.5, 0.5, 2.0, 1.0])
    every = np.ones(4, bool)
    one = chance(weights, np.array([True, True, False, False]), every, 0.95)
    assert_allclose([one.value, one.effective, one.largest], [0.25, 2.0, 0.5])
    assert_allclose(one.error, np.std([0.5, 0.5, 0.0, 0.0], ddof=1) / 2.0)
    assert_allclose(one.low * one.high, one.value**2)
    assert one.few
    part = chance(weights, np.array([True, True, False, False]), np.array([True, True, True, False]), 0.95)
    assert_allclose(part.value, 1.0 / 3.0)
    none = chance(weights, ~every, every, 0.95)
    assert none.value == 0.0
    assert np.isnan(none.high)
    assert np.isnan(chance(weights, every, ~every, 0.95).value)
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([5.0, 1.0, 1.0])) == 3.0


def test_a_range_gives_the_weights_of_its_rows() -> None:
    """One leaf of many gives what the whole run gives."""
    found = rare(1.5e-4, "direct", mean_size(1.4, 0.05), 5)
    rates, importance, _ = founders(1.5e-4)
    made, _ = read_tilted(toy().network, importance)
    made = made.with_values(rates)
    kernel = link(made, "direct").compile()
    ensemble = Ensemble(network=made, seed=5, count=len(found.weight), times=np.array(DAYS), sketched=False)
    (part,) = run_range(kernel, ensemble, Range(512, 256))
    assert_array_equal(part.weight, found.weight[512:768])
