"""Exact chances: the method `backward` beside closed forms and backward equations by SciPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

import oracles
import recurrence
from ctcdyn import run
from ctcdyn.codegen.chances import with_chances
from ctcdyn.codegen.kernel import link
from ctcdyn.errors import CtcError, Status
from ctcdyn.model.expr import parse
from ctcdyn.model.network import Network, Observable, Treatment
from ctcdyn.simulation import Model
from instances import Case
from networks import dimers, network, relapse

TOY = oracles.RELAPSE_TOY
DAYS = [0.0, 5.0, 10.0, 20.0, 40.0, 80.0]
YEAR = 365.25


def event(name: str, when: str, **options: object) -> Observable:
    given = {"when": parse(when), "stop": False, **options}
    return Observable(name, None, "first_passage", given, "d", realised="passage")


@pytest.fixture(scope="module")
def toy() -> Model:
    """The model that can be the toy set, its source taken away on day 10."""
    return Model(recurrence.network(removal=10.0))


def test_relapse_of_the_toy_set(toy: Model) -> None:
    """T6 as printed, and beside SciPy; single cells, and means of what is counted."""
    found = toy.simulate(DAYS, method="backward", parameters=recurrence.TOY, rtol=1e-9)
    free = 1.0 - found.values("chance_relapse")[0]
    assert_allclose(free, [1.0, 0.99135802, 0.94464299, 0.78316455, 0.61317743, 0.54135882], atol=1e-8)
    exact = [oracles.no_relapse(TOY, lambda s: TOY["source"], 10.0, t) for t in DAYS[1:]]
    assert_allclose(free[1:], exact, rtol=1e-8)
    kinds = ("growing", "dormant", "tissue", "blood")
    one = [1.0 - found.values(f"chance_relapse_of_{kind}")[0, 3] for kind in kinds]
    assert_allclose(one, [0.6734363248, 0.8732723324, 0.9322499794, 0.9834369607], atol=1e-8)
    assert_allclose(found.state[0, 2, 1:5], [1.0, 0.4999546, 1.25283089, 1.04073544], atol=1e-6)
    assert set(np.unique(found.status)) == {0}
    later = Model(recurrence.network(removal=10.0, watch=15.0))  # counts from then on
    waits = later.simulate(DAYS, method="backward", parameters=recurrence.TOY, rtol=1e-9).values("chance_relapse")
    assert (waits[0, :3] == 0.0).all()
    assert_allclose(waits[0, 3:], 1.0 - free[3:], rtol=1e-8)


def test_a_chance_of_1e_8_has_its_digits(toy: Model) -> None:
    """Patients whose chances span eight orders of magnitude, in one call, each to 1e-6 of itself at rtol 1e-7."""
    hazards = np.array([2e-2, 1e-5, 1e-9, 1e-13])
    wakes = np.array([0.05, 0.05, 1e-4, 1e-4])
    given = recurrence.TOY | {"detection_size": np.log(2.0) * 0.2 / hazards, "dormancy_exit": wakes}
    found = toy.simulate(DAYS, method="backward", parameters=given, rtol=1e-7)
    for k in range(len(hazards)):
        rates = TOY | {"eta": hazards[k], "k_R": wakes[k]}
        for j, t in enumerate(DAYS[1:], 1):
            exact = recurrence.chance([(0.0, np.inf, rates)], lambda s: TOY["source"], 10.0, t)
            assert_allclose(found.values("chance_relapse")[k, j], exact, rtol=1e-6)
    assert found.values("chance_relapse")[-1, 1] < 1e-13


def test_lines_of_starting_cells(toy: Model) -> None:
    """T7: no source, three dividing cells at the start, each with a hazard: a closed law. Numbers, so no new kernel."""
    given = recurrence.TOY | {"shedding": 0.0, "dormancy_return": 0.0}
    found = toy.simulate(DAYS, method="backward", parameters=given, initial={"growing": 3.0}, rtol=1e-9)
    silent = np.array([oracles.lineage_silence(TOY["b"], TOY["d"], TOY["eta"], t) for t in DAYS])
    assert_allclose(1.0 - found.values("chance_relapse")[0], silent**3, rtol=1e-8)
    assert_allclose(1.0 - found.values("chance_relapse_of_growing")[0], silent, rtol=1e-8)
    seen = toy.simulate(DAYS, method="backward", parameters=given, initial={"detected": 1.0})
    assert (seen.values("chance_relapse") == 1.0).all()
    assert len(toy._kernels) == 1  # of all tests of the toy set
    other = recurrence.network(5.0, 3.0).with_values({"shedding": 3.0, "clearance": 0.7}, {"dormant": 9.0})
    assert link(other, "backward").key == link(toy.network, "backward").key


@pytest.mark.parametrize("doubling, diameters", [(20.0, (20.0,)), (51.7, (10.0, 20.0, 30.0))])
def test_the_table_of_relapses(doubling: float, diameters: tuple[float, ...], tmp_path: Path) -> None:
    """Of the shipped model, 2 to 20 years after surgery at so many mm, to 1e-6 of SciPy."""
    years, growth = np.array([2.0, 5.0, 10.0, 15.0, 20.0]), float(np.log(2.0) / doubling)
    for diameter in diameters:
        day = float(oracles.human_breast_sizes(diameter, oracles.HUMAN_BREAST)["t"])
        saves = [float(day + y * YEAR) for y in years]
        study = tmp_path / "study.toml"
        text = recurrence.text(tmp_path / "x.h5", saves, diameter, growth, 1e-9)
        study.write_text(text, encoding="utf-8")
        parts = [(0.0, np.inf, recurrence.rates(growth))]
        exact = [recurrence.chance(parts, recurrence.shed, day, t) for t in saves]
        with run(study, threads=1, overwrite=True) as found:
            assert_allclose(found.values("chance_relapse")[0, 1:], exact, rtol=1e-6)


def test_a_treatment_in_one_of_two_arms(tmp_path: Path) -> None:
    """Rates that a treatment scales for 300 days: the two-time form, beside SciPy; in the other arm nothing changes."""
    growth, day = 0.0134, float(oracles.human_breast_sizes(20.0, oracles.HUMAN_BREAST)["t"])
    saves = [day + 200.0, day + 5.0 * YEAR, day + 20.0 * YEAR]
    study = tmp_path / "study.toml"
    study.write_text(recurrence.text(tmp_path / "x.h5", saves, 20.0, growth, 1e-9), encoding="utf-8")
    usual, slow = recurrence.rates(growth), recurrence.rates(0.5 * growth, 3.0)
    on, off = day + 30.0, day + 330.0
    with run(study, threads=1) as found:
        for row, treated in enumerate((usual, slow)):
            parts = [(0.0, on, usual), (on, off, treated), (off, np.inf, usual)]
            exact = [recurrence.chance(parts, recurrence.shed, day, t) for t in saves]
            assert_allclose(found.values("chance_relapse")[row, 1:], exact, rtol=1e-6)
        assert (found.mean[:, -1, found.species.index("tumor")] == 0.0).all()
        assert "event_time" not in found.names


def test_a_path_with_more_steps_than_it_keeps_ends_the_trajectory() -> None:
    """4096 steps forward: a longer path is a status, never a chance along half of it."""
    case = Case("recurrence", "backward", 3)
    ended = case.run(longest_step=80.0 / 5000.0, max_steps=10**7)
    assert (ended["status"] == Status.STEP_LIMIT).all()
    assert np.isnan(ended["observables"][:, -1]).all()
    assert (case.run(longest_step=80.0 / 100.0)["status"] == Status.OK).all()


def test_extinction_and_rates_that_change_with_time() -> None:
    """From n cells, birth b and death d (1 + a sin): D. G. Kendall's law 1948 for rates that depend on time, and T2; a
    second event of the same cells has its own closed law."""
    net = network(
        "line", {"cells": 1.0, "seen": 0.0}, {"b": 1.0, "d": 0.8, "a": 0.0, "c": 0.02},
        {"divide": ("cells -> 2 cells", "b"), "die": ("cells ->", "d * (1 + a * sin(2 * pi * t))"),
         "see": ("cells -> cells + seen", "c")},
        observables=(event("gone", "cells < 1"), event("found", "seen >= 1")),
    )  # fmt: skip
    model = Model(net)
    times = [0.0, 0.01, 1.3, 5.0]
    found = model.simulate(times, method="backward", parameters={"a": [0.0, 0.9]}, rtol=1e-9)
    assert_allclose(found.values("chance_gone")[0, 3], 0.71659203, atol=1e-8)

    def death(t: float, a: float) -> float:
        return 0.8 * (1.0 + a * np.sin(2.0 * np.pi * t))

    def lead(t: float, a: float) -> float:  # integral of death minus birth
        return -0.2 * t + 0.8 * a * (1.0 - np.cos(2.0 * np.pi * t)) / (2.0 * np.pi)

    for k, a in enumerate((0.0, 0.9)):
        for j, t in enumerate(times):
            lost = quad(lambda s, a=a: death(s, a) * np.exp(lead(s, a)), 0.0, t, epsabs=0.0, epsrel=1e-12)[0]
            assert_allclose(found.values("chance_gone")[k, j], lost / (1.0 + lost), rtol=1e-7)
    many = model.simulate(times, method="backward", initial={"cells": 30.0}, rtol=1e-9)
    assert_allclose(many.values("chance_gone")[0], found.values("chance_gone")[0] ** 30, rtol=1e-6)
    assert 0.0 < many.values("chance_gone")[0, 1] < 1e-60
    silent = np.array([oracles.lineage_silence(1.0, 0.8, 0.02, t) for t in times])
    assert_allclose(found.values("chance_found")[0], 1.0 - silent, rtol=1e-7)
    assert_allclose(many.values("chance_found")[0], 1.0 - silent**30, rtol=1e-6)


def refused(net: Network) -> list[tuple[str, str]]:
    """(code, what) of everything that stands against backward equations."""
    with pytest.raises(CtcError) as told:
        link(net, "backward")
    return [(problem.code, problem.what) for problem in told.value.problems]


def test_what_is_not_independent_is_refused_with_the_reason() -> None:
    first = (event("first", "C >= 1"),)
    assert {code for code, _ in refused(replace(dimers(), observables=first))} == {"M317"}
    crowded = network(
        "crowded", {"x": 1.0, "seen": 0.0}, {"b": 1.0},
        {"divide": ("x -> 2 x", "=b * x * (1 - x / 50)"), "see": ("x -> x + seen", "b")},
        observables=(event("found", "seen >= 1"),),
    )  # fmt: skip
    ((code, what),) = refused(crowded)
    assert code == "M319"
    assert '"divide" depends on how many x there are' in what
    pinned = tuple(replace(s, continuous=s.name == "x") for s in crowded.species)
    assert with_chances(replace(crowded, species=pinned)).observables[-1].name == "chance_found"
    fed = network(
        "fed", {"x": 1.0, "y": 0.0}, {"b": 1.0}, {"make": ("-> x", "=b * y"), "come": ("-> y", "b")},
        observables=(event("first", "y >= 1"),),
    )  # fmt: skip
    fed = replace(fed, species=tuple(replace(s, continuous=s.name == "x") for s in fed.species))
    assert [code for code, _ in refused(fed)] == ["M319"]


@pytest.mark.parametrize(
    "when, options, reason",
    [
        ("G >= 1000", {}, "something else than the first cell"),
        ("G >= 1 and t >= 5", {}, "something else than the first cell"),
        ("2 * G >= 1", {}, "something else than the first cell"),
        ("G + D < 1", {}, "more may come from elsewhere"),
        ("G + D >= 1", {"after": "rest"}, "may be gone by then"),
        ("seen >= 1", {"after": "other"}, "waits for another event"),
    ],
)
def test_events_that_are_no_first_appearance(when: str, options: dict[str, object], reason: str) -> None:
    rest = Treatment("rest", 5.0, scale=((0, 0.5),))
    events = (event("asked", when, **options), event("other", "D >= 1"))
    problems = refused(replace(relapse(), observables=events, treatments=(rest,)))
    assert [code for code, _ in problems] == ["M320"]
    assert reason in problems[0][1]


def test_no_event_and_treatments_of_counts() -> None:
    assert [code for code, _ in refused(replace(relapse(), observables=()))] == ["M320"]
    for treatment in (
        Treatment("t", parse("G >= 10"), scale=((0, 0.5),)),
        Treatment("t", 5.0, set=((0, parse("0")),)),
        Treatment("t", None, after="relapse", scale=((0, 0.5),)),
        Treatment("t", 5.0, scale=((0, 0.5),), stop_if="relapse"),
    ):
        assert [code for code, _ in refused(replace(relapse(), treatments=(treatment,)))] == ["M321"]


@pytest.mark.parametrize(
    "when, one", [("seen >= 1", True), ("seen > 0", True), ("1 <= seen", True), ("D + G >= 1", False)]
)
def test_forms_of_a_first_appearance(when: str, one: bool) -> None:
    """Kinds of cells that can lead to it have an equation each; those that are it have none."""
    made = with_chances(replace(relapse(), observables=(event("e", when),))).observables
    kinds = "BTDG" if one else "BT"
    assert [o.name for o in made if o.use == "chance"] == ["chance_e", *(f"chance_e_of_{s}" for s in kinds)]
