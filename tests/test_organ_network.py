"""Where shed cells end: the eliminated circuit beside the whole Markov chain, and metastases by organ."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from chance import assert_fraction, fraction_size, seed_of
from ctcdyn.model.load import load_model
from ctcdyn.results import Results
from ctcdyn.simulation import Model
from test_shipped_models import parameters, right_hand_side

NETWORK = load_model("organ_network")
ORGANS = ("lung", "liver", "brain", "bone", "gut", "other")
FLOW = {"brain": 0.12, "bone": 0.05, "artery": 0.065, "gut": 0.19, "other": 0.575}
ENTRY = {"breast": "right", "colon": "portal", "lung": "left"}
PRIMARY = {"breast": {}, "colon": {"from_portal": 1.0}, "lung": {"from_lung": 1.0}}


def absorption(arrest: float) -> dict[str, NDArray[np.float64]]:
    """A = (I - Q)^-1 R of the whole circuit, as rows by where a cell enters it: every vessel is a state."""
    states = ("right", "lung", "left", "brain", "bone", "artery", "gut", "portal", "liver", "other")
    at = {name: k for k, name in enumerate(states)}
    passes, arrests = np.zeros((10, 10)), np.zeros((10, 6))
    beds = {"lung": "left", "brain": "right", "bone": "right", "gut": "portal", "liver": "right", "other": "right"}
    for bed, after in beds.items():
        passes[at[bed], at[after]] = 1 - arrest
        arrests[at[bed], ORGANS.index(bed)] = arrest
    passes[at["right"], at["lung"]] = passes[at["artery"], at["liver"]] = passes[at["portal"], at["liver"]] = 1.0
    for name, flow in FLOW.items():
        passes[at["left"], at[name]] = flow
    whole = np.linalg.solve(np.eye(10) - passes, arrests)
    return {name: whole[at[entry]] for name, entry in ENTRY.items()}


def shares(**given: float) -> NDArray[np.float64]:
    """What the derived parameters of the file say: share of each organ, float64 (6,)."""
    value = parameters(NETWORK.with_values(parameters=given))
    return np.array([value[f"share_{organ}"] for organ in ORGANS])


PRINTED = [
    (0.9, "breast", (0.90752, 0.00762, 0.01089, 0.00454, 0.01724, 0.05218)),
    (0.9, "colon", (0.09075, 0.90076, 0.00109, 0.00045, 0.00172, 0.00522)),
    (0.9, "lung", (0.07523, 0.07623, 0.10890, 0.04538, 0.17243, 0.52183)),
    (0.5, "breast", (0.64620, 0.05170, 0.03877, 0.01616, 0.06139, 0.18578)),
    (0.025, "breast", (0.46390, 0.11319, 0.05428, 0.02262, 0.08594, 0.26008)),
    (0.025, "colon", (0.45231, 0.13536, 0.05292, 0.02205, 0.08379, 0.25357)),
]


@pytest.mark.parametrize("arrest, primary, printed", PRINTED)
def test_the_eliminated_circuit_is_the_circuit(arrest: float, primary: str, printed: tuple[float, ...]) -> None:
    """T12, as printed to five digits, and to 1e-12 of the chain, for both classes of cells."""
    exact = absorption(arrest)[primary]
    assert_allclose(exact, printed, atol=5.1e-6)
    assert exact.sum() == pytest.approx(1.0, rel=1e-14)
    assert_allclose(shares(arrest_rigid=arrest, **PRIMARY[primary]), exact, rtol=1e-12)
    assert_allclose(shares(arrest_deformable=arrest, rigid_share=0.0, **PRIMARY[primary]), exact, rtol=1e-12)


def test_mixtures_of_cells_and_of_ways_into_the_blood() -> None:
    mixed = shares(rigid_share=0.7, from_portal=0.2, from_lung=0.5)
    rows = [absorption(a) for a in (0.9, 0.025)]
    exact = sum(
        w * (0.3 * row["breast"] + 0.2 * row["colon"] + 0.5 * row["lung"])
        for w, row in zip((0.7, 0.3), rows, strict=True)
    )
    assert_allclose(mixed, exact, rtol=1e-12)
    assert mixed.sum() == pytest.approx(1.0, rel=1e-13)


def test_rigid_cells_of_a_colon_stay_in_the_liver_and_deformable_ones_spread() -> None:
    rigid, soft = (shares(from_portal=1.0, rigid_share=x) for x in (1.0, 0.0))
    assert rigid[1] > 0.9
    assert soft[1] < 0.14
    beyond = [1 - x[0] - x[1] for x in (rigid, soft)]  # past liver and lung
    assert beyond == pytest.approx([0.00849, 0.41233], abs=1e-5)


def test_self_seeding_hastens_the_primary_by_the_closed_law() -> None:
    """P' = g P + c P^alpha is linear in P^(1 - alpha); off, c is 0."""
    g, alpha, days = 0.0134, 0.663, 1500.0
    for on in (0.0, 1.0):
        network = NETWORK.with_values(parameters={"self_seeding": on, "carrying_capacity": 1e30})
        c = on * 0.0445 * 0.01 / 0.575 * absorption(0.9)["breast"][5]
        law = ((1 + c / g) * np.exp(g * (1 - alpha) * days) - c / g) ** (1 / (1 - alpha))
        run = solve_ivp(right_hand_side(network), (0, days), [1.0], "LSODA", [days], rtol=1e-10, atol=1e-9)
        assert run.y[0, 0] == pytest.approx(law, rel=1e-6)
    assert law / np.exp(g * days) == pytest.approx(1.008959, abs=1e-6)


