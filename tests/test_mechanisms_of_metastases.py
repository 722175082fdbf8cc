"""Growth of metastases: brakes, the bottleneck, detection and shedding against closed forms, without a kernel."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cells import composed, environment, rates
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network

TUMOR = """
[species]
blood = { unit = "cells", stage = "blood" }
tissue = { unit = "cells", stage = "tissue" }
[[reaction]]
name = "extravasate"
equation = "blood -> tissue"
k = "leaving"
[parameters]
leaving = { value = "1 /day", source = "assumed: a test" }
"""


def slope(net: Network, n: float) -> float:
    values = environment(net, {"growing": n})
    k = rates(net, values)
    return (k["divide"] - k["wither"]) * n


def test_brakes_stop_metastases_by_their_closed_forms() -> None:
    lam = 0.0134
    for brake, law in (
        ("none", lambda t: exp(lam * t)),
        ("logistic", lambda t: 1e12 / (1 + (1e12 - 1) * exp(-lam * t))),
        ("gompertz", lambda t: exp(log(1e12) * (1 - exp(-lam / log(1e12) * t)))),
    ):
        net = composed("", metastasis_growth={"brake": brake})
        got = solve_ivp(lambda t, x, net=net: [slope(net, x[0])], (0, 1500), [1.0], "LSODA", [500, 1500],
                        rtol=1e-8, atol=1e-8)  # fmt: skip
        assert got.y[0] == pytest.approx([law(500), law(1500)], rel=1e-5)
        if brake != "none":
            assert slope(net, 1e12) == pytest.approx(0, abs=1e-3)
            assert slope(net, 2e12) < 0
    # births die at the ratio that colony_survival says
    k = rates(net, environment(net, {"growing": 1.0}))
    assert 1 - k["wither"] / k["divide"] == pytest.approx(0.193)


def test_the_gompertz_law_of_breast_tumours_comes_out() -> None:
    # T14 of the dossier (Norton 1988): exp(ln 3.1e12 (1 - exp(-0.0283 months)))
    month = 365.25 / 12
    settings = {"brake": "gompertz", "capacity": "3.1e12 cells", "growth": f"{0.0283 / month * log(3.1e12):.12g} /day"}
    net = composed("", metastasis_growth=settings)
    at = [12 * month, 24 * month, 60 * month, 120 * month]
    got = solve_ivp(lambda t, x: [slope(net, exp(x[0])) / exp(x[0])], (0, at[-1]), [0.0], "LSODA", at,
                    rtol=1e-10, atol=1e-10)  # fmt: skip
    assert np.exp(got.y[0]) == pytest.approx([3.9521e3, 1.4387e6, 1.6026e10, 1.1825e12], rel=1e-3)


def lives_on(net: Network, founders: list[int], largest: int = 4000) -> list[float]:
    """Chance that the line of n founders never dies out: sums over products of deaths over births."""
    assert net.lesion is not None
    values: dict[str, Any] = environment(net) | {net.lesion.size: np.arange(1.0, largest)}
    k = {r.name: r.k for r in net.lesion.reactions}
    birth, death = (np.broadcast_to(np.asarray(evaluate(k[n], values)), largest - 1) for n in ("divide", "wither"))
    terms = np.concatenate([[1.0], np.exp(np.cumsum(np.log(death) - np.log(birth)))])
    sums = np.cumsum(terms)
    return [float(sums[n - 1] / sums[-1]) for n in founders]


@pytest.mark.parametrize(
    ("size", "steepness", "chances"),
    [
        (3, 2, {1: 1.872e-3, 5: 0.2007, 10: 0.611}),
        (6, 2, {1: 3.472e-6, 5: 1.314e-2, 10: 0.2047}),
        (8, 2, {1: 4.70e-8, 5: 1.15e-3, 10: 0.0621, 20: 0.574}),
        (2, 1, {1: 7.25e-3, 5: 0.137, 10: 0.419}),
    ],
)
def test_a_bottleneck_lets_groups_found_what_single_cells_do_not(
    size: int, steepness: int, chances: dict[int, float]
) -> None:
    settings = {"metastases": "lesions", "bottleneck": "on", "bottleneck_size": f"{size} cells",
                "bottleneck_steepness": steepness, "colony_survival": 1 - 1 / 1.24}  # fmt: skip
    net = composed(TUMOR, fate_in_tissue=True, metastasis_growth=settings)
    assert lives_on(net, list(chances)) == pytest.approx(list(chances.values()), rel=5e-3)


def test_without_a_bottleneck_lines_live_on_independently() -> None:
    net = composed(TUMOR, fate_in_tissue=True, metastasis_growth={"metastases": "lesions"})
    assert lives_on(net, [1, 5]) == pytest.approx([0.193, 1 - (1 - 0.193) ** 5])


def test_metastases_of_a_pool_are_detected_at_the_median_of_detection_size() -> None:
    net = composed(TUMOR, fate_in_tissue=True, metastasis_growth={"detect": "hazard", "detection_size": "1e6 cells"})
    k = rates(net, environment(net))["detect"]
    growth = 0.0134
    t = np.linspace(0, log(1e6) / growth, 200001)  # until one metastasis, growing from one cell, has that size
    assert exp(-np.trapezoid(k * np.exp(growth * t), t)) == pytest.approx(0.5, rel=1e-5)


def test_metastases_shed_as_a_primary_of_their_size_does() -> None:
    net = composed(TUMOR, fate_in_tissue=True, metastasis_growth={"metastases": "lesions", "spread": "on"})
    assert net.lesion is not None
    spread = next(r for r in net.lesion.reactions if r.name == "spread")
    values = dict(zip(net.parameter_names, net.parameter_values().tolist(), strict=True)) | {"cells": 1e6}
    assert float(evaluate(spread.k, values)) * 1e6 == pytest.approx(7.8e-8 * 0.0445 * 1e6**0.663)
    pool = composed(TUMOR, fate_in_tissue=True, metastasis_growth={"spread": "on"})
    assert rates(pool, environment(pool))["spread"] == 0.0445
    assert pool.stoichiometry()[pool.index("blood"), pool.index("spread")] == 1


def test_a_bottleneck_is_for_lesions_and_a_hazard_of_detection_for_a_pool() -> None:
    for settings in ({"bottleneck": "on"}, {"metastases": "lesions", "detect": "hazard"}, {"capacity": 5}):
        with pytest.raises(CtcError) as told:
            composed(TUMOR, fate_in_tissue=True, metastasis_growth=settings)
        assert [p.code for p in told.value.problems] == ["M342"]
