"""Mechanisms from T cells to late recurrence: each against a law derived for it, by numpy from the composed model."""

from __future__ import annotations

from math import exp, factorial
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from cells import composed, course, environment, rates, same
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network

TUMOR = """
[species]
tumor = { unit = "cells", stage = "primary", initial = 1e6, continuous = true }
blood = { unit = "cells", stage = "blood" }
tissue = { unit = "cells", stage = "tissue" }
[[reaction]]
name = "shed"
equation = "tumor -> tumor + blood"
k = "leaving"
[[reaction]]
name = "extravasate"
equation = "blood -> tissue"
k = "leaving"
[parameters]
leaving = { value = "1 /day", source = "assumed: a test" }
"""
SLEEP = '[species]\ndormant = { unit = "cells", stage = "dormant", initial = 1 }\n'
PINNED = ("t_primed_1", "t_primed_2", "t_primed_3", "t_primed_4", "t_effectors", "t_memory")


def linear(net: Network, names: tuple[str, ...], state: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """A and c of x' = A x + c for the species `names`, all other species as in `state`."""
    rows = [net.species_names.index(n) for n in names]
    change = net.stoichiometry()[rows].astype(float)

    def slope(x: np.ndarray) -> np.ndarray:
        values = environment(net, state | dict(zip(names, x.tolist(), strict=True)))
        return change @ np.array([float(evaluate(r.propensity("ode", net), values)) for r in net.reactions])

    at_zero = slope(np.zeros(len(names)))
    columns = [slope(e) - at_zero for e in np.eye(len(names))]
    return np.array(columns).T, at_zero


def grown(a: np.ndarray, c: np.ndarray, t: float) -> np.ndarray:
    """x(t) of x' = A x + c from 0."""
    whole = np.zeros((len(c) + 1, len(c) + 1))
    whole[:-1, :-1], whole[:-1, -1] = a, c
    return np.asarray(expm(whole * t)[:-1, -1])


def asleep(net: Network, times: tuple[float, ...], **state: float) -> list[float]:
    """Share of cells that sleep since time 0 and have not woken or died."""
    names = tuple(x.name for x in net.species if x.stage == "dormant")
    a, _ = linear(net, names, {"tissue": 0.0} | state)
    begun = dict(zip(net.species_names, net.initial_values(), strict=True))
    return [float((expm(a * t) @ np.array([begun[n] for n in names])).sum()) for t in times]


# 9: T cells


def test_t_cells_come_after_an_erlang_delay_and_nk_cells_at_once() -> None:
    net = composed(TUMOR, t_cells=True, nk_cells=True, fate_in_tissue=True)
    a, c = linear(net, PINNED[:5], {"tumor": 1e6})
    values = environment(net)
    full, stage, contraction = values["t_cells_full"], 4 / 6, 0.1
    assert c[0] == pytest.approx(1000 / 2)  # half of full antigen: as many cells as antigen_half
    for t in (0.5, 3.0, 6.0, 20.0, 80.0):
        # Erlang(4) arrivals since 0, each effector alive with exp(-contraction age)
        s = np.linspace(0, t, 20001)
        density = stage**4 * s**3 / factorial(3) * np.exp(-stage * s)
        expected = np.trapezoid(density * (1 - np.exp(-contraction * (t - s))), s) / 2
        assert grown(a, c, t)[4] / full == pytest.approx(expected, rel=1e-6)
    # the delay of the response, the integral of 1 - E/E(inf), is priming_time + 1 / contraction; NK cells have none
    settled = -np.linalg.solve(a, c)
    lag = -np.linalg.solve(a, settled)[4] / settled[4]
    assert lag == pytest.approx(6 + 10)
    early = grown(a, c, 0.01)[4], grown(a, c, 0.02)[4]
    assert early[1] / early[0] == pytest.approx(2**5, rel=0.01)  # the fifth power of time
    k = rates(net, environment(net, {"tumor": 1e6}))
    assert k["nk_blood"] == values["nk_cells_kill_rate"]
    assert k["t_cells_blood"] == 0
    k = rates(net, environment(net, {"tumor": 1e6, "t_effectors": full}))
    assert k["t_cells_blood"] == pytest.approx(1)
    assert k["t_cells_tissue"] == pytest.approx(0.1)


def test_full_killing_does_not_depend_on_the_scale_of_t_cells() -> None:
    net = composed(TUMOR, t_cells={"priming": "7 cells/day"}, fate_in_tissue=True)
    a, c = linear(net, PINNED[:5], {"tumor": 1e15})
    settled = -np.linalg.solve(a, c)[4]
    assert rates(net, environment(net, {"t_effectors": settled}))["t_cells_blood"] == pytest.approx(1, rel=1e-8)


def test_an_effector_kills_so_many_cells_of_a_metastasis_a_day_and_no_more() -> None:
    pool = composed(TUMOR, t_cells=True, fate_in_tissue=True, metastasis_growth=True)
    single = composed(TUMOR, t_cells=True, fate_in_tissue=True, metastasis_growth={"metastases": "lesions"})
    assert single.lesion is not None
    law = {r.name: r.k for r in single.lesion.reactions}["t_cells_lesion"]
    half = 5 * 2.56e6 / 2e-3  # n0: capacity full / kill
    for n, kills in ((1.0, 2e-3 * 0.5), (half, 0.5 * 5 * 1.28e6), (1e16, 5 * 1.28e6)):  # at half of full effectors
        k = rates(pool, environment(pool, {"t_effectors": 1.28e6, "growing": n}))["t_cells_growing"]
        assert k * n == pytest.approx(kills, rel=1e-5)
        assert float(evaluate(law, environment(single, {"t_effectors": 1.28e6}) | {"cells": n})) == pytest.approx(k)
    free = composed(TUMOR, t_cells={"limit": "none"}, fate_in_tissue=True, metastasis_growth=True)
    k = rates(free, environment(free, {"t_effectors": 1.28e6, "growing": 1e16}))["t_cells_growing"]
    assert k == pytest.approx(2e-3 / 2)


def test_metastases_teach_t_cells_where_antigen_is_all() -> None:
    net = composed(TUMOR, t_cells={"antigen": "all"}, fate_in_tissue=True)
    _, c = linear(net, PINNED[:5], {"tumor": 5e5, "growing": 5e5})
    assert c[0] == pytest.approx(1000 / 2)
    _, c = linear(net, PINNED[:5], {"tumor": 0.0, "growing": 3e6})
    assert c[0] == pytest.approx(1000 * 3 / 4)
    _, c = linear(composed(TUMOR, t_cells=True, fate_in_tissue=True), PINNED[:5], {"tumor": 0.0, "growing": 3e6})
    assert c[0] == 0
    with pytest.raises(CtcError) as told:
        composed(TUMOR, t_cells={"antigen": "all"}, metastasis_growth={"metastases": "lesions"})
    assert "M341" in {p.code for p in told.value.problems}


def test_cells_that_hide_do_not_teach_t_cells() -> None:
    net = composed(TUMOR, t_cells={"antigen": "all"}, fate_in_tissue=True, metastasis_growth=True, hiding=True)
    k = rates(net, environment(net, {"growing_plain": 5e5, "growing_hidden": 5e5}))
    assert k["prime_by_metastases_growing_hidden"] == pytest.approx(0.3 * k["prime_by_metastases_growing_plain"])
    assert k["prime_by_metastases_growing_plain"] == pytest.approx(1000 / (1e6 + 1e6))


def test_memory_answers_without_delay_and_never_beyond_full() -> None:
    net = composed(TUMOR, t_cells={"memory": "kept"}, fate_in_tissue=True)
    kept = 0.05 * 0.1  # of each effector in a day
    k = rates(net, environment(net))
    assert k["t_remember"] == pytest.approx(kept)
    assert k["t_remember"] + k["t_contract"] == pytest.approx(0.1)
    full = environment(net)["t_cells_full"]
    state = {"tumor": 1e6, "t_memory": 1e4}
    assert rates(net, environment(net, state))["t_recall"] == pytest.approx(1 / 2)  # at once: half of the antigen
    assert rates(net, environment(net, state | {"t_effectors": full}))["t_recall"] == 0
    assert rates(net, environment(net, state | {"tumor": 0.0}))["t_recall"] == 0


# 16: fate in tissue


def test_of_cells_in_tissue_most_die_a_fifth_sleeps_and_few_grow() -> None:
    net = composed(TUMOR, fate_in_tissue=True)
    one = course(net, "tissue")
    assert one.fates == pytest.approx({"died_in_tissue": 1 - 0.2 - 5e-5, "asleep": 0.2, "founded": 5e-5})
    assert one.days["tissue"] == pytest.approx(3)


def test_a_cluster_settles_with_all_its_cells_or_leaves_them_alone() -> None:
    group = '[species]\nlodged_group = { unit = "cells", stage = "arrested_cluster", cells = 7 }\n'
    net = composed(group, fate_in_tissue={"p_cluster": 0.1}, metastasis_growth=True)
    one = course(net, "lodged_group")
    assert one.fates["extravasated"] == pytest.approx(0.9)
    assert one.firings["settle_together"] == pytest.approx(0.1)
    assert one.firings["sleep"] == pytest.approx(0.9 * 7 * 0.2)
    change = dict(zip(net.species_names, net.stoichiometry()[:, net.index("settle_together")], strict=True))
    assert change["growing"] == 7
    net = composed(group, fate_in_tissue=True, metastasis_growth={"metastases": "lesions"})
    assert net.lesion is not None
    begins = {rule.reaction: float(evaluate(dict(rule.begins)["cells"], {})) for rule in net.lesion.rules}
    assert begins == {"settle_together": 7, "settle": 1}


# 17: dormancy


@pytest.mark.parametrize("law", ["exponential", "erlang", "two_kinds", "deepening"])
def test_sleep_follows_its_law(law: str) -> None:
    h, times = 0.02, (0.0, 10.0, 50.0, 200.0)
    settings: dict[str, Any] = {"law": law, "wake_rate": f"{h} /day", "death_rate": "0 /day"}
    if law == "deepening":
        settings["deepening"] = "0.03 /day"
    net = composed(SLEEP, dormancy=settings)
    if law == "two_kinds":  # as they fall asleep, half of them deeply
        net = composed("", fate_in_tissue=True, dormancy=settings)
        names = tuple(x.name for x in net.species if x.stage == "dormant")
        a, _ = linear(net, names, {})
        sleep = {r.name: rates(net, environment(net))[r.name] for r in net.reactions if r.name.startswith("sleep")}
        share = np.array([sleep[f"sleep_{n.removeprefix('dormant_')}"] for n in names]) / sum(sleep.values())
        found = [float((expm(a * t) @ share).sum()) for t in times]
        assert -float(np.linalg.solve(a, share).sum()) == pytest.approx(1 / h)  # the mean
    else:
        found = asleep(net, times)
    g = h * (0.5 + 0.5 / 0.1)
    expected = {
        "exponential": lambda t: exp(-h * t),
        "erlang": lambda t: exp(-3 * h * t) * (1 + 3 * h * t + (3 * h * t) ** 2 / 2),
        "two_kinds": lambda t: 0.5 * exp(-g * t) + 0.5 * exp(-0.1 * g * t),
        "deepening": lambda t: exp(-0.05 * t) + 0.03 * (exp(-0.002 * t) - exp(-0.05 * t)) / (0.05 - 0.002),
    }[law]
    assert found == pytest.approx([expected(t) for t in times])


def test_chances_to_wake_before_death_differ_by_law() -> None:
    h, d = 0.02, 0.01
    settings = {"wake_rate": f"{h} /day", "death_rate": f"{d} /day"}
    for law, chance in (("exponential", h / (h + d)), ("erlang", (3 * h / (3 * h + d)) ** 3)):
        one = course(composed(SLEEP, dormancy={"law": law, **settings}), "dormant", stages=("dormant",))
        assert one.fates["woke"] == pytest.approx(chance)
        assert one.fates["died_asleep"] == pytest.approx(1 - chance)


def test_patients_who_differ_wake_as_the_law_of_gamma_frailty() -> None:
    # T18 of the dossier: a frailty of mean 1 and variance 1, h = 0.02 /year, 15 years: 1 / 1.3
    net = composed(SLEEP, dormancy={"wake_rate": "0.02 /year", "death_rate": "0 /day"})
    nodes, weights = np.polynomial.laguerre.laggauss(24)
    mixed = 0.0
    for node, weight in zip(nodes, weights, strict=True):
        one = net.with_values({"dormancy_wake_rate": 0.02 / 365.25 * float(node)})
        mixed += float(weight) * asleep(one, (15 * 365.25,))[0]
    assert mixed == pytest.approx(1 / 1.3, rel=1e-12)
    assert asleep(net, (15 * 365.25,))[0] == pytest.approx(exp(-0.3))


@pytest.mark.parametrize("law", ["weibull", "lognormal", "pareto", "inverse_gaussian", "gamma_frailty"])
def test_laws_that_counts_cannot_follow_are_refused_with_the_reason(law: str) -> None:
    with pytest.raises(CtcError) as told:
        composed(SLEEP, dormancy={"law": law})
    (problem,) = told.value.problems
    assert problem.code == "M342"
    assert law in problem.what
    assert problem.fix


def test_cells_of_the_pool_fall_asleep_again_and_lesions_do_not() -> None:
    net = composed("", fate_in_tissue=True, dormancy={"resleep": "on", "law": "two_kinds", "deep_share": 0.25})
    k = rates(net, environment(net))
    assert k["resleep_deep"] == pytest.approx(0.25e-3)
    assert k["resleep_plain"] == pytest.approx(0.75e-3)
    with pytest.raises(CtcError) as told:
        composed("", fate_in_tissue=True, dormancy={"resleep": "on"}, metastasis_growth={"metastases": "lesions"})
    assert {p.code for p in told.value.problems} == {"M341"}


# 18 to 21: what keeps sleeping cells alive, unseen and asleep


def test_saving_energy_and_autophagy_leave_a_thousandth_of_the_deaths() -> None:
    def lost(**mechanisms: Any) -> float:
        net = composed(SLEEP, dormancy=True, **mechanisms)
        return rates(net, environment(net))["lose_dormant"]

    assert lost(energy_saving=True) == pytest.approx(0.1 * lost())
    assert lost(autophagy=True) == pytest.approx(0.01 * lost())
    assert lost(energy_saving=True, autophagy=True) == pytest.approx(2e-4)
    # an inhibitor that stops half of autophagy: 1 - 0.99 / 2 in place of 1 - 0.99
    treated = composed(SLEEP, dormancy=True, autophagy=True, autophagy_inhibitor=True)
    k = [rates(treated, environment(treated, parameters={"autophagy_inhibitor_absent": a})) for a in (1.0, 0.0)]
    assert k[1]["lose_dormant"] / k[0]["lose_dormant"] == pytest.approx(0.505 / 0.01)


def test_sleeping_cells_are_hardly_seen_by_nk_cells_and_t_cells() -> None:
    with_ = composed(SLEEP, nk_cells=True, t_cells=True, immune_avoidance=True)
    without = composed(SLEEP, nk_cells=True, t_cells=True)
    state = {"t_effectors": 1e6}
    new, old = (rates(net, environment(net, state)) for net in (with_, without))
    for name in ("nk_dormant", "t_cells_dormant"):
        assert new[name] == pytest.approx(0.05 * old[name])
        assert old[name] > 0


def test_erk_over_p38_is_a_switch_that_changes_nothing_until_it_is_moved() -> None:
    off = composed(SLEEP, fate_in_tissue=True, dormancy=True, nk_cells=True)
    on = composed(SLEEP, fate_in_tissue=True, dormancy=True, nk_cells=True, p38_erk=True)
    assert rates(on, environment(on)) == rates(off, environment(off))  # to the bit

    def hill(r: float) -> float:
        return r**4 / (1 + r**4)

    before = rates(on, environment(on))
    for change, r in (({"p38_erk_p38": 0.5}, 0.2), ({"p38_erk_erk": 10.0}, 1.0), ({"p38_erk_fibrosis": 1.0}, 0.4)):
        after = rates(on, environment(on, parameters=change))
        assert after["wake"] / before["wake"] == pytest.approx(hill(r) / hill(0.1))
        assert after["sleep"] / before["sleep"] == pytest.approx((1 - hill(r)) / (1 - hill(0.1)))
        seen = 1 + 19 * (hill(r) - hill(0.1)) / (1 - hill(0.1))
        assert after["nk_dormant"] / before["nk_dormant"] == pytest.approx(seen)


def test_a_p38_inhibitor_wakes_cells_and_shows_them_to_nk_cells() -> None:
    """p38 x immunity: with its fifth of p38 the niche is at r = 1/2; who wakes is killed 20 times as fast as asleep."""
    net = composed(SLEEP, dormancy=True, nk_cells=True, immune_avoidance=True, p38_erk=True, p38_inhibitor=True)
    off, on = (rates(net, environment(net, parameters={"p38_inhibitor_absent": a})) for a in (1.0, 0.0))
    effect = 0.5**4 / (1 + 0.5**4)
    assert on["wake"] / off["wake"] == pytest.approx(effect / (1e-4 / (1 + 1e-4)))
    assert off["nk_dormant"] / off["nk_growing"] == pytest.approx(0.05)
    shown = composed(SLEEP, dormancy=True, nk_cells=True, immune_avoidance=True, p38_erk=True)
    awake = rates(shown, environment(shown, parameters={"p38_erk_p38": 1e-3}))
    assert awake["nk_dormant"] / awake["nk_growing"] == pytest.approx(1, rel=1e-6)  # nothing of avoidance is left
    # without NK cells the inhibitor changes only who wakes
    bare = composed(SLEEP, dormancy=True, p38_erk=True, p38_inhibitor=True)
    off, on = (rates(bare, environment(bare, parameters={"p38_inhibitor_absent": a})) for a in (1.0, 0.0))
    assert {name for name in on if on[name] != off[name]} == {"wake"}


# 22: late recurrence


def test_a_wound_wakes_as_many_cells_as_its_pulse_says() -> None:
    net = composed(SLEEP, dormancy={"death_rate": "0 /day"}, late_recurrence=True)
    plain = composed(SLEEP, dormancy={"death_rate": "0 /day"})
    h = rates(plain, environment(plain))["wake"]
    fresh = rates(net, environment(net, {"wound": 1.0}))
    assert rates(net, environment(net))["wake"] == h
    assert fresh["wake"] == pytest.approx(11 * h)
    # days of waking in the whole pulse beyond those without: 10 x 30
    t = np.linspace(0, 900, 9001)
    k = [rates(net, environment(net, {"wound": float(np.exp(-s * fresh["heal"]))}))["wake"] for s in t]
    assert np.trapezoid(np.array(k) - h, t) / h == pytest.approx(10 * 30, rel=1e-5)


def test_a_niche_that_changes_multiplies_waking_from_its_day_on() -> None:
    net = composed(SLEEP, dormancy=True, late_recurrence={"niche": "changes", "niche_day": "100 days"})
    before, after = (rates(net, environment(net, {"t": t}))["wake"] for t in (99.0, 100.0))
    assert after / before == pytest.approx(3)


# switched off: the model without


EVERY = ("t_cells", "fate_in_tissue", "dormancy", "energy_saving", "immune_avoidance", "p38_erk", "autophagy",
         "late_recurrence", "metastasis_growth")  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_switched_off_is_the_model_without(name: str) -> None:
    others = {other: True for other in EVERY if other != name}
    without, off = composed(TUMOR, **others), composed(TUMOR, **others, **{name: False})
    assert same(without, off)
    assert not same(without, composed(TUMOR, **others, **{name: True}))
