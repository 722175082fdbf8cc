"""What stops an ODE lane: blow-up, values that are no numbers, limits, first passages, treatments."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.errors import Status
from drive import Drive
from problems import laws

METHODS = ("tsit5", "rodas5p")
NETWORK = laws()


@pytest.fixture(scope="module", params=METHODS)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return link(NETWORK, request.param).compile().module


def run(
    module: ModuleType, end: float, values: Mapping[str, object], rtol: float = 1e-6, **more: object
) -> Drive:
    options = {"count": 1, "atol": rtol, **more}
    return Drive(module, NETWORK, options.pop("times", [0.0, end]), rtol=rtol, values=values, **options).go()


@pytest.mark.parametrize("rtol, within", [(1e-6, 1e-5), (1e-8, 1e-6), (1e-10, 1e-8)])
def test_blow_up_in_finite_time(module: ModuleType, rtol: float, within: float) -> None:
    """y' = y^2 from 1 has no value from t = 1 on; the level 1e9 is met at 1 - 1e-9."""
    blown = run(
        module, 5.0, {"square": 1.0, "a__initial": 1.0, "level": 1e9}, rtol, times=[0.0, 0.5, 2.0, 5.0]
    )
    assert blown.status[0] == Status.STEP_UNDERFLOW
    assert blown.ended[0] == pytest.approx(1.0, abs=within)
    assert blown.passed[0, 0] == pytest.approx(1.0 - 1e-9, abs=within)
    assert blown.work[0] < 5000
    assert blown.state[0, 1, 0] == pytest.approx(2.0, rel=100.0 * rtol)
    assert np.all(np.isnan(blown.state[0, 2:]))


def test_rate_without_a_value_after_a_day(module: ModuleType) -> None:
    times = np.linspace(0.0, 5.0, 11)
    broken = run(module, 5.0, {"broken": 1.0, "breaks": 2.3, "a__initial": 1.0}, times=times)
    assert broken.status[0] == Status.NOT_FINITE
    assert broken.ended[0] == pytest.approx(2.3, abs=1e-9)
    before = times < 2.3
    exact = 1.0 + 2.0 / 3.0 * (2.3**1.5 - (2.3 - times[before]) ** 1.5)
    assert_allclose(broken.state[0, before, 0], exact, rtol=1e-5)
    assert np.all(np.isnan(broken.state[0, ~before]))
    assert broken.work[0] < 1000


def test_state_that_starts_without_a_value(module: ModuleType) -> None:
    for start in (np.nan, np.inf):
        assert run(module, 5.0, {"k_a": 1.0, "a__initial": start}).status[0] == Status.NOT_FINITE
    overflowing = run(module, 1e4, {"gompertz": 1.0, "decay": 0.0, "a__initial": 1.0}, max_steps=10**6)
    assert overflowing.status[0] in (Status.NOT_FINITE, Status.STEP_UNDERFLOW)  # exp(1e4) is no number,
    assert overflowing.ended[0] == pytest.approx(
        354.89, abs=0.1
    )  # nor is the square of exp(354.9) in another law


