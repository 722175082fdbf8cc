"""tau_leap: order, laws where leaps pay and where they do not, conservation, counts that stay counts, statuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Observable
from drive import Drive
from networks import network

FALSE_ALARM = 1e-6
Z = float(-stats.norm.ppf(FALSE_ALARM / 2))

HALF_FULL = Observable("full", None, "first_passage", {"when": parse("a >= level")}, "d", realised="passage")
COLONY = network(
    "colony", {"a": 20.0}, {"birth": 0.0, "death": 1.0, "source": 10.0, "level": 1e300},
    {"born": ("a -> 2 a", "birth"), "dies": ("a ->", "death"), "comes": ("-> a", "source")}, (HALF_FULL,),
)  # fmt: skip
CLOSED = network(
    "closed", {"a": 3000.0, "b": 2000.0, "c": 0.0, "d": 0.0},
    {"join": 1e-3, "part": 0.5, "pair": 1e-4, "fall": 1.0},
    {"joins": ("a + b -> c", "join"), "parts": ("c -> a + b", "part"),
     "pairs": ("2 a -> d", "pair"), "falls": ("d -> 2 a", "fall")},
)  # fmt: skip
BLOW_UP = network(
    "blow_up", {"a": 50.0}, {"grow": 1e-2, "death": 0.1}, {"more": ("2 a -> 3 a", "grow"), "dies": ("a ->", "death")}
)


@pytest.fixture(scope="module")
def kernel() -> Any:
    nets = {"colony": COLONY, "closed": CLOSED, "blow_up": BLOW_UP}
    return {name: link(net, "tau_leap").compile().module for name, net in nets.items()}


def colony(kernel: Any, grid: Any, count: int, start: float, **changes: Any) -> Drive:
    settings = {k: changes.pop(k) for k in ("epsilon", "max_steps") if k in changes}
    values = {"a__initial": start} | changes
    return Drive(kernel["colony"], COLONY, grid, count=count, seed=seed_of(), values=values, **settings).go()


def test_weak_order_is_one(kernel: Any) -> None:
    """Bias of the mean of a growing and shrinking colony against its closed form, at three epsilons: slope 1."""
    birth, death, source, start, t = 1.0, 1.2, 2000.0, 5000.0, 2.0
    rate = birth - death
    exact = (start + source / rate) * np.exp(rate * t) - source / rate
    sizes, count = np.array([0.1, 0.05, 0.025]), 12_000
    bias, error = [], []
    for epsilon in sizes:
        run = colony(kernel, [0.0, t], count, start, birth=birth, death=death, source=source, epsilon=epsilon)
        x = run.state[:, -1, 0]
        bias.append(x.mean() - exact)
        error.append(x.std() / count**0.5)
    slopes = np.diff(np.log(bias)) / np.diff(np.log(sizes))
    slack = Z * np.hypot(*(np.array(error) / np.array(bias))[[0, 2]]) / np.log(4.0)
    whole = np.log(bias[0] / bias[2]) / np.log(4.0)
    assert (np.array(bias) > Z * np.array(error)).all(), slopes
    assert abs(whole - 1.0) < 0.2 + slack
    assert slack < 0.3


def test_small_numbers_are_exact(kernel: Any) -> None:
    """Where leaping does not pay, events are those of the exact process: Poisson at every save, from nothing."""
    run = colony(kernel, [0.0, 0.4, 3.0], 20_000, 0.0)
    for save, t in ((1, 0.4), (2, 3.0)):
        mean = 10.0 * (1.0 - np.exp(-t))
        seen = np.bincount(run.state[:, save, 0].astype(int), minlength=60)
        expected = stats.poisson(mean).pmf(np.arange(len(seen))) * len(run.state)
        keep = expected > 8.0
        chi2 = ((seen - expected)[keep] ** 2 / expected[keep]).sum()
        assert stats.chi2(keep.sum() - 1).sf(chi2) > FALSE_ALARM


def test_stationary_variance_of_a_large_colony(kernel: Any) -> None:
    """Immigration and death: Poisson; the variance is above the mean by what a leap of 10 epsilon of a stay adds."""
    mean, epsilon = 20_000.0, 0.03
    run = colony(kernel, [0.0, 4.0], 6000, mean, source=mean, epsilon=epsilon)
    x = run.state[:, -1, 0]
    assert abs(x.mean() - mean) < Z * (mean / len(x)) ** 0.5 * 1.2
    spread = x.var() / mean
    noise = Z * (2.0 / len(x)) ** 0.5
    assert 1.0 - noise < spread < 1.0 / (1.0 - 5.0 * epsilon) + noise


def test_conservation_is_exact_and_nothing_is_negative(kernel: Any) -> None:
    """Two laws of conservation hold in every row, whole numbers, at coarse and fine leaps."""
    rng = np.random.default_rng(seed_of())
    count = 300
    starts = ("a__initial", "b__initial", "d__initial")
    values = {name: np.floor(10.0 ** rng.uniform(0.0, 5.0, count)) for name in starts}
    values |= {name: 10.0 ** rng.uniform(-5.0, 1.0, count) for name in ("join", "pair")}
    grid = np.linspace(0.0, 2.0, 9)
    for epsilon in (0.1, 0.03):
        run = Drive(kernel["closed"], CLOSED, grid, count=count, seed=seed_of(), values=values, epsilon=epsilon,
                    max_steps=3000).go()  # fmt: skip
        a, b, c, d = np.moveaxis(run.state, 2, 0)
        known = ~np.isnan(a)
        assert known.mean() > 0.9
        for whole in (b + c, a + c + 2.0 * d):
            assert_array_equal(whole[known], np.broadcast_to(whole[:, :1], whole.shape)[known])
        assert (run.state[known] >= 0.0).all()
        assert (run.state[known] == np.floor(run.state[known])).all()


def test_first_passage_time(kernel: Any) -> None:
    """A colony that only dies passes no level upwards; one that grows passes it when the exact one does."""
    start, level, birth = 400.0, 4000.0, 1.0
    run = colony(kernel, [0.0, 6.0], 3000, start, birth=birth, death=0.0, source=0.0, level=level, epsilon=0.01)
    # a pure birth process: the sum of exponential waits of rates birth k, k from start to level - 1
    k = np.arange(start, level)
    mean, deviation = (1.0 / (birth * k)).sum(), ((1.0 / (birth * k)) ** 2).sum() ** 0.5
    times = run.passed[:, 0]
    assert (times < 6.0).all()
    assert abs(times.mean() - mean) < Z * deviation / len(times) ** 0.5 + 0.01
    assert abs(times.std() / deviation - 1.0) < 0.1
    none = colony(kernel, [0.0, 6.0], 50, start, source=0.0, level=level)
    assert (none.passed == np.inf).all()


def test_statuses(kernel: Any) -> None:
    """Extinct is filled with what it is; a rate of zero stands still; a blow-up and a bad number end with a status."""
    gone = colony(kernel, np.linspace(0.0, 200.0, 5), 60, 30.0, source=0.0)
    assert (gone.status == 1).all()
    assert (gone.state[:, -1] == 0.0).all()
    assert not np.isnan(gone.rows).any()
    still = colony(kernel, [0.0, 1.0, 9.0], 5, 7.0, source=0.0, death=0.0)
    assert (still.status == 1).all()
    assert (still.state == 7.0).all()
    wrong = colony(kernel, [0.0, 1.0], 3, 9.0, source=np.array([10.0, np.nan, -1.0]))
    assert wrong.status.tolist() == [0, 2, 2]
    run = Drive(kernel["blow_up"], BLOW_UP, [0.0, 1.0, 30.0], count=40, seed=seed_of(), max_steps=20_000).go()
    assert set(run.status.tolist()) <= {0, 1, 3, 4, 6}
    assert (run.status >= 3).sum() > 20
    assert np.isnan(run.rows[run.status >= 3, -1]).all()
    capped = colony(kernel, [0.0, 500.0], 3, 50.0, max_steps=4)
    assert (capped.status == 4).all()
