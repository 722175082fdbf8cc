"""The shipped model files against the literature: right-hand sides, tables, published figures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import oracles
from ctcdyn.config import load_study
from ctcdyn.model.expr import evaluate
from ctcdyn.model.load import load_model, resolve
from ctcdyn.model.network import Network
from instances import WRITTEN

ROOT = Path(__file__).parents[1]
MODELS = sorted(path.stem for path in (ROOT / "src/ctcdyn/models").glob("*.toml"))
STUDIES = sorted(
    str(path.relative_to(ROOT / "configs"))
    for path in (ROOT / "configs").rglob("*.toml")
    if not path.name.endswith(".model.toml")
)
Vector = NDArray[np.float64]


def parameters(network: Network) -> dict[str, float]:
    """Nominal values by name, derived ones among them."""
    return dict(zip(network.parameter_names, network.parameter_values().tolist(), strict=True))


def right_hand_side(network: Network) -> Callable[[float, Vector], Vector]:
    """x' = S rates(x), read off the network itself, no generated code."""
    stoichiometry = network.stoichiometry()
    rates = [reaction.propensity("ode", network) for reaction in network.reactions]
    values = parameters(network)

    def slope(t: float, x: Vector) -> Vector:
        state = values | dict(zip(network.species_names, x, strict=True)) | {"t": t}
        return stoichiometry @ np.array([float(evaluate(rate, state)) for rate in rates])

    return slope


def readings(network: Network, x: Vector) -> dict[str, float]:
    """Every observable at state x."""
    state = parameters(network) | dict(zip(network.species_names, x, strict=True))
    return {
        item.name: float(evaluate(item.expr, state)) for item in network.observables if item.expr is not None
    }