def founded_as_told(found: Results) -> bool:
    """Whether each patient has as many lesions of the primary in the table as founding reactions fired."""
    table = found.lesions.to_pandas()
    own = table[table["parent"] < 0].groupby("trajectory_id").size().reindex(range(len(found.status)), fill_value=0)
    fired = sum(found.values(f"founded_seed_{organ}")[:, -1] for organ in ORGANS)
    return bool((own.to_numpy() == fired).all())


def test_metastases_by_organ_and_those_that_they_found() -> None:
    """Sampled organs are the shares times the soil; lesions of the gut seed the liver, of the lung what lies behind.
    Six founders and no other cells: a leap once gave all lesions to the last of them."""
    given = {
        "tumor_growth": 0.0, "shedding": 1.0, "size_exponent": 1.0, "p_found": 0.4, "soil_bone": 5.0,
        "rigid_share": 0.5, "metastasis_birth": 0.0, "metastasis_death": 0.2, "secondary": 0.2,
    }  # fmt: skip  # 12 lesions of the primary in a month, and 0.4 of each of them
    rows = {name: 0.5 * row + 0.5 * absorption(0.025)[name] for name, row in absorption(0.9).items()}
    soil = np.array([1.0, 1.0, 1.0, 5.0, 1.0, 1.0])
    expected = {name: row * soil / (row * soil).sum() for name, row in rows.items()}
    found = Model(NETWORK).simulate(
        [0.0, 30.0], method="first_order_leap", lesion_method="direct", n=3000, parameters=given, seed=seed_of()
    )
    table = found.lesions.to_pandas()
    organ, parent = np.asarray(table["organ"].astype(str)), np.asarray(table["parent"])
    place = {key: k for k, key in enumerate(zip(table["trajectory_id"], table["lesion"], strict=True))}
    of = np.array([
        organ[place[key]] if key[1] >= 0 else "" for key in zip(table["trajectory_id"], parent, strict=True)
    ])  # fmt: skip
    assert founded_as_told(found)
    groups = {"breast": parent < 0, "colon": of == "gut", "lung": of == "lung"}
    for name, group in groups.items():
        for k, where in enumerate(ORGANS):
            p = expected[name][k]
            detect = max(0.03, 0.3 * p) if name == "breast" else 0.12
            n = fraction_size(p, detect)
            assert group.sum() >= n, (name, where, group.sum(), n)
            assert_fraction((organ[group] == where)[:n], p, detect=detect)
