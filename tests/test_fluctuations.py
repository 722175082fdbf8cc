"""[[noise]]: white noise and Ornstein-Uhlenbeck factors in Langevin methods, a telegraph in methods for counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chance import assert_mean, assert_variance, seed_of
from ctcdyn import load_model
from ctcdyn.errors import CtcError
from ctcdyn.simulation import Model

HEAD = """schema = 1
[species]
x = { unit = "cells", initial = 500 }
[parameters]
source = { value = "500 cells/day", source = "assumed: a test" }
loss = { value = "1 /day", source = "assumed: a test" }
volatility = { value = "0.04 /day", source = "assumed: a test" }
sd = { value = 0.5, source = "assumed: a test" }
memory = { value = "0.25 day", source = "assumed: a test" }
share = { value = 0.2, source = "assumed: a test" }
pace = { value = "20 /day", source = "assumed: a test" }
[[reaction]]
name = "in"
equation = "-> x"
k = "source"
[[reaction]]
name = "out"
equation = "x ->"
k = "loss"
"""
WHITE = """[[noise]]
name = "weather"
kind = "white"
species = "x"
variance = "volatility * x * x"
source = "assumed: a test"
"""
OU = """[[noise]]
name = "mood"
kind = "ou"
parameter = "source"
sd = "sd"
time = "memory"
source = "assumed: a test"
"""
TELEGRAPH = """[[noise]]
name = "burst"
kind = "telegraph"
parameter = "source"
on_fraction = "share"
switching = "pace"
source = "assumed: a test"
"""


def model(folder: Path, *tables: str) -> Model:
    (folder / "noisy.model.toml").write_text(HEAD + "".join(tables), encoding="utf-8")
    return load_model(str(folder / "noisy.model.toml"))


def test_white_noise_and_a_correlated_factor_have_their_moments(tmp_path: Path) -> None:
    """dx = (c - k x) dt + sqrt(c + k x + v x^2) dW: variance (2 c m + 2 c) / (2 k - v) - m^2; the factor has mean 1."""
    found = model(tmp_path, WHITE, OU)
    assert found.network.species_names == ("x", "mood")
    times, n = [0.0, 8.0], 30_000
    given = {"sd": 0.0, "source": 500.0}
    alone = found.simulate(times, method="weak_trapezoidal", n=n, step=0.05, seed=seed_of(), parameters=given)
    variance = (2 * 500.0 * 500.0 + 2 * 500.0) / (2 - 0.04) - 500.0**2
    assert_mean(alone.state[:, 1, 0], 500.0, sd=variance**0.5, detect=5.0)
    assert_variance(alone.state[:, 1, 0], variance, detect=0.1)
    given = {"volatility": 0.0, "source": 5000.0}
    moody = found.simulate(times, method="weak_trapezoidal", n=n, step=0.05, seed=seed_of("2"), parameters=given)
    u = moody.state[:, 1, 1]
    assert_mean(u, 0.0, sd=0.5, detect=0.03)
    assert_variance(u, 0.25, detect=0.1)
    assert_mean(np.exp(u - 0.125), 1.0, sd=np.sqrt(np.expm1(0.25)), detect=0.03)
    # shot noise of a source with covariance S(t) = c^2 (exp(s^2 exp(-t / tau)) - 1), filtered by the loss
    t = np.linspace(0.0, 20.0, 200_001)
    filtered = 5000.0**2 * np.trapezoid(np.expm1(0.25 * np.exp(-t / 0.25)) * np.exp(-t), t)
    assert_mean(moody.state[:, 1, 0], 5000.0, sd=(filtered + 5000.0) ** 0.5, detect=75.0)
    assert_variance(moody.state[:, 1, 0], filtered + 5000.0, detect=0.15, kurtosis=5.0)


def test_a_telegraph_is_two_species_of_the_exact_process(tmp_path: Path) -> None:
    """Bursts of shedding: mean 1, Fano factor 1 + m (1 - f) / f k / (k + s) (J. Peccoud and B. Ycart 1995)."""
    found = model(tmp_path, TELEGRAPH)
    assert found.network.species_names == ("x", "burst", "burst_off")
    assert found.network.conservation() == [{"burst": 1, "burst_off": 1}]
    run = found.simulate([0.0, 10.0], method="direct", n=6000, seed=seed_of(), parameters={"source": 50.0})
    x, on = run.state[:, 1, 0], run.state[:, 1, 1]
    assert set(np.unique(on)) == {0.0, 1.0}
    assert_mean(on, 0.2, sd=0.4, detect=0.045)
    variance = 50.0 + 50.0**2 * (0.8 / 0.2) / 21.0
    assert_mean(x, 50.0, sd=variance**0.5, detect=2.5)
    assert_variance(x, variance, detect=0.2, kurtosis=3.5)


@pytest.mark.parametrize("method", ["euler_maruyama", "direct", "ode"])
def test_methods_refuse_the_noise_that_they_do_not_have(tmp_path: Path, method: str) -> None:
    found, step = model(tmp_path, WHITE, OU, TELEGRAPH), {"step": 0.1} if method == "euler_maruyama" else {}
    with pytest.raises(CtcError) as error:
        found.simulate([0.0, 1.0], method=method, **step)
    told = [problem.what for problem in error.value.problems]
    wrong = ["burst"] if method == "euler_maruyama" else ["weather", "mood"]
    assert [next(name for name in ("weather", "mood", "burst") if name in what) for what in told] == wrong
    assert all(problem.code == "C107" and problem.place is not None for problem in error.value.problems)


def test_all_mistakes_of_noises_are_told_at_once(tmp_path: Path) -> None:
    tables = (
        WHITE.replace('"x"', '"y"').replace("volatility", "volatile"),
        WHITE.replace("weather", "rain").replace("volatility * x * x", "x"),
        OU.replace('source = "assumed: a test"', 'source = ""').replace("mood", "x"),
        OU.replace('"ou"', '"pink"'),
        TELEGRAPH.replace('switching = "pace"', 'switch = "pace"'),
        TELEGRAPH.replace('"pace"', '"share"').replace("burst", "gust"),
    )
    with pytest.raises(CtcError) as error:
        model(tmp_path, *tables)
    codes = sorted(problem.code for problem in error.value.problems)
    assert codes == ["C102", "C102", "C103", "C105", "M301", "M305", "U205", "U205", "X408"]
    assert all(problem.place is not None and problem.place.line > 20 for problem in error.value.problems)
