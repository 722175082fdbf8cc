"""Treatments as mechanisms: what each multiplies, by how much, and what it goes with; no kernel is compiled."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import pytest

from cells import HEAD, composed, course, environment, rates, same
from ctcdyn.model.expr import evaluate
from ctcdyn.model.load import prepare
from ctcdyn.model.network import Network
from ctcdyn.places import toml_value

BLOOD = {"primary_growth": True, "intravasation": True, "shear_stress": True, "anoikis": True, "oxygen_stress": True,
         "nk_cells": True, "arrest_and_extravasation": True, "fate_in_tissue": True}  # fmt: skip
SLEEP = '[species]\ndormant = { unit = "cells", stage = "dormant", initial = 1 }\n'
TREATMENTS = ("resection", "chemotherapy", "endocrine_therapy", "nk_boost", "antiplatelet", "checkpoint_inhibitor",
              "p38_inhibitor", "autophagy_inhibitor", "cluster_dissociation", "ctc_filtration")  # fmt: skip
REST = ("clusters", "platelets", "t_cells", "dormancy", "p38_erk", "autophagy", "late_recurrence", "metastasis_growth")
CASCADE = BLOOD | dict.fromkeys(REST, True)


def absent(net: Network, name: str, share: float, **state: float) -> dict[str, float]:
    """Rates while so much of the effect of a treatment is missing."""
    return rates(net, environment(net, state, {f"{name}_absent": share}))


Values = dict[str, float]


def extravasated(net: Network, state: Values | None = None, parameters: Values | None = None) -> float:
    """Of cells in the blood, naked at first, those that leave it into tissue."""
    start = "blood" if "blood" in net.species_names else "blood_plain"
    return course(net, start, state, parameters, ("blood", "arrested")).fate("extravasated")


def seeding(net: Network, nk: float = 1.0, extra: float = 0.0) -> float:
    """Cells in the blood that extravasate, by hand: arrest against losses, twice. `nk`: NK cells, relative."""
    p = environment(net)
    deaths = 6 + 2 + 1 + p["nk_cells_kill_rate"] * nk + extra
    arrested = p["arrest_and_extravasation_lodged"] + p["nk_cells_kill_arrested"] * nk
    caught, out = p["arrest_and_extravasation_arrest"], p["arrest_and_extravasation_extravasate"]
    return float(caught / (caught + deaths) * out / (out + arrested))


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_that_is_not_given_changes_no_rate(name: str) -> None:
    net, without = composed(**CASCADE, **{name: True}), composed(**CASCADE)
    state = {"tumor": 1e8, "t_effectors": 1e6, "growing": 1e3}
    new, old = rates(net, environment(net, state)), rates(without, environment(without, state))
    assert {n: new[n] for n in old} == old  # to the bit
    added = {n: k for n, k in new.items() if n not in old}
    assert all(k == 0 for n, k in added.items() if not n.startswith(("clear_chemo", "recover", "close")))
    assert same(composed(**CASCADE, **{name: False}), without)


def test_each_treatment_brings_its_regimen(tmp_path: Path) -> None:
    lines = [f"{name} = {toml_value(value)}" for name, value in (CASCADE | dict.fromkeys(TREATMENTS, True)).items()]
    (tmp_path / "all.model.toml").write_text(f"{HEAD}[mechanisms]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    used = "".join(f'[[treatment]]\nuse = "{name}"\n' for name in (*TREATMENTS, "late_recurrence"))
    study = tmp_path / "all.toml"
    study.write_text(
        'schema = 1\n[model]\nfile = "all.model.toml"\n' + used + '[simulate]\nt_end = "20 years"\n', encoding="utf-8"
    )
    network = prepare(study)[1].network
    given = {t.name: t for t in network.treatments}
    assert set(given) == {*TREATMENTS, "late_recurrence"}
    values = environment(network, {"tumor": 5e9, "chemo_drug": 0.25})
    values |= {name: value for t in network.treatments for name, value in t.numbers}
    names = network.species_names

    def put(name: str) -> dict[str, float]:
        return {names[s]: float(evaluate(e, values)) for s, e in given[name].set}

    assert put("resection")["tumor"] == 0
    assert put("resection")["surgical_stress"] == 1
    assert put("resection")["open_vessels"] == 1
    assert put("chemotherapy") == {"chemo_drug": 1.25}
    assert put("late_recurrence") == {"wound": 1}
    for name in TREATMENTS[2:]:
        assert [(network.parameter_names[q], factor) for q, factor in given[name].scale] == [(f"{name}_absent", 0.0)]


def test_check_tells_a_treatment_without_what_it_acts_on() -> None:
    given = {"dormancy": True, "p38_inhibitor": True, "nk_boost": True}

    def idle(**more: bool) -> list[str]:
        return [x.split(":")[0] for x in composed(SLEEP, **given, **more).notes if x.startswith("no effect")]

    assert idle() == ["no effect   nk_boost", "no effect   p38_inhibitor"]
    assert idle(p38_erk=True, nk_cells=True) == []


def test_resection_leaves_nk_cells_weak_for_days() -> None:
    net = composed(**BLOOD, resection=True)
    k = rates(net, environment(net))
    assert k["recover"] == pytest.approx(1 / 7)
    assert extravasated(net) == pytest.approx(seeding(net))
    assert extravasated(net, {"surgical_stress": 1.0}) == pytest.approx(seeding(net, 0.5))


def test_an_operation_sheds_its_pulse_of_cells_as_a_tumour_sheds_them() -> None:
    net = composed(**BLOOD, deformability=True, resection=True)
    k = rates(net, environment(net, {"open_vessels": 1.0}))
    pulses = {n: x for n, x in k.items() if n.startswith("shed_by_surgery")}
    assert sum(pulses.values()) / k["close"] == pytest.approx(1000)  # all cells of the pulse
    shed = {n: x for n, x in k.items() if n.startswith("shed_") and n not in pulses}
    for name, x in shed.items():  # rigid and flexible, as those of the tumour
        twin = pulses[name.replace("shed", "shed_by_surgery", 1)]
        assert twin / sum(pulses.values()) == pytest.approx(x / sum(shed.values()))
    assert len(shed) == 2
    assert not {r.name for r in composed(primary_growth=True, resection=True).reactions} & set(pulses)  # no blood there


def test_chemotherapy_kills_by_division_and_one_e_fold_a_cycle() -> None:
    net = composed(**BLOOD, dormancy=True, metastasis_growth={"brake": "logistic"}, chemotherapy=True)
    birth = 0.0134 / 0.193
    few = rates(net, environment(net, {"chemo_drug": 1.0, "growing": 1.0, "tumor": 1.0}))
    assert few["chemo_growing"] == pytest.approx(20 * birth)
    assert few["chemo_tumor"] == pytest.approx(20 * birth)
    # the days of full drug of one dose, 1 / clearance, times the kill: what log of cells a cycle takes
    assert few["clear_chemo"] == pytest.approx(log(2) / 0.5)
    assert few["chemo_growing"] / few["clear_chemo"] == pytest.approx(1.0, rel=3e-3)
    # Norton and Simon: cells of a large tumour divide less and are killed less
    many = rates(net, environment(net, {"chemo_drug": 1.0, "growing": 1e12, "tumor": 5e11}))
    assert many["chemo_growing"] / few["chemo_growing"] == pytest.approx(1 - 0.193)
    assert many["chemo_tumor"] / few["chemo_tumor"] == pytest.approx(1 - 0.193 / 2)


def test_sleeping_cells_are_refractory_to_chemotherapy() -> None:
    """Dormancy x chemotherapy: asleep no cell is killed; a drug for cells at rest meets what saving energy leaves."""
    state = {"chemo_drug": 1.0, "growing": 1.0}

    def hit(**mechanisms: Any) -> dict[str, float]:
        net = composed(SLEEP, dormancy=True, metastasis_growth=True, **mechanisms)
        k = rates(net, environment(net, state))
        return {r.name: k[r.name] for r in net.reactions if r.name.startswith("chemo_")}

    assert set(hit(chemotherapy=True)) == {"chemo_growing"}
    sensitive = {"dormant": "sensitive"}
    assert hit(chemotherapy=sensitive)["chemo_dormant"] == pytest.approx(0.1)
    assert hit(chemotherapy=sensitive, energy_saving=True)["chemo_dormant"] == pytest.approx(0.01)
    # woken by a p38 inhibitor they can be killed: more of them grow, and there each meets the drug
    net = composed(SLEEP, dormancy=True, metastasis_growth=True, chemotherapy=True, p38_erk=True, p38_inhibitor=True)
    asleep, woken = (absent(net, "p38_inhibitor", a, **state) for a in (1.0, 0.0))
    assert woken["wake"] > 500 * asleep["wake"]
    assert woken["chemo_growing"] == asleep["chemo_growing"] > 0


def test_chemotherapy_reaches_lesions_by_their_division() -> None:
    net = composed(**BLOOD, metastasis_growth={"metastases": "lesions", "brake": "gompertz"}, chemotherapy=True)
    assert net.lesion is not None
    k = {r.name: r.k for r in net.lesion.reactions}
    for cells in (1.0, 1e6, 1e12):
        values = environment(net, {"chemo_drug": 0.5}) | {"cells": cells}
        assert float(evaluate(k["chemo_lesion"], values)) == pytest.approx(10 * float(evaluate(k["divide"], values)))


def test_endocrine_therapy_slows_division_and_waking() -> None:
    net = composed(**BLOOD, dormancy=True, metastasis_growth=True, endocrine_therapy=True)
    off, on, half = (absent(net, "endocrine_therapy", a) for a in (1.0, 0.0, 0.5))
    ratios = {n: on[n] / off[n] for n in on if on[n] != off[n]}
    assert ratios == pytest.approx({"grow": 0.9, "divide": 0.9, "wake": 0.5})
    assert (on["divide"] - on["wither"]) / (off["divide"] - off["wither"]) == pytest.approx(0.5, abs=0.02)  # net growth
    assert half["wake"] / off["wake"] == pytest.approx(0.75)


def test_a_nk_boost_keeps_cells_from_tissue() -> None:
    net = composed(**BLOOD, nk_boost=True)
    assert extravasated(net, None, {"nk_boost_absent": 0.0}) == pytest.approx(seeding(net, 3))
    assert seeding(net, 3) < 0.35 * seeding(net)


def test_antiplatelet_drugs_need_nk_cells_to_be_of_use() -> None:
    """Platelets x NK (Palumbo 2005): naked cells are seen. By hand from a cell's two states in blood and vessel."""
    bare = {"shear": 1, "adhesion": 1}
    net = composed(**BLOOD, platelets=bare, antiplatelet=True)

    def by_hand(gain: float, nk: float) -> float:
        loss, rest, exit_ = 2.0, 6 + 2 + 1, 1e-3 + environment(net)["arrest_and_extravasation_lodged"]
        seen, cloaked = nk, 0.2 * nk
        # arrested: naked for good; a cloaked one loses its cloak
        leave_naked = 1e-3 / (exit_ + 0.6 * seen / 8)
        leave_cloaked = (1e-3 + loss * leave_naked) / (exit_ + 0.6 * cloaked / 8 + loss)
        # blood: p = (18 leave + switch p') / all, twice
        a, b = 18 + rest + seen + gain, 18 + rest + cloaked + loss
        return (18 * leave_naked + gain * (18 * leave_cloaked) / b) / (a - gain * loss / b)

    untreated, treated = (extravasated(net, None, {"antiplatelet_absent": a}) for a in (1.0, 0.0))
    assert untreated == pytest.approx(by_hand(20, 8), rel=1e-6)
    assert treated == pytest.approx(by_hand(2, 8), rel=1e-6)
    assert treated < 0.9 * untreated
    without = [extravasated(net, None, {"antiplatelet_absent": a, "nk_cells_activity": 0.0}) for a in (1.0, 0.0)]
    assert without[0] == pytest.approx(without[1], rel=1e-12)