@pytest.mark.parametrize("name", MODELS)
def test_every_value_has_a_source(name: str) -> None:
    network = load_model(name)
    assert network.title
    written = Path(network.path).read_text(encoding="utf-8")
    assert written.startswith(f"# {name}.toml: ")
    for parameter in network.parameters:
        assert parameter.source.startswith(("doi:10.", "assumed: ", "derived: ")), parameter.name
        assert parameter.expr is not None or parameter.bounds is not None, parameter.name
        assert parameter.expr is not None or parameter.doc, parameter.name
    header = written.split("schema = 1")[0]
    for reaction in network.reactions if name in WRITTEN else ():  # the others' stand in the pages of mechanisms
        assert f"#   {reaction.name} " in header, f"{reaction.name} is missing in the reaction table"
    assert f"## {name}\n" in (ROOT / "docs/models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_small_instance_is_there(name: str) -> None:
    assert "t_end" in load_model(name).tests


@pytest.mark.parametrize("file", STUDIES)
def test_every_study_fits_its_model(file: str) -> None:
    study = load_study(ROOT / "configs" / file)
    network = load_model(study.model)
    assert len(resolve(network, study).network.reactions) == len(network.reactions)


def test_metastasis_is_the_closed_form() -> None:
    """Means of the file by ODE at 1e-11 against the matrix exponential, all states and shares."""
    network = load_model("experimental_metastasis")
    assert network.species_names == oracles.METASTASIS_STATES
    assert network.conservation() == [dict.fromkeys(oracles.METASTASIS_STATES, 1)]
    start, times = network.initial_values(), [0.5, 3.0, 13.0]
    run = solve_ivp(right_hand_side(network), (0, 13), start, "Radau", times, rtol=1e-11, atol=1e-9)
    for j, t in enumerate(times):
        expected = np.array(list(oracles.metastasis_probabilities(t).values()))
        assert_allclose(run.y[:, j], 1e5 * expected, rtol=1e-8, atol=1e-6)
        shares = oracles.metastasis_shares(t)
        assert readings(network, run.y[:, j]) == pytest.approx(shares, rel=1e-8)


def test_metastasis_meets_what_set_its_rates() -> None:
    network = load_model("experimental_metastasis")
    assert [(item.observable, item.time, item.value) for item in network.published] == [
        ("extravasated_share", 3.0, 0.80), ("micrometastasis_share", 3.0, 0.02),
        ("macrometastasis_share", 13.0, 0.0002), ("solitary_share", 13.0, 0.36),
    ]  # fmt: skip
    for item in network.published:
        assert item.used_for == "rate"
        assert oracles.metastasis_shares(item.time)[item.observable] == pytest.approx(item.value, rel=1e-5)


def test_human_breast_sizes() -> None:
    """The study of five diameters: an exponential primary, against the closed form and as printed."""
    study = load_study(ROOT / "configs/human_breast_sizes.toml")
    network = resolve(load_model(study.model), study).network
    times = list(study.simulate.times[1:])
    start = network.initial_values()
    run = solve_ivp(right_hand_side(network), (0, times[-1]), start, "Radau", times, rtol=1e-11, atol=1e-12)
    printed = {  # per litre, per tube, asleep or to be, metastases founded
        2.7: (11.0, 0.083, 22, 0.0034), 10.0: (149, 1.12, 302, 0.045), 20.0: (592, 4.44, 1200, 0.180),
        30.0: (1.33e3, 9.95, 2690, 0.403), 50.0: (3.66e3, 27.5, 7430, 1.11),
    }  # fmt: skip
    for j, (diameter, figures) in enumerate(printed.items()):
        state = dict(zip(network.species_names, run.y[:, j], strict=True))
        row = oracles.human_breast_sizes(diameter, oracles.HUMAN_BREAST)
        got = readings(network, run.y[:, j])
        assert got["diameter"] == pytest.approx(diameter, rel=1e-6)
        assert got["shed_per_day"] == pytest.approx(row["shed"], rel=1e-6)
        closed = {"tumor": "N", "blood": "blood", "dormant": "dormant", "shed_cells": "total"}
        assert_allclose([state[name] for name in closed], [row[name] for name in closed.values()], rtol=2e-6)
        names = ("ctc_per_litre", "ctc_per_tube", "dormant_expected", "metastases_expected")
        assert_allclose([got[name] for name in names], figures, rtol=0.02)


def test_human_breast_rates() -> None:
    network = load_model("human_breast_min")
    value = parameters(network)
    assert value["p_metastasis"] == pytest.approx(1.50e-8, rel=0.005)
    assert [value["tumor_birth"], value["tumor_death"]] == pytest.approx([0.0694, 0.0560], abs=5e-5)
    fast = network.with_values(parameters={"metastasis_growth": np.log(2.0) / 20.0})
    value = parameters(fast)
    assert [value["metastasis_birth"], value["metastasis_death"]] == pytest.approx([0.1796, 0.1449], abs=5e-5)


def test_kuznetsov_is_the_paper() -> None:
    network = load_model("kuznetsov_1994")
    slope = right_hand_side(network)
    for state in ([3.2e5, 5e6], [1.3e6, 2.2e8], [1.0, 0.0], [0.0, 1.0]):
        assert_allclose(slope(0.0, np.array(state)), oracles.kuznetsov(0.0, np.array(state)), rtol=1e-12)
    assert_allclose(network.initial_values(), [3.2e5, 5e6])


@pytest.mark.parametrize("pair", sorted(oracles.DE_PILLIS_PAIRS))
def test_de_pillis_is_the_paper(pair: str) -> None:
    names = {
        "c": "nk_killing", "g": "nk_recruitment", "j": "cd8_recruitment",
        "d": "cd8_killing", "lam": "cd8_exponent", "s": "cd8_saturation",
    }  # fmt: skip
    network = load_model("de_pillis_2005")
    if pair != "nn":  # the values in the file
        values = {names[letter]: value for letter, value in oracles.DE_PILLIS_PAIRS[pair].items()}
        network = network.with_values(parameters=values)
    slope = right_hand_side(network)
    for state in ([1e4, 1e3, 1.0], [5e6, 1e5, 3e4], [0.0, 1e3, 0.0], [0.0, 1e3, 5.0], [1e4, 1e3, 0.0]):
        assert_allclose(
            slope(0.0, np.array(state)), oracles.de_pillis(0.0, np.array(state), pair), rtol=1e-12
        )
    assert_allclose(network.initial_values(), [1e4, 1e3, 1.0])


def test_ctc_five_is_the_printed_system() -> None:
    t, b, e, q, g = state = np.array([3e9, 4e4, 900.0, 5e4, 2e7])
    printed = [
        0.01 * t * (1 - t / 1e10) - 1e-4 * t,
        1e-4 * t + 1e-5 * g - (8 + 8 + 0.05) * b,
        0.05 * b - (0.1 + 0.005 + 1) * e,
        0.1 * e - (5e-4 + 1e-3) * q,
        0.005 * e + 5e-4 * q + 0.02 * g * (1 - g / 1e8) - 1e-5 * g - 0.005 * g,
    ]
    network = load_model("ctc_five")
    assert_allclose(right_hand_side(network)(0.0, state), printed, rtol=1e-12)
    assert_allclose(network.initial_values(), [1e6, 0, 0, 0, 0])


@pytest.mark.parametrize("name, t", [("ctc_linear", 100.0), ("birth_death_immigration", 5.0)])
def test_first_order_models_have_the_closed_mean(name: str, t: float) -> None:
    network = load_model(name)
    run = solve_ivp(
        right_hand_side(network), (0, t), network.initial_values(), "Radau", [t], rtol=1e-11, atol=1e-12
    )
    printed = {"ctc_linear": [124.61, 5.638, 51.89, 4.497], "birth_death_immigration": [4.29570457]}[name]
    assert_allclose(run.y[:, 0], printed, rtol=1e-4)
