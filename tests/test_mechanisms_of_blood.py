"""Mechanisms of the blood against derived figures: one cell's chances in the composed model, by linear algebra."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cells import composed, course, environment, rates
from ctcdyn.model.expr import names
from ctcdyn.model.mechanism import read_mechanism

HAZARDS = ("shear_stress", "anoikis", "oxygen_stress", "nk_cells")
WHOLE = dict.fromkeys(("intravasation", *HAZARDS, "arrest_and_extravasation"), True)

T_CELLS = """
[[reaction]]
name = "t"
equation = "blood ->"
k = "t_kill"
[parameters]
t_kill = { value = "1 /day", source = "assumed: one loss of 36, which is a mechanism of its own" }
"""
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


def test_split_of_losses_and_fold_of_nk_cells_of_the_science() -> None:
    """NK cells take 8 of 36 losses a day; without them 3.2 times as many cells extravasate."""
    net = composed(T_CELLS, **WHOLE)
    cell = course(net, "blood")
    assert cell.firings["nk_blood"] == pytest.approx(8 / 36)
    assert cell.firings["arrest"] == pytest.approx(0.5)
    assert cell.days["blood"] == pytest.approx(1 / 36)
    assert cell.fate("extravasated") == pytest.approx(5e-4)
    assert cell.fate("nk") == pytest.approx(8 / 36 + 0.5 * 0.6, rel=1e-3)  # all but those that live on in tissue
    none = course(net, "blood", parameters={"nk_cells_activity": 0.0})
    assert none.fate("extravasated") / cell.fate("extravasated") == pytest.approx(36 / 28 / (1 - 0.6))