def test_a_checkpoint_inhibitor_releases_t_cells_that_are_there() -> None:
    net = composed(SLEEP, t_cells=True, dormancy=True, checkpoint_inhibitor=True)
    off, on = (absent(net, "checkpoint_inhibitor", a, t_effectors=1e5) for a in (1.0, 0.0))
    changed = {n: on[n] / off[n] for n in on if on[n] != off[n]}
    assert changed == pytest.approx({"t_cells_dormant": 3.0, "t_cells_growing": 3.0})
    off, on = (absent(net, "checkpoint_inhibitor", a) for a in (1.0, 0.0))
    assert on == off  # no T cells, nothing to release


def test_clusters_that_are_taken_apart_do_not_arrest_as_clusters() -> None:
    net = composed(**BLOOD, clusters=True, cluster_dissociation=True)
    off, on = (absent(net, "cluster_dissociation", a) for a in (1.0, 0.0))
    assert on["disaggregate_small"] == pytest.approx(20 * off["disaggregate_small"])
    ends = [r.name for r in net.reactions if r.reactants and r.reactants[0][0] == net.index("cluster_small")]
    whole = sum(off[n] for n in ends)

    def arrest(share: float) -> float:
        found = course(net, "cluster_small", None, {"cluster_dissociation_absent": share})
        return sum(x for n, x in found.firings.items() if n == "arrest_cluster_cluster_small")

    assert arrest(1.0) == pytest.approx(off["arrest_cluster_cluster_small"] / whole)
    assert arrest(0.0) == pytest.approx(off["arrest_cluster_cluster_small"] / (whole + 19 * off["disaggregate_small"]))


def test_a_filter_competes_with_all_other_losses() -> None:
    net = composed(**BLOOD, ctc_filtration=True)
    off, on = (extravasated(net, None, {"ctc_filtration_absent": a}) for a in (1.0, 0.0))
    assert on == pytest.approx(seeding(net, 1, 164))
    assert 1 - on / off == pytest.approx(0.82, abs=0.005)  # what the rate was derived from
