"""Mechanisms of the blood against derived figures: one cell's chances in the composed model, by linear algebra."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cells import composed, course, environment, rates, same, share, shed
from ctcdyn.model.expr import names
from ctcdyn.model.mechanism import read_mechanism
from ctcdyn.model.network import Network

HAZARDS = ("shear_stress", "anoikis", "oxygen_stress", "nk_cells")
WHOLE = dict.fromkeys(("intravasation", *HAZARDS, "arrest_and_extravasation"), True)

BLOOD = (
    "primary_growth", "detachment", "emt", "intravasation", *HAZARDS, "hiding", "platelets", "clusters",
    "deformability", "adaptation", "arrest_and_extravasation",
)  # fmt: skip
FULL = dict.fromkeys(BLOOD, True)
WAY = ["primary", "blood", "arrested", "tissue"]
GROWING = """
[species]
growing = { unit = "cells", stage = "growing" }
dormant = { unit = "cells", stage = "dormant" }
[parameters]
birth = { value = "0.07 /day", source = "assumed: an example" }
[[reaction]]
name = "settle"
equation = "tissue -> growing"
k = "birth"
[[reaction]]
name = "sleep"
equation = "tissue -> dormant"
k = "birth"
[[reaction]]
name = "divide"
equation = "growing -> 2 growing"
k = "birth"
[[hazard]]
name = "t_cells"
at = { blood = "birth", arrested = "birth", tissue = "birth", growing = "birth" }
"""


def choices(name: str) -> list[dict[str, str]]:
    """Every choice of options of a shipped mechanism."""
    options = read_mechanism(name, None, Path(), None, "").options
    return [dict(zip(options, chosen, strict=True)) for chosen in product(*options.values())]


def test_stages_that_are_absent_have_no_cells() -> None:
    """Nothing is taken from a stage without species, and its name is 0 in the expressions of mechanisms."""
    net = composed(nk_cells={"pool": "dynamic"}, intravasation=True, arrest_and_extravasation=True)
    k = rates(net, environment(net, {"nk": 5.0}))
    assert k["nk_recruit"] == 0.0
    assert k["nk_exhaust"] == 0.0
    assert "arrest_cluster" not in k
    there = composed(GROWING, nk_cells={"pool": "dynamic"}, intravasation=True, arrest_and_extravasation=True)
    assert rates(there, environment(there, {"growing": 100.0}))["nk_exhaust"] == pytest.approx(1e-5)


@pytest.mark.parametrize("name", BLOOD)
def test_every_option_makes_a_model(name: str) -> None:
    """Beside all that it may act on; a parameter that no choice uses would be a setting that does nothing."""
    used: set[str] = set()
    for chosen in choices(name):
        around: dict[str, Any] = FULL if name not in ("adaptation", "hiding") else dict.fromkeys(WHOLE, True)
        around = around | {"emt": {"at": WAY}} if name == "platelets" else around
        if name == "intravasation":  # clusters are shed by the same law of size
            around = around | {"clusters": {"law": chosen["size"]}}
        if chosen.get("law") == "linear":
            around = around | {"intravasation": {"size": "linear"}}
        for wide in ({}, {"at": [*WAY, "growing"]}) if name in ("adaptation", "hiding") else ({},):
            net = composed(GROWING, **around | {name: chosen | wide or True})
            texts = [r.k if r.k is not None else r.rate for r in net.reactions] + [p.expr for p in net.parameters]
            texts += [tree for n in net.noises for tree in (n.drift, n.variance)]
            used |= {word for tree in texts if tree is not None for word in names(tree)}
    assert {f"{name}_{p}" for p in read_mechanism(name, None, Path(), None, "").parameters} <= used


HOST = WHOLE | {"t_cells": True}
AT_FULL = {"t_effectors": 2.56e6}  # of t_cells: 256 * 1000 /day / 0.1 /day


def fold(net: Network, changed: dict[str, float], start: str | dict[str, float] = "blood") -> float:
    """How many times as many cells extravasate with other parameters."""
    before = course(net, start, AT_FULL).fate("extravasated")
    return course(net, start, AT_FULL, changed).fate("extravasated") / before


def test_split_of_losses_of_the_science() -> None:
    """Of 36 losses a day NK cells take 8, half are arrests; one shed cell in 2000 extravasates (section 3b)."""
    cell = course(composed(**HOST), "blood", AT_FULL)
    taken = {"nk_blood": 8, "shear_blood": 6, "anoikis_blood": 2, "oxygen_blood": 1, "t_cells_blood": 1, "arrest": 18}
    assert {name: 36 * cell.firings[name] for name in taken} == pytest.approx(taken)
    assert cell.days["blood"] == pytest.approx(1 / 36)
    assert cell.days["arrested"] == pytest.approx(0.5)
    assert cell.fate("extravasated") == pytest.approx(5e-4)
    assert cell.firings["nk_blood"] + cell.firings["nk_arrested"] == pytest.approx(8 / 36 + 0.5 * 0.6)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("nk_cells_activity", 36 / 28 / (1 - 0.6)),  # 3.2
        ("shear_stress_stress", 36 / 30),
        ("anoikis_kill_rate", 36 / 34),
        ("oxygen_stress_oxidants", 36 / 35),
        ("t_cells_kill_rate", 36 / 35 / 0.9),
    ],
)
def test_without_a_hazard_more_cells_extravasate(parameter: str, expected: float) -> None:
    assert fold(composed(**HOST), {parameter: 0.0}) == pytest.approx(expected)


def test_hard_exercise_kills_nine_of_ten_cells_in_four_hours() -> None:
    """Regmi 2017 at 60 dyn/cm2; at 15 fewer: the law of stress is 4 ** 1.5 = 8."""
    net = composed(intravasation=True, shear_stress=True)
    rest, hard = (rates(net, environment(net, {}, {"shear_stress_stress": x}))["shear_blood"] for x in (1.0, 4.0))
    assert hard / rest == pytest.approx(8)
    assert math.exp(-hard / 6) < 0.1 < math.exp(-rest / 6)


def test_anoikis_in_two_steps_kills_few_of_those_that_stay_an_hour() -> None:
    """Shares killed beside other losses h: the Laplace transforms of an exponential and of an Erlang time."""
    others = {"intravasation": True, "shear_stress": True}
    soon, late = composed(**others, anoikis=True), composed(**others, anoikis={"law": "erlang"})
    assert set(shed(late, {"tumor": 1e9})) == {"blood_fresh"}
    for h in (1.0, 6.0, 100.0):
        changed = {"shear_stress_kill_rate": h}
        assert course(soon, "blood", None, changed).fate("anoikis") == pytest.approx(2 / (2 + h))
        expected = (2 / (2 + h * 0.5)) ** 2
        assert course(late, "blood_fresh", None, changed).fate("anoikis") == pytest.approx(expected)


def test_nk_cells_that_are_few_kill_few() -> None:
    """The dynamic pool rests at source / death without metastases, and is used up by large ones."""
    others = {"intravasation": True, "arrest_and_extravasation": True}
    constant = composed(GROWING, **others, nk_cells=True)
    net = composed(GROWING, **others, nk_cells={"pool": "dynamic"})
    rest = float(net.initial_values()[net.species_names.index("nk")])
    assert rest == pytest.approx(315_533.98)  # de Pillis 2005
    usual = course(constant, "blood")
    assert course(net, "blood", {"nk": rest}).firings == pytest.approx(usual.firings)
    size = 1e6
    k = rates(net, environment(net, {"nk": 1.0, "growing": size}))
    rests_at = k["nk_arise"] / (k["nk_die"] + k["nk_exhaust"] - k["nk_recruit"])
    expected = 1.3e4 / (0.0412 + 1e-7 * size - 0.025 * size**2 / (2.02e7 + size**2))
    assert rests_at == pytest.approx(expected, rel=1e-5)
    few = rates(net, environment(net, {"nk": rests_at, "growing": size}))
    assert few["nk_blood"] == pytest.approx(8 * expected / rest, rel=1e-5)
    assert few["nk_growing"] == pytest.approx(2e-3 * expected / rest / 2, rel=1e-5)  # at the size of saturation


def settled(net: Network, start: str, changed: dict[str, float] | None = None) -> float:
    return course(net, start, AT_FULL, changed).fate("founded")


@pytest.mark.parametrize(("loss", "flag", "nk", "t"), [("antigen", "hidden", 0.5, 0.3), ("mhc", "mhc_low", 2, 0.05)])
def test_hiding_lowers_what_it_hides_from(loss: str, flag: str, nk: float, t: float) -> None:
    """In tissue for 3 days beside NK cells (0.05 /day) and T cells (0.1 /day)."""
    net = composed(**HOST, fate_in_tissue=True, hiding={"loss": loss})
    found = settled(net, f"tissue_{flag}") / settled(net, "tissue_plain")
    assert found == pytest.approx((1 / 3 + 0.15) / (1 / 3 + 0.05 * nk + 0.1 * t), rel=1e-4)
    arrested = course(net, "arrested", stages=("arrested",))
    assert arrested.firings[f"extravasate_{flag}"] == pytest.approx(0.01 * arrested.fate("extravasated"))


def test_without_mhc_cells_are_hidden_from_t_cells_and_shown_to_nk_cells() -> None:
    """The trade-off: what the loss of MHC-I is worth changes its sign with the immune cells that are there."""
    net = composed(**HOST, fate_in_tissue=True, hiding={"loss": "mhc"})

    def worth(**absent: float) -> float:
        return settled(net, "tissue_mhc_low", absent) / settled(net, "tissue_plain", absent)

    assert worth(t_cells_kill_rate=0.0) < 1 < worth(nk_cells_activity=0.0)
    assert worth(t_cells_kill_rate=0.0, nk_cells_activity=0.0) == pytest.approx(1)


def test_cells_come_to_hide_when_they_divide() -> None:
    net = composed(GROWING, **WHOLE, hiding=True, primary_growth=True)
    k = rates(net, environment(net))
    assert k["hidden_growing_plain"] == pytest.approx(1e-6 * k["divide_growing_plain"])
    assert not [name for name in k if name.startswith("hidden_tumor")]
    net = composed("", primary_growth=True, intravasation=True, hiding={"at": ["primary", "blood"]})
    k = rates(net, environment(net, {"tumor_plain": 1e11}))
    assert k["hidden_tumor_plain"] == pytest.approx(1e-6 * k["grow_tumor_plain"])
    assert k["grow_tumor_plain"] < rates(net, environment(net))["grow_tumor_plain"]  # braked by size, as divisions are
    assert shed(net, {"tumor_hidden": 1e9})["blood_hidden"] == pytest.approx(0.0445 * 1e9**0.663)


def test_benefit_of_platelets_vanishes_without_nk_cells() -> None:
    """Palumbo 2005, two by two: exactly where platelets only hide; with shear and stickiness a small rest is left."""
    only = {"shear": 1, "adhesion": 1, "t_cells": 1}
    net = composed(**HOST, platelets=only)
    cloak, nk = "platelets_level", "nk_cells_activity"
    benefit = 1 / fold(net, {cloak: 0.0}, "blood_plain")
    without = fold(net, {nk: 0.0}, "blood_plain") / fold(net, {nk: 0.0, cloak: 0.0}, "blood_plain")
    assert without == pytest.approx(1)
    # cloaked soon (20 of 56 a day) and uncloaked slowly (2 a day), in the blood and in the capillary
    bare, cloaked, home = 36 + 20, 36 - 8 * 0.8 + 2, 1 - 0.6 * 0.8 + 2
    in_blood = np.linalg.solve([[bare, -2], [-20, cloaked]], [1, 0])
    caught = 18 * in_blood
    assert benefit == pytest.approx((caught[0] + caught[1] * (1 + 2) / home) / 0.5)
    full = composed(**HOST, platelets=True)
    rest = fold(full, {nk: 0.0}, "blood_plain") / fold(full, {nk: 0.0, cloak: 0.0}, "blood_plain")
    all_of_it = 1 / fold(full, {cloak: 0.0}, "blood_plain")
    assert 1 < rest < all_of_it
    assert (rest - 1) / (all_of_it - 1) < 0.5


def test_clusters_leave_the_blood_in_minutes_and_nk_cells_hardly_mind_them() -> None:
    """Aceto 2014: half are gone in 6 to 10 minutes. Lo 2020: NK cells are after single cells."""
    net = composed(**HOST, clusters=True, fate_in_tissue=True)
    cluster = course(net, "cluster_medium", AT_FULL, {"clusters_coming_off": 0.0})
    assert 6 < cluster.days["cluster_medium"] * math.log(2) * 1440 < 10
    alone = {"clusters_coming_off": 0.0, "nk_cells_activity": 0.0}
    groups = course(net, "cluster_medium", AT_FULL, alone).firings["scatter_arrested_cluster_medium"]
    groups /= cluster.firings["scatter_arrested_cluster_medium"]
    blood = 119 + 6 * 0.5 + 2 * 0.1 + 1 + 1 + 8 * 0.2
    assert groups == pytest.approx(blood / (blood - 1.6) / (1 - 0.12), rel=1e-6)
    assert groups < 1.2 < 3 < fold(net, {"nk_cells_activity": 0.0})


def test_stiff_cells_are_caught_on_their_first_way_and_soft_ones_are_found() -> None:
    """Butler and Gullino against Meng: nine of ten of the cells shed are stiff, nine of ten of those found are soft."""
    net = composed(**HOST, deformability=True)
    assert shed(net, {"tumor": 1e9})["blood_flexible"] == pytest.approx(0.1 * 0.0445 * 1e9**0.663)
    start = {"blood_plain": 0.9, "blood_flexible": 0.1}
    found = course(net, start, AT_FULL).days
    stiff, soft = 0.9 * 1440 + 18, 18 + 6 * 0.4 + 12
    assert found["blood_plain"] == pytest.approx(0.9 / stiff)
    assert found["blood_flexible"] == pytest.approx(0.1 / soft)
    assert found["blood_flexible"] / (found["blood_plain"] + found["blood_flexible"]) > 0.8
    only = {"blood_plain": 1.0}, {"blood_flexible": 1.0}
    chances = [course(net, cell, AT_FULL).fate("extravasated") for cell in only]
    assert chances[0] == pytest.approx(0.9 * 1440 / stiff * 1e-3 / 3, rel=1e-3)  # and the end of its arrest is later
    assert chances[1] == pytest.approx(18 / soft * 1e-3)
    turned = composed(**HOST, deformability={"flagged": "stiff"})
    again = course(turned, {"blood_plain": 0.1, "blood_stiff": 0.9}, AT_FULL)
    assert again.fates == pytest.approx(course(net, start, AT_FULL).fates)
    assert share(shed(turned, {"tumor": 1e9})) == pytest.approx({"blood_stiff": 0.9, "blood_plain": 0.1})


def test_adapted_cells_bear_the_blood() -> None:
    """Deaths of anoikis and oxidants among cells that may adapt at 0.5 a day while 33 other losses go on."""
    net, apart = composed(**HOST, adaptation=True), composed(**HOST, adaptation={"metabolism": "apart"})
    slow = {"nk_cells_kill_rate": 0.0, "shear_stress_kill_rate": 0.0, "arrest_and_extravasation_arrest": 0.5}
    cell = course(net, "blood_plain", AT_FULL, slow)
    before, after = 2 + 1 + 1 + 0.5 + 0.5, 2 * 0.2 + 1 * 0.3 + 1 + 0.5
    assert cell.fate("anoikis") == pytest.approx(2 / before + 0.5 / before * 0.4 / after)
    assert cell.fate("oxygen") == pytest.approx(1 / before + 0.5 / before * 0.3 / after)
    assert fold(net, {"adaptation_rate": 0.0}, "blood_plain") < 1
    other = course(apart, "blood_plain", AT_FULL, slow | {"adaptation_rate": 0.0})
    assert other.fate("oxygen") == pytest.approx(1 / before + 0.5 / before * 0.3 / (2 + 0.3 + 1.5))


def test_washed_on_cells_have_further_chances() -> None:
    """With re-entry each arrest ends 1 + 1 times a day, and half of those washed on arrest again: 3.2 becomes 2.5."""
    net = composed(**HOST | {"arrest_and_extravasation": {"reentry": "on"}})

    def chance(blood: float, end: float) -> float:
        return 18 / blood * 1e-3 / (end + 1) / (1 - 18 / blood / (end + 1))

    assert course(net, "blood", AT_FULL).fate("extravasated") == pytest.approx(chance(36, 1))
    found = fold(net, {"nk_cells_activity": 0.0})
    assert found == pytest.approx(chance(28, 0.4) / chance(36, 1))
    assert found == pytest.approx(2.547, abs=1e-3)


@pytest.mark.parametrize("name", [*HAZARDS, *BLOOD[8:10], *BLOOD[11:]])
def test_switched_off_is_the_model_without_it(name: str) -> None:
    others = {n: v for n, v in (WHOLE | {"fate_in_tissue": True}).items() if n != name}
    assert same(composed("", (name,), **others, **{name: True}), composed(**others))
    assert not same(composed(**others, **{name: True}), composed(**others))
