"""How a trajectory ends: each status provoked, its rows, its neighbours unharmed; and the halt word."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.toy import toy
from ctcdyn.ensemble import Ensemble, Range, run_range
from ctcdyn.errors import Status
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Network, Parameter, Reaction, Species
from ctcdyn.units import DIMENSIONLESS
from instances import Case, Content, compiled, content, differing, rows, small

COUNT = 150
BAD = 70
ALL = np.s_[:]


def column(model: str, name: str) -> int:
    return small(model)[0].parameter_names.index(name)


def neighbours_unharmed(one: Content, other: Content, bad: int = BAD) -> bool:
    good = np.arange(len(one["status"])) != bad
    return differing(rows(one, good), rows(other, good)) == []


def failed_with(case: Case, status: Status, **parameters: float) -> Content:
    """The case with these parameters in one trajectory, which ends with the status and leaves no number."""
    values = case.values.copy()
    for name, value in parameters.items():
        values[BAD, column(case.model, name)] = value
    sane, failing = case.run(), case.run(values=values)
    assert failing["status"][BAD] == status
    assert np.isnan(failing["final_state"][BAD]).all()
    assert np.isnan(failing["state"][BAD, -1]).all()
    assert np.isnan(failing["observables"][BAD, -1]).all()
    assert (failing["root_n"][0, -1]) == (failing["status"] <= Status.EXTINCT).sum()
    assert neighbours_unharmed(sane, failing)
    return failing


def test_extinct_is_filled_exactly() -> None:
    """Five cells without a supply die out in some lines: from then on the state stands, no row is missing."""
    case = Case("birth_death_immigration", "direct", COUNT)
    values = case.values.copy()
    values[:, column(case.model, "immigration")] = 0.0
    run = case.run(values=values)
    extinct = run["status"] == Status.EXTINCT
    assert 20 < extinct.sum() < COUNT
    assert set(np.unique(run["status"])) == {Status.OK, Status.EXTINCT}
    assert (extinct == (run["final_state"][:, 0] == 0.0)).all()
    assert np.isfinite(run["state"]).all()
    dead = run["state"][:, :, 0] == 0.0
    assert (np.diff(dead.astype(int), axis=1) >= 0).all()
    assert (dead[:, -1] == extinct).all()
    assert (run["root_zeros"][0, :, 0] == dead.sum(axis=0)).all()
    with_supply = case.run()
    assert (with_supply["status"] == Status.OK).all()


def test_absorbed_with_cells_left() -> None:
    """Nothing can happen any more although there are cells: as extinct, and the cells are kept."""
    case = Case("birth_death_immigration", "direct", COUNT)
    values = np.zeros_like(case.values)
    run = case.run(values=values)
    assert (run["status"] == Status.EXTINCT).all()
    assert (run["n_steps"] == 0).all()
    assert (run["state"] == 5.0).all()
    assert (run["root_mean"][0, :, 0] == 5.0).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_not_finite_jump(wrong: float) -> None:
    """A parameter that is no number, infinite or makes a propensity negative."""
    case = Case("birth_death_immigration", "direct", COUNT)
    run = failed_with(case, Status.NOT_FINITE, immigration=wrong)
    assert run["n_reactions"][BAD] == 0


def test_negative_coefficient() -> None:
    """1 - p_extravasate is below zero: found where the lane is loaded."""
    failed_with(Case("human_breast_min", "direct", COUNT), Status.NOT_FINITE, p_extravasate=1.5)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_not_finite_ode(method: str) -> None:
    failed_with(Case("kuznetsov_1994", method, COUNT), Status.NOT_FINITE, supply=np.nan)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_step_underflow(method: str) -> None:
    """With crowding below zero the tumour is infinite after a day: rows up to then are there, none after."""
    case = Case("kuznetsov_1994", method, COUNT)
    run = failed_with(case, Status.STEP_UNDERFLOW, crowding=-1.0, killing=0.0)
    tumor = run["state"][BAD, :, 1]
    assert tumor[0] == 50.0
    assert np.isnan(tumor[1:]).all()


def down(start: float) -> Network:
    """Pairs arrive at the rate a (10 - x): from an odd start there are 11, and the rate is negative."""
    growth = parse("pace * (10 - x)")
    return Network(
        name="down", title="", doc="", time_unit="day",
        species=(Species("x", "cells", parse("start"), False, DIMENSIONLESS),),
        parameters=(
            Parameter("pace", 1.0, "1/d", DIMENSIONLESS, None, "assumed: a test"),
            Parameter("start", start, "1", DIMENSIONLESS, None, "assumed: a test"),
        ),
        reactions=(Reaction("grow", "-> 2 x", (), ((0, 2),), None, growth),),
    )  # fmt: skip


def test_negative_propensity_on_the_way() -> None:
    network = down(4.0)
    kernel = link(network, "direct").compile()
    values = np.repeat(network.parameter_values()[None, :], COUNT, axis=0)
    given = {"network": network, "seed": 5, "times": np.linspace(0.0, 40.0, 9), "keep": COUNT}
    sane = content(kernel, Ensemble(count=COUNT, values=values, **given))
    assert (sane["final_state"] == 10.0).all()
    assert (sane["status"] == Status.EXTINCT).all()
    values = values.copy()
    values[BAD, 1] = 5.0
    run = content(kernel, Ensemble(count=COUNT, values=values, **given))
    assert run["status"][BAD] == Status.NOT_FINITE
    assert run["n_reactions"][BAD] == 3
    assert np.isnan(run["state"][BAD, -1]).all()
    assert neighbours_unharmed(run, sane)


def test_overflow_at_the_start() -> None:
    case = Case("toy", "direct", COUNT)
    failed_with(case, Status.OVERFLOW, seeded=2.0**53 + 2.0, detectable=1e300, death=0.0)


def test_overflow_on_the_way() -> None:
    """Whole numbers above 2**53 are not exact, 2**53 + 1 is 2**53: the count that gets there ends."""
    case = Case("toy", "direct", COUNT)
    run = failed_with(case, Status.OVERFLOW, seeded=2.0**53 - 4.0, detectable=1e300, death=0.0)
    assert run["state"][BAD, 0, 1] == 2.0**53 - 4.0
    assert run["n_reactions"][BAD] >= 4


def toy_with(**changes: float) -> tuple[Network, Case]:
    """The toy with other numbers for its doses: data, so the kernel is the toy's."""
    dose, surgery = toy().treatments
    return replace(toy(), treatments=(replace(dose, **changes), surgery)), Case("toy", "direct", COUNT)