def test_step_limit(module: ModuleType) -> None:
    """A run of n steps ends well with a limit of n and not with n - 1."""
    values = {"spin": 20.0, "a__initial": 1.0}
    needed = int(run(module, 5.0, values).work[0])
    assert needed > 50
    assert run(module, 5.0, values, max_steps=needed).status[0] == Status.OK
    for limit in (1, needed // 2):
        cut = run(module, 5.0, values, max_steps=limit)
        assert cut.status[0] == Status.STEP_LIMIT
        assert cut.work[0] == limit + 1
        assert np.isnan(cut.final[0]).all()


def test_chattering_ends(module: ModuleType) -> None:
    """a' = -sign(a) has no path that a method could follow after it meets 0; it ends nevertheless."""
    chattering = run(module, 3.0, {"chatter": 1.0, "a__initial": 1.0}, rtol=1e-4, max_steps=200_000)
    assert chattering.status[0] in (Status.OK, Status.STEP_LIMIT, Status.STEP_UNDERFLOW)
    if chattering.status[0] == Status.OK:
        assert abs(chattering.final[0, 0]) < 1e-2


def test_a_bad_lane_leaves_the_others_alone(module: ModuleType) -> None:
    """40 patients, three of whom fail in three ways: the others keep every byte."""
    rng = np.random.default_rng(seed_of())
    values = {
        "crowd": rng.uniform(0.5, 2.0, 40),
        "a__initial": 0.05,
        "square": np.zeros(40),
        "broken": np.zeros(40),
        "breaks": np.full(40, 1e300),
    }
    times = np.linspace(0.0, 9.0, 10)
    clean = run(module, 9.0, values, count=40, times=times)
    bad = [3, 17, 38]
    values["square"][3] = 50.0
    values["broken"][17], values["breaks"][17] = 1.0, 4.0
    values["crowd"][38] = np.nan
    mixed = run(module, 9.0, values, count=40, times=times)
    rest = np.setdiff1d(np.arange(40), bad)
    assert np.all(clean.status == Status.OK)
    assert np.all(mixed.status[bad] > Status.EXTINCT)
    assert np.all(mixed.status[rest] == Status.OK)
    assert mixed.state[rest].tobytes() == clean.state[rest].tobytes()
    assert mixed.work[rest].tobytes() == clean.work[rest].tobytes()


@pytest.mark.parametrize("rtol", [1e-4, 1e-7, 1e-10])
def test_first_passage_of_a_logistic(module: ModuleType, rtol: float) -> None:
    levels = np.linspace(0.1, 0.9, 9)
    values = {"crowd": 1.0, "a__initial": 0.05, "level": levels}
    passed = run(module, 20.0, values, rtol, count=9).passed[:, 0]
    exact = np.log(levels * 19.0 / (1.0 - levels))
    assert np.max(np.abs(passed - exact) / exact) <= 10.0 * rtol


def test_first_passage_at_the_start_and_never(module: ModuleType) -> None:
    values = {"crowd": 1.0, "a__initial": 0.05, "level": np.array([0.05, 0.01, 1.01])}
    passed = run(module, 20.0, values, count=3).passed[:, 0]
    assert passed.tolist() == [0.0, 0.0, np.inf]


@pytest.mark.parametrize("rtol", [1e-5, 1e-9])
def test_condition_fires_each_time_it_becomes_true(module: ModuleType, rtol: float) -> None:
    """(a, b) turns on a circle; each time b meets 0.5 it is cut to 0.05, and the circle is smaller."""
    radius, phase, t, expected = 1.0, 0.0, 0.0, []
    while radius > 0.5:
        t += (np.arcsin(0.5 / radius) - phase) % (2.0 * np.pi)
        expected.append(t)
        a = np.sqrt(radius**2 - 0.25)
        radius, phase = np.hypot(a, 0.05), np.arctan2(0.05, a)
    values = {"spin": 1.0, "a__initial": 1.0, "trigger": 0.5}
    times = np.linspace(0.0, 20.0, 21)
    cut = run(module, 20.0, values, rtol, times=times)
    assert cut.status[0] == Status.OK
    log = cut.logs(0)
    assert [kind for _, kind, _ in log] == [2.0] * len(expected)
    assert_allclose([at for at, _, _ in log], expected, rtol=20.0 * rtol)
    assert_allclose([value for _, _, value in log], 0.05, rtol=20.0 * rtol)
    turn = phase + times[-1] - expected[-1]
    assert_allclose(cut.state[0, -1, :2], [radius * np.cos(turn), radius * np.sin(turn)], atol=50.0 * rtol)


def test_repeated_doses_of_a_linear_law(module: ModuleType) -> None:
    """k_a grows by half at days 2, 3.5 and 5: a piecewise exponential."""
    values = {"k_a": 0.2, "a__initial": 100.0, "dose_day": 2.0}
    times = np.array([0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 9.0])
    dosed = run(module, 9.0, values, 1e-9, times=times)
    spans = np.array(
        [[min(t, 2.0), np.clip(t - 2, 0, 1.5), np.clip(t - 3.5, 0, 1.5), max(t - 5, 0)] for t in times]
    )
    exact = 100.0 * np.exp(-0.2 * spans @ 1.5 ** np.arange(4))
    assert_allclose(dosed.state[0, :, 0], exact, rtol=1e-8)
    assert [(at, kind) for at, kind, _ in dosed.logs(0)] == [(2.0, 0.0), (3.5, 0.0), (5.0, 0.0)]
    once = run(module, 9.0, values | {"dose__cycles": 1.0}, 1e-9, times=times)
    assert once.final[0, 0] == pytest.approx(100.0 * np.exp(-0.2 * 2.0 - 0.3 * 7.0), rel=1e-8)


def test_treatments_against_pieces(module: ModuleType) -> None:
    """A nonlinear law whose rates depend on time, with doses and an infusion, against solve_ivp in pieces."""
    values = {
        "crowd": 1.1,
        "swing": 0.4,
        "k_a": 0.3,
        "k_ab": 0.2,
        "k_b": 0.5,
        "a__initial": 0.3,
        "dose_day": 1.2,
        "bolus_day": 3.1,
        "bolus": 2.0,
        "source": 0.7,
        "on": 0.9,
        "off": 4.4,
    }
    times = np.linspace(0.0, 8.0, 33)
    treated = run(module, 8.0, values, 1e-10, times=times)
    state, truth = np.array([0.3, 0.0]), []
    cuts = [0.0, 0.9, 1.2, 2.7, 3.1, 4.2, 4.4, 8.0]
    for left, right in pairwise(cuts):
        k = 0.3 * 1.5 ** sum(left >= day for day in (1.2, 2.7, 4.2))
        state[0] += 2.0 if left == 3.1 else 0.0
        source = 0.7 if 0.9 <= left < 4.4 else 0.0

        def slope(t: float, x: np.ndarray, k: float = k, source: float = source) -> list[float]:
            a, b = x
            own = source - 1.1 * a * (a - 1.0) + 0.4 * np.cos(t) * a
            return [own - (k + 0.2) * a, 0.2 * a - 0.5 * b]

        piece = solve_ivp(slope, (left, right), state, "DOP853", rtol=1e-12, atol=1e-13, dense_output=True)
        inside = times[(times >= left) & ((times < right) | (right == 8.0))]
        truth += piece.sol(inside).T.tolist()
        state = piece.y[:, -1].copy()
    assert_allclose(treated.state[0, :, :2], truth, rtol=2e-9, atol=1e-10)
    assert [kind for _, kind, _ in treated.logs(0)] == [0.0, 0.0, 1.0, 0.0]
