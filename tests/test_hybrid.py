"""The hybrid method: `direct` where nothing is continuous, an ODE where all is, and the right law in between."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import oracles
from chance import assert_cdf, assert_fraction, cdf_size, fraction_size, seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.errors import Status
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Network, Observable, Treatment
from drive import Drive
from flow import flow
from instances import compiled, small
from networks import network

NEVER = (np.inf, np.inf)
ALWAYS = (0.0, 0.0)


@cache
def kernel() -> ModuleType:
    """Of the menagerie; the others are those of tests/test_same_bits.py, compiled once for both."""
    return link(menagerie(), "hybrid").compile().module


def menagerie() -> Network:
    """Five small systems that know nothing of each other, in one kernel: each is at rest unless a test wakes it."""
    made = network(
        "menagerie",
        {"cells": 0.0, "x": 0.0, "y": 0.0, "guests": 0.0, "off": 0.0, "on": 0.0, "level": 0.0, "colony": 0.0,
         "seen": 0.0, "still": 0.0},
        {"loss": 1.0, "turn": 2.0, "feed": 0.0, "part": 1.3, "open": 0.7, "shut": 1.6, "divide": 0.5, "die": 0.3,
         "detect": 0.02, "slow": 1e-9, "eat": 0.0},
        {"vanish": ("cells ->", "loss"), "up": ("-> x", "=turn * y + 0 * x"), "down": ("-> y", "=-turn * x"),
         "arrive": ("-> guests", "=feed * (1 + x)"), "depart": ("guests ->", "part"), "open": ("off -> on", "open"),
         "shut": ("on -> off", "shut"), "make": ("-> level", "=on"), "fade": ("level ->", "1"),
         "divide": ("colony -> 2 colony", "divide"), "die": ("colony ->", "die"),
         "detect": ("colony -> colony + seen", "detect"), "wait": ("still ->", "slow"),
         "eat": ("level + still -> still", "eat")},
        observables=(
            Observable(
                "found", None, "first_passage", {"when": parse("seen >= 1"), "stop": True}, "d", realised="passage"
            ),
        ),
        treatments=(Treatment("refill", 5.0, set=((9, parse("still * 2")), (0, parse("cells + 100 * still")))),),
    )  # fmt: skip
    return replace(
        made, species=tuple(replace(s, continuous=s.name in ("x", "y", "level")) for s in made.species)
    )


@pytest.mark.parametrize("model", ["toy", "kuznetsov_1994"])
def test_without_continuous_species_it_is_direct_bit_for_bit(model: str) -> None:
    """A rhythm, treatments, a counter and a passage; rates that saturate and pairs that meet."""
    net, days = small(model)
    grid = np.linspace(0.0, days, 50)
    options = {"count": 100, "seed": seed_of(), "max_events": 3000}
    exact = Drive(compiled(model, "direct").module, net, grid, **options).go()
    hybrid = Drive(compiled(model, "hybrid").module, net, grid, switch=NEVER, **options).go()
    assert exact.work.sum() > 500
    assert hybrid.bytes() == exact.bytes()
    assert_array_equal(hybrid.logged, exact.logged)


@pytest.mark.parametrize("model", ["toy", "kuznetsov_1994"])
def test_with_all_continuous_it_is_the_ode(model: str) -> None:
    net, days = small(model)
    grid = np.linspace(0.0, days, 41)
    truth = flow(net, grid)
    module = compiled(model, "hybrid").module
    run = Drive(module, net, grid, count=2, seed=seed_of(), switch=ALWAYS, rtol=1e-9, atol=1e-9).go()
    assert_array_equal(run.status, [0, 0])
    assert run.work.max() < 2000
    assert_allclose(run.state[0], truth.state, rtol=1e-6, atol=1e-6)
    assert run.rows[0].tobytes() == run.rows[1].tobytes()
    passages = [truth.passed.get(o.name, np.inf) for o in net.observables if o.use == "first_passage"]
    assert_allclose(run.passed[0], passages, rtol=1e-6)


def woken(times: object, n: int, values: dict[str, object], **more: object) -> Drive:
    """A part of the menagerie."""
    run = Drive(kernel(), menagerie(), times, count=n, seed=seed_of(), values=values, **more).go()  # type: ignore[arg-type]
    assert set(run.status.tolist()) <= {Status.OK, Status.STOPPED}
    return run


def test_a_species_that_dies_away_turns_discrete_and_dies_out() -> None:
    """From 1000 by the ODE to 200, and from there one by one: binomial of 200 and 5 exp(-t), and then none."""
    n = cdf_size(0.02)
    grid = np.array([0.0, 0.5, 1.0, 1.5, 1.7, 4.0, 4.9, 40.0])
    cells = woken(grid, n, {"cells__initial": 1000.0}).state[:, :, 0]
    assert_allclose(cells[:, :4], np.tile(1000.0 * np.exp(-grid[:4]), (n, 1)), rtol=1e-4)
    assert_array_equal(cells[:, 4:] % 1.0, 0.0)
    assert_array_equal(cells[:, -1], 0.0)
    for j in (4, 5, 6):
        p = 5.0 * np.exp(-grid[j])
        assert_cdf(cells[:, j], lambda k, p=p: stats.binom.cdf(k, 200, p), detect=0.02)


def test_a_hazard_that_follows_continuous_species_gives_the_poisson_law() -> None:
    """x = cos(2 t) feeds guests: their number is Poisson with the mean of the linear equation, at every time."""
    n = cdf_size(0.02)
    run = woken([0.0, 1.1, 4.0], n, {"x__initial": 1.0, "feed": 6.0})
    assert_allclose(run.state[:, 1:, 1], np.tile(np.cos([2.2, 8.0]), (n, 1)), atol=1e-4)
    for j, at in enumerate((1.1, 4.0), 1):
        s = np.linspace(0.0, at, 20001)
        mean = float(np.trapezoid(6.0 * (1.0 + np.cos(2.0 * s)) * np.exp(-1.3 * (at - s)), s))
        assert_cdf(run.state[:, j, 3], lambda k, mean=mean: stats.poisson.cdf(k, mean), detect=0.02)


def test_a_drift_that_follows_a_switch_has_the_beta_law() -> None:
    """A level is made at rate 1 while a switch is on and fades at rate 1: beta (A. Hornos et al. 2005)."""
    run = woken([0.0, 30.0], cdf_size(0.02), {"off__initial": 1.0})
    assert_cdf(run.state[:, 1, 6], lambda x: stats.beta.cdf(x, 0.7, 1.6), detect=0.02)


@pytest.mark.parametrize("up", [100.0, 300.0, 1000.0])
def test_thresholds_leave_the_time_of_detection_alone(up: float) -> None:
    """From 3 cells: P(none detected by t) is the cube of the law of one lineage (backward Kolmogorov), T18."""
    run = woken([0.0, 60.0], fraction_size(0.4, 0.02), {"colony__initial": 3.0}, switch=(up, 0.4 * up))
    for t in (5.0, 15.0, 50.0):
        silent = oracles.lineage_silence(0.5, 0.3, 0.02, t) ** 3
        assert_fraction(run.passed[:, 0] > t, silent, detect=0.02)


def test_a_pinned_species_that_jumps_use_up_does_not_stop_the_clock() -> None:
    """What is left of it, and of the hazard that follows it, is rounding: hops must not shrink to resolve that."""
    run = woken([0.0, 2.0, 50.0], 40, {"level__initial": 5.0, "still__initial": 3.0, "eat": 1.0})
    assert run.work.max() < 500
    assert_allclose(run.state[:, 2, 6], 0.0, atol=1e-6)
    assert_array_equal(run.state[:, 2, 9], 6.0)  # doubled by the treatment


def test_a_timed_treatment_does_not_wait_for_a_reaction() -> None:
    """Nothing is likely to react for 1e8 days; the treatment comes at its time, and can wake a continuous species."""
    for still in (3.0, 30.0):
        run = woken([0.0, 4.999, 5.001, 5.1], 3, {"still__initial": still})
        assert_array_equal(run.state[:, :, 9], [[still, still, 2.0 * still, 2.0 * still]] * 3)
        assert_allclose(run.log[:, 0], 5.0)
        woke = 100.0 * still  # both values are of the state before
        assert_array_equal(run.state[:, 1, 0], 0.0)
        if woke >= 500.0:
            assert_allclose(run.state[:, 2, 0], woke * np.exp(-0.001), rtol=1e-5)