def test_log_full() -> None:
    """More operations than the log of a trajectory holds, brought about by its state; the others have none."""
    case = Case("toy", "direct", COUNT)
    capacity = case.kernel.module.LOGS
    values = case.values.copy()
    values[:, column("toy", "dose_day")] = 1e9
    values[:, column("toy", "detectable")] = 1e9
    sane = case.run(values=values)
    assert np.isin(sane["status"], [Status.OK]).all()
    values = values.copy()
    values[BAD, column("toy", "detectable")] = 0.5  # each cell that comes is taken at once
    values[BAD, column("toy", "extravasation")] = 20.0
    full = case.run(values=values)
    assert full["status"][BAD] == Status.LOG_FULL
    assert full["logged"][BAD] == capacity
    assert neighbours_unharmed(full, sane)
    logged = full["log"].reshape(-1, 3)
    assert len(logged) == full["logged"].sum() == capacity
    seen = ~np.isnan(full["state"][BAD, :, 0])
    assert 0 < seen.sum() < len(seen)
    assert (seen == (case.ensemble().times <= logged[-1, 0])).all()


def test_doses_by_the_clock_do_not_fill_the_log() -> None:
    """A thousand of them are given, and the first are noted."""
    network, case = toy_with(every=0.005, cycles=1000, scale=((1, 1.001),))
    values = case.values.copy()
    values[:, column("toy", "dose_day")] = 1.0
    values[:, column("toy", "detectable")] = 1e9
    dosed = case.run(network=network, values=values)
    assert case.kernel.module is link(network, "direct").compile().module
    assert np.isin(dosed["status"], [Status.OK]).all()
    assert (dosed["logged"] == case.kernel.module.LOGS // 2).all()
    late = dosed["state"][:, case.ensemble().times > 6.5, 0].mean()
    assert late < 0.6 * dosed["state"][:, case.ensemble().times < 1.0, 0].mean()  # 1.001 ** 1000 is 2.7


@pytest.mark.parametrize("day", [2.0, 2.03])
def test_a_treatment_without_effect_changes_no_byte(day: float) -> None:
    """Doses that multiply by one, against none at all: the budget is carried over, no draw is spent."""
    network, case = toy_with(scale=((1, 1.0),))
    kernel = link(network, "direct").compile()
    values = case.values.copy()
    values[:, column("toy", "dose_day")] = day
    null = content(kernel, case.ensemble(network=network, values=values))
    assert (null["logged"] >= 3).all()
    values = values.copy()
    values[:, column("toy", "dose_day")] = 1e9
    none = content(kernel, case.ensemble(network=network, values=values))
    names = [name for name in null if name not in ("params", "log", "logged")]
    assert differing(null, none, names) == []
    values[:, column("toy", "dose_day")] = day
    real = content(case.kernel, case.ensemble(values=values))
    assert "state" in differing(real, none, names)


def test_halt_stops_a_long_trajectory() -> None:
    """Some 1e12 events: the halt word is answered within a second or two, and the range gives nothing."""
    kernel = compiled("birth_death_immigration", "direct")
    network = small("birth_death_immigration")[0].with_values({"immigration": 1e12})
    ensemble = Ensemble(network=network, seed=1, count=3, times=np.array([0.0, 10.0]), max_events=2**62)
    given: list[object] = []
    thread = threading.Thread(target=lambda: given.extend(run_range(kernel, ensemble, Range(0, 3))))
    thread.start()
    time.sleep(0.3)
    assert thread.is_alive()
    asked = time.monotonic()
    ensemble.halt[0] = 1
    thread.join(30.0)
    assert given == []
    assert time.monotonic() - asked < 2.0


def test_a_worker_is_fit_for_the_next_run_after_a_halt() -> None:
    """What lanes held when they were halted does not leak into the next range on the same buffers."""
    case = Case("ctc_linear", "direct", 600)
    fresh = case.run()
    ensemble = case.ensemble()
    ensemble.halt[0] = 1
    assert list(run_range(case.kernel, ensemble, Range(0, 600))) == []
    ensemble.halt[0] = 0
    again = content(case.kernel, ensemble)
    assert differing(rows(again, ALL), rows(fresh, ALL)) == []
