"""implicit_tau: laws of stiff networks against exact ones at k h of 100 and more, counts that stay counts, paired arms.

Tolerances are Monte-Carlo error at a declared rate plus a bias that docs/solvers.md states.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import integrate, linalg, stats

from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.toy import toy
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Observable
from drive import Drive
from networks import network

Z = float(-stats.norm.ppf(1e-6 / 2))
PARTS = 8  # steps of a cell
EPSILON = 0.03
FEW = Observable("few", None, "first_passage", {"when": parse("a + b + 2 * c <= level")}, "d", realised="passage")
MIXTURE = network(
    "mixture", {"a": 0.0, "b": 0.0, "c": 0.0},
    {"on": 0.0, "off": 0.0, "join": 0.0, "part": 0.0, "decay": 0.0, "source": 0.0, "level": -1.0},
    {"there": ("a -> b", "on"), "back": ("b -> a", "off"), "joins": ("a + b -> c", "join"),
     "parts": ("c -> a + b", "part"), "dies": ("b ->", "decay"), "comes": ("-> a", "source")}, (FEW,),
)  # fmt: skip


@pytest.fixture(scope="module")
def kernel() -> Any:
    return link(MIXTURE, "implicit_tau").compile().module


def mixture(kernel: Any, grid: Any, count: int, start: tuple[Any, Any, Any], **changes: Any) -> Drive:
    values = dict(zip(("a__initial", "b__initial", "c__initial"), start, strict=True)) | changes
    return Drive(kernel, MIXTURE, grid, count=count, seed=seed_of(), values=values, max_steps=20_000).go()


def leaps(rate: float, days: float) -> float:
    """Explicit leaps for which tau_leap would go on: it takes no more than 10 epsilon of a species in one."""
    return rate * days / (10.0 * EPSILON)


def test_law_of_a_stiff_linear_network(kernel: Any) -> None:
    """A reversible passage at 1000 a day with slow death and arrival: mean and variance of both places and the sum."""
    start, speed, decay, source, days, count = 4000.0, 500.0, 0.05, 200.0, 8.0, 20_000
    run = mixture(
        kernel, [0.0, days / 2, days], count, (start, start, 0.0), on=speed, off=speed, decay=decay, source=source
    )
    assert run.work.max() < 0.01 * leaps(speed, days)
    assert 2.0 * speed * days / (run.work.max() / PARTS) > 100.0  # k h of a cell
    rates = np.array([[-speed, speed], [speed, -speed - decay]])
    for save, t in ((1, days / 2), (2, days)):
        stay = linalg.expm(rates * t)  # where the cells of each place are
        came = source * integrate.quad_vec(lambda u: linalg.expm(rates * u)[:, 0], 0.0, t)[0]
        mean = start * stay.sum(axis=1) + came
        variance = start * (stay * (1.0 - stay)).sum(axis=1) + came
        total = stay.sum(axis=0)
        x = run.state[:, save, :2]
        x, mean = np.column_stack([x, x.sum(axis=1)]), np.append(mean, mean.sum())
        variance = np.append(variance, start * (total * (1.0 - total)).sum() + came.sum())
        error = np.sqrt(variance / count)
        assert (np.abs(x.mean(axis=0) - mean) < Z * error + 5e-4 * mean).all()
        assert (np.abs(x.var(axis=0) / variance - 1.0) < Z * np.sqrt(2.0 / count) + 0.04).all()


def test_law_of_pairs(kernel: Any) -> None:
    """A + B <-> C in balance: the stationary law is that of a chain in C, by detailed balance."""
    a, b, part, count = 300, 200, 200.0, 10_000
    join = part / (0.5 * a)
    c = np.arange(min(a, b) + 1)
    ratio = np.log(join * (a - c[:-1]) * (b - c[:-1])) - np.log(part * c[1:])
    weight = np.concatenate([[0.0], np.cumsum(ratio)])
    chance = np.exp(weight - weight.max())
    chance /= chance.sum()
    mean = (chance * c).sum()
    variance = (chance * (c - mean) ** 2).sum()
    begun = float(round(mean))
    run = mixture(kernel, [0.0, 1.0, 4.0], count, (a - begun, b - begun, begun), join=join, part=part)
    speed = part + join * (a + b - 2.0 * mean)
    assert speed * 4.0 / (run.work.max() / PARTS) > 100.0
    for save in (1, 2):
        x = run.state[:, save, 2]
        assert abs(x.mean() - mean) < Z * (variance / count) ** 0.5 + 0.2
        assert abs(x.var() / variance - 1.0) < Z * (2.0 / count) ** 0.5 + 0.03


def test_nothing_is_negative(kernel: Any) -> None:
    """Two laws of conservation hold in every row, in whole numbers, whether fast or slow, many or few."""
    rng = np.random.default_rng(seed_of())
    count = 400
    a, b, c = (np.floor(10.0 ** rng.uniform(0.0, 4.5, count)) for _ in range(3))
    rates = {name: 10.0 ** rng.uniform(-2.0, 3.0, count) for name in ("on", "off", "part")}
    rates["join"] = rates["part"] / 10.0 ** rng.uniform(1.0, 4.0, count)
    run = mixture(kernel, np.linspace(0.0, 0.5, 6), count, (a, b, c), **rates)
    known = ~np.isnan(run.state[:, :, 0])
    assert known.mean() > 0.9
    whole = run.state[:, :, 0] + run.state[:, :, 1] + 2.0 * run.state[:, :, 2]
    assert_array_equal(whole[known], np.broadcast_to(whole[:, :1], whole.shape)[known])
    assert (run.state[known] >= 0.0).all()
    assert (run.state[known] == np.floor(run.state[known])).all()
    assert (run.work < 20.0 * PARTS).sum() > count / 5  # many of them by parts


def test_first_passage_time(kernel: Any) -> None:
    """A mixture that dies at half the rate of its one place, down to a level: sums of exponential waits."""
    start, level, decay, count = 1500.0, 600.0, 1.0, 600
    run = mixture(kernel, [0.0, 6.0], count, (start, start, 0.0), on=500.0, off=500.0, decay=decay, level=level)
    k = np.arange(level + 1.0, 2.0 * start + 1.0)
    mean, deviation = (2.0 / (decay * k)).sum(), ((2.0 / (decay * k)) ** 2).sum() ** 0.5
    times = run.passed[:, 0]
    assert (times < 6.0).all()
    assert abs(times.mean() - mean) < Z * deviation / count**0.5 + 0.01
    assert abs(times.std() / deviation - 1.0) < Z / (2.0 * count) ** 0.5 + 0.05
    # found within a part: no two at the same time, nor at the ends of cells, which are dyadic
    assert len(np.unique(times)) == count


def test_statuses(kernel: Any) -> None:
    """The last cells die, one by one; a rate of zero stands still; what is no number ends with a status."""
    gone = mixture(kernel, [0.0, 6.0, 60.0], 40, (200.0, 200.0, 0.0), on=500.0, off=500.0, decay=2.0)
    assert (gone.status == 1).all()
    assert (gone.state[:, -1] == 0.0).all()
    still = mixture(kernel, [0.0, 1.0], 5, (7.0, 5.0, 3.0))
    assert (still.status == 1).all()
    assert (still.state == [7.0, 5.0, 3.0]).all()
    source = np.array([10.0, np.nan, -1.0])
    wrong = mixture(kernel, [0.0, 1.0], 3, (9.0, 9.0, 0.0), on=500.0, off=500.0, source=source)
    assert wrong.status.tolist() == [0, 2, 2]


def brief(width: int | None) -> str:
    """Digest of a few hours of the toy, much faster than it is: parts that a dose and a condition interrupt."""
    module = link(toy(), "implicit_tau", width=width).compile().module
    values = {
        "shedding": 1e6, "clearance": 1000.0, "extravasation": 0.05, "death": 0.1, "blood__initial": 1000.0,
        "seeded": 300.0, "holiday": 0.1, "detectable": 301.0, "dose_day": 0.12, "dose__x_clearance": 1.3,
    }  # fmt: skip
    run = Drive(module, toy(), [0.0, 0.1, 0.14], count=5, seed=77, values=values).go()
    return hashlib.sha256(run.bytes()).hexdigest()


def test_parts_without_a_compiler() -> None:
    """Plain Python in three lanes gives the bytes of the compiled kernel in all its own."""
    code = "import test_implicit_tau as t; print(t.brief(3))"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    plain = subprocess.run(
        command, env=environment, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=120
    )
    assert plain.stdout.strip() == brief(None)


def test_rates_in_time_and_treatments_that_change_nothing() -> None:
    """The toy with many cells that turn over fast: Poisson in the blood; arms with and without a dose of factor 1."""
    module, days, count = link(toy(), "implicit_tau").compile().module, 4.0, 4000
    shedding, clearance, share = 1e6, 1000.0, 0.5
    values: dict[str, Any] = {
        "shedding": shedding, "clearance": clearance, "extravasation": 0.05, "death": 0.1, "swing": share,
        "blood__initial": 1000.0, "seeded": 300.0, "holiday": 2.5, "detectable": 320.0, "dose__x_clearance": 1.0,
        "dose__given": np.arange(count) % 2.0, "surgery__given": 0.0,
    }  # fmt: skip
    grid = [0.0, 1.3, days]
    run = Drive(module, toy(), grid, count=count, arms=2, seed=seed_of(), values=values, max_steps=20_000).go()
    assert run.work.max() < 0.1 * leaps(clearance, days)
    assert (run.status == 0).all()
    assert_array_equal(run.rows[0::2], run.rows[1::2])
    assert_array_equal(run.passed[0::2], run.passed[1::2])
    assert_array_equal(run.work[0::2], run.work[1::2])
    for save, factor in ((1, 1.0), (2, 0.5)):
        # blood follows its source within minutes; the phase that it lags behind is kept
        k, turn = clearance + 0.05, 2.0 * np.pi
        swing = (k * np.sin(turn * grid[save]) - turn * np.cos(turn * grid[save])) * k / (k * k + turn * turn)
        mean = factor * shedding / k * (1.0 + share * swing)
        x = run.state[0::2, save, 0]
        assert abs(x.mean() - mean) < Z * (mean / len(x)) ** 0.5 + 1e-3 * mean
        assert abs(x.var() / mean - 1.0) < Z * (2.0 / len(x)) ** 0.5 + 0.04
