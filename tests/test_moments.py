"""Exact means and covariances: the method `moments` beside closed forms, moment equations by SciPy and a master
equation; where it is an approximation, and what it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import dblquad, solve_ivp

import oracles
from ctcdyn import load_model, run
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.moments import Moments, describe_moments, order, with_moments
from ctcdyn.errors import CtcError, Status
from ctcdyn.model.expr import Expr, Name, evaluate, parse, text
from ctcdyn.model.network import Network, Observable, Treatment
from ctcdyn.results import Results
from ctcdyn.simulation import Model
from ctcdyn.units import parse_unit
from networks import dimers, network

TOY = oracles.RELAPSE_TOY
Vector = NDArray[np.float64]
KINDS = ("B", "T", "D", "G")  # what varies in `cascade`


def event(name: str, when: str, use: str = "first_passage") -> Observable:
    return Observable(name, None, use, {"when": parse(when), "stop": False}, "d", realised="passage")


def pinned(net: Network, *which: str) -> Network:
    return replace(net, species=tuple(replace(s, continuous=s.name in which) for s in net.species))


def cascade() -> Network:
    """The toy set of T5, whose source can grow and have a rhythm; and a treatment that moves and kills cells and slows
    division for four days."""
    shed = "s * P ** 0.663 * step(10 - t) * (1 + swing * sin(2 * pi * t))"
    rinse = Treatment(
        "rinse", Name("day"), duration=4.0, scale=((7, 0.5),),
        set=((1, parse("0.1 * B")), (2, parse("0")), (3, parse("D + T + 2"))),
    )  # fmt: skip
    net = network(
        "cascade", {"P": 1.0, "B": 0.0, "T": 0.0, "D": 0.0, "G": 0.0},
        {"s": 2.0, "k_ext": 0.5, "d_B": 1.5, "k_TD": 0.3, "k_TG": 0.1, "d_T": 0.6, "k_R": 0.05, "b": 0.5, "d": 0.3,
         "d_D": 0.02, "k_GD": 0.1, "growth": 0.0, "swing": 0.0, "day": 1e9},
        {"grow": ("-> P", "=growth * P"), "shed": ("-> B", "=" + shed), "leave": ("B -> T", "k_ext"),
         "clear": ("B ->", "d_B"), "sleep": ("T -> D", "k_TD"), "settle": ("T -> G", "k_TG"), "die": ("T ->", "d_T"),
         "wake": ("D -> G", "k_R"), "lose": ("D ->", "d_D"), "divide": ("G -> 2 G", "b"), "wither": ("G ->", "d"),
         "resleep": ("G -> D", "k_GD")},
        observables=(
            Observable("settled", parse("D + G"), None, {}, "1"), event("large", "P >= 2"),
        ),
        treatments=(rinse,),
    )  # fmt: skip
    return pinned(net, "P")


def by_hand(k: Mapping[str, float], growth: float, swing: float, start: float, end: float, y: Vector) -> Vector:
    """Means of KINDS (4) and their covariances (16) from one time to another, written reaction by reaction."""
    a = np.zeros((4, 4))
    a[0, 0] = -(k["k_ext"] + k["d_B"])
    a[1, :2] = k["k_ext"], -(k["k_TD"] + k["k_TG"] + k["d_T"])
    a[2, 1:4] = k["k_TD"], -(k["k_R"] + k["d_D"]), k["k_GD"]
    a[3, 1:4] = k["k_TG"], k["k_R"], k["b"] - k["d"] - k["k_GD"]
    b, t, d, g = np.eye(4)
    noises = [  # (kind, rate for each cell, change)
        (0, k["k_ext"], t - b), (0, k["d_B"], -b), (1, k["k_TD"], d - t), (1, k["k_TG"], g - t), (1, k["d_T"], -t),
        (2, k["k_R"], g - d), (2, k["d_D"], -d), (3, k["b"], g), (3, k["d"], -g), (3, k["k_GD"], d - g),
    ]  # fmt: skip

    def slope(at: float, y: Vector) -> Vector:
        m, sigma = y[:4], y[4:].reshape(4, 4)
        on = 1.0 if end <= 10.0 else 0.0
        source = on * k["source"] * np.exp(0.663 * growth * at) * (1.0 + swing * np.sin(2.0 * np.pi * at))
        spread = a @ sigma + sigma @ a.T + source * np.outer(b, b)
        for kind, rate, change in noises:
            spread += rate * m[kind] * np.outer(change, change)
        return np.concatenate([a @ m + source * b, spread.ravel()])

    found: Vector = solve_ivp(slope, (start, end), y, "DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    return found


def covariances(found: Results, row: int, save: int) -> Vector:
    """(4, 4) as the columns of `cascade` have them; what has no column is 0."""
    matrix = np.zeros((4, 4))
    for i, one in enumerate(KINDS):
        for j, other in enumerate(KINDS[i:], i):
            name = f"var_{one}" if one == other else f"cov_{one}_{other}"
            matrix[i, j] = matrix[j, i] = found.values(name)[row, save]
    return matrix


def means(found: Results, row: int, save: int) -> Vector:
    return np.array([found.values(kind)[row, save] for kind in KINDS])


def integrated(net: Network, end: float) -> dict[str, float]:
    """The derived network by SciPy, without a kernel: its species and covariances at `end`."""
    made = with_moments(net)
    names = [*made.species_names, *(o.name for o in made.observables if o.use == "moment")]
    rates = [r.propensity("moments", made) for r in made.reactions]
    change = np.zeros((len(names), len(rates)))
    change[: len(made.species)] = made.stoichiometry()
    change[len(made.species) :, len(net.reactions) :] = np.eye(len(names) - len(made.species))
    values = {p.name: p.value for p in made.parameters}

    def slope(t: float, y: Vector) -> Vector:
        at = values | dict(zip(names, y.tolist(), strict=True)) | {"t": t}
        return change @ np.array([float(evaluate(rate, at)) for rate in rates])

    start = np.concatenate([made.initial_values(), np.zeros(len(names) - len(made.species))])
    y = solve_ivp(slope, (0.0, end), start, "DOP853", rtol=1e-10, atol=1e-10).y[:, -1]
    return dict(zip(names, y.tolist(), strict=True))


@pytest.fixture(scope="module")
def found() -> Results:
    """Patients of `cascade`: the toy set; with a growing source that has a rhythm; and treated on day 15 as well."""
    given = {"growth": [0.0, 0.1, 0.1], "swing": [0.0, 0.8, 0.8], "day": [1e9, 1e9, 15.0]}
    return Model(cascade()).simulate([0.0, 10.0, 20.0], method="moments", parameters=given, rtol=1e-10, atol=1e-10)


def test_moments_of_the_toy_set(found: Results) -> None:
    """T5: means as printed; covariances beside a matrix exponential, and the toy set by hand beside that too."""
    assert set(found.status) == {Status.OK}
    assert_allclose(means(found, 0, 1), [1.0, 0.4999546, 1.25283089, 1.04073544], atol=1e-8)
    assert_allclose(means(found, 0, 2), [2.06e-9, 4.54e-5, 2.66010461, 4.50252560], rtol=1e-3, atol=1e-8)
    k = TOY
    toy: list[tuple[int | None, float, dict[int, int]]] = [
        (0, k["k_ext"], {0: -1, 1: 1}), (0, k["d_B"], {0: -1}), (1, k["k_TD"], {1: -1, 2: 1}), (1, k["d_T"], {1: -1}),
        (1, k["k_TG"], {1: -1, 3: 1}), (2, k["k_R"], {2: -1, 3: 1}), (2, k["d_D"], {2: -1}), (3, k["b"], {3: 1}),
        (3, k["d"], {3: -1}), (3, k["k_GD"], {3: -1, 2: 1}),
    ]  # fmt: skip
    x, sigma = oracles.first_order_moments([*toy, (None, 2.0, {0: 1})], [0.0] * 4, 10.0)
    assert_allclose(means(found, 0, 1), x, rtol=1e-8)
    assert_allclose(covariances(found, 0, 1), sigma, rtol=1e-7, atol=1e-8)
    x, sigma = oracles.first_order_moments(toy, x.tolist(), 10.0, sigma)
    assert_allclose(means(found, 0, 2), x, rtol=1e-7, atol=1e-9)
    assert_allclose(covariances(found, 0, 2), sigma, rtol=1e-7, atol=1e-8)
    assert_allclose(by_hand(TOY, 0.0, 0.0, 0.0, 10.0, np.zeros(20))[:4], means(found, 0, 1), rtol=1e-8)


def test_a_growing_source_with_a_rhythm_and_a_treatment(found: Results) -> None:
    """Beside SciPy: rates that change with time and with a pinned species, which has no variance; m becomes
    A m + b and Sigma A Sigma A^T where a treatment comes, with a rate that is scaled for a time."""
    usual, slow = TOY, TOY | {"b": 0.5 * TOY["b"]}
    y = by_hand(usual, 0.1, 0.8, 0.0, 10.0, np.zeros(20))
    assert_allclose(means(found, 1, 1), y[:4], rtol=1e-8)
    assert_allclose(covariances(found, 1, 1), y[4:].reshape(4, 4), rtol=1e-7, atol=1e-8)
    end = by_hand(usual, 0.1, 0.8, 10.0, 20.0, y)
    assert_allclose(means(found, 1, 2), end[:4], rtol=1e-8, atol=1e-8)
    assert_allclose(covariances(found, 1, 2), end[4:].reshape(4, 4), rtol=1e-7, atol=1e-8)
    y = by_hand(usual, 0.1, 0.8, 10.0, 15.0, y)
    effect = np.eye(4)
    effect[0, 0], effect[1, 1], effect[2, 1] = 0.1, 0.0, 1.0
    moved = effect @ y[:4] + [0.0, 0.0, 2.0, 0.0]
    y = np.concatenate([moved, (effect @ y[4:].reshape(4, 4) @ effect.T).ravel()])
    y = by_hand(slow, 0.1, 0.8, 15.0, 19.0, y)
    y = by_hand(usual, 0.1, 0.8, 19.0, 20.0, y)
    assert_allclose(means(found, 2, 2), y[:4], rtol=1e-8, atol=1e-8)
    assert_allclose(covariances(found, 2, 2), y[4:].reshape(4, 4), rtol=1e-7, atol=1e-8)
    assert_allclose(found.values("P")[1], np.exp([0.0, 1.0, 2.0]), rtol=1e-9)
    assert_allclose(found.event_time[1:, 0], 10.0 * np.log(2.0), rtol=1e-7)  # an event of what is pinned
    assert not [name for name in found.observable if "P" in name.split("_")]
    assert_allclose(found.values("settled"), found.values("D") + found.values("G"), rtol=1e-14)


def test_birth_death_and_immigration() -> None:
    """T1 and T2, as printed, beside the closed forms; numbers alone, so one kernel."""
    model = load_model("birth_death_immigration")
    found = model.simulate([0.0, 5.0], method="moments", parameters={"immigration": [0.5, 0.0]}, rtol=1e-10)
    assert_allclose([found.state[0, 1, 0], found.values("var_colony")[0, 1]], [4.29570457, 41.20186010], atol=2e-8)
    exact = oracles.birth_death_immigration(1.0, 0.8, 0.5, 5.0)
    assert_allclose([found.state[0, 1, 0], found.values("var_colony")[0, 1]], [exact["mean"], exact["var"]], rtol=1e-9)
    assert (found.values("var_colony")[1] == 0.0).all()
    one = model.simulate(
        [0.0, 5.0], method="moments", parameters={"immigration": 0.0}, initial={"colony": 1.0}, rtol=1e-10
    )
    assert_allclose([one.state[0, 1, 0], one.values("var_colony")[0, 1]], [2.71828183, 42.03696843], atol=2e-8)
    assert len(model._kernels) == 1


def test_the_linear_noise_approximation_gains_with_the_volume() -> None:
    """Pairs that form and part, beside the master equation: the errors of a share fall as 1 / number of cells."""
    net = network(
        "pairs", {"A": 40.0, "P": 0.0}, {"join": 1.0, "part": 0.6, "size": 40.0},
        {"meet": ("2 A -> P", "join / size"), "fall": ("P -> 2 A", "part")},
    )  # fmt: skip
    (reason,) = Moments(net).approximate
    assert reason == 'the rate of "meet" is not of first order in A'
    errors = []
    for size in (40, 80, 160):
        laws, lost = oracles.master_equation(
            [[1], [-1]],
            lambda x, size=size: [(size - 2 * x[0]) * (size - 2 * x[0] - 1) / 2 / size, 0.6 * x[0]],
            [0], [size // 2 + 1], [1.0],
        )  # fmt: skip
        assert abs(lost) < 1e-12
        count = np.arange(size // 2 + 1)
        mean = laws[0] @ count
        exact = np.array([mean, laws[0] @ (count - mean) ** 2])
        found = integrated(net.with_values({"size": float(size)}, {"A": float(size)}), 1.0)
        near = np.array([found["P"], found["var_P"]])
        assert_allclose(found["cov_A_P"], -2.0 * near[1], rtol=1e-8)  # A + 2 P stays
        errors.append(np.abs(near - exact) / size)
    assert (errors[0] < 0.01).all()
    first, second = errors[0] / errors[1], errors[1] / errors[2]
    assert_allclose(second, 2.0, rtol=0.004)  # halved with each doubling
    assert_allclose((first - 2.0) / (second - 2.0), 2.0, rtol=0.06)  # and what is left of that as well: order 1, then 2


@pytest.mark.parametrize(
    "rate, expected",
    [
        ("k * x", 1), ("k * (x + y) / 2 - x", 1), ("k * p * x", 1), ("k * p * p", 0), ("where(p > 1, x, 3)", 1),
        ("x * max(1 - p / 9, 0)", 1), ("x * y", 2), ("x / (1 + y)", 2), ("where(x > 1, k, 0)", 2), ("max(x, k)", 2),
        ("step(x - 3)", 2), ("x ** 2", 2), ("exp(t) * x", 1),
    ],
)  # fmt: skip
def test_order_of_a_rate(rate: str, expected: int) -> None:
    assert order(parse(rate), frozenset({"x", "y"})) == expected


def test_what_is_pinned_and_fed_by_cells_has_their_variance_and_none_of_its_own() -> None:
    """A marker M' = c x - f M of dividing cells x: with x' = g x, E x_s x_t = e^(g (t - s)) E x_s^2 for s <= t."""
    net = network(
        "marked", {"x": 3.0, "M": 0.0}, {"b": 1.0, "d": 0.8, "c": 0.7, "f": 0.2},
        {"divide": ("x -> 2 x", "b"), "die": ("x ->", "d"), "mark": ("x -> x + M", "c"), "fade": ("M ->", "f")},
    )  # fmt: skip
    found = integrated(pinned(net, "M"), 2.0)

    def both(s: float, t: float) -> float:  # covariance of x at two times, by what M keeps of each
        early = oracles.birth_death(1.0, 0.8, min(s, t), 3)["var"]
        return float(0.49 * np.exp(-0.2 * (4.0 - s - t) + 0.2 * abs(s - t)) * early)

    half = 2.0 * dblquad(both, 0.0, 2.0, 0.0, lambda s: s, epsabs=1e-12, epsrel=1e-12)[0]
    assert_allclose(found["var_M"], half, rtol=1e-9)
    counted = integrated(net, 2.0)
    own = counted["var_M"] - half  # of a counted marker: Poisson arrivals that fade one by one
    assert_allclose(own, counted["M"], rtol=1e-9)


def test_equations_are_those_of_the_page() -> None:
    """Evaluated at random: J Sigma + Sigma J^T + S diag(a) S^T in the numbers of three species that meet."""
    net = dimers()
    moments, rng = Moments(net), np.random.default_rng(5)
    x, sigma = rng.uniform(1.0, 9.0, 3), rng.uniform(-1.0, 1.0, (3, 3))
    sigma = sigma + sigma.T
    a, b, c = x
    rates = np.array([0.05 * a * a / 2, 0.04 * a * b, 0.6 * c])
    change = np.array([[-2, -1, 3], [1, -1, 0], [0, 1, -1]], float)
    slopes = np.array([[0.05 * a, 0.0, 0.0], [0.04 * b, 0.04 * a, 0.0], [0.0, 0.0, 0.6]])
    j = change @ slopes
    expected = j @ sigma + sigma @ j.T + change @ np.diag(rates) @ change.T
    values = dict(zip("ABC", x.tolist(), strict=True)) | {p.name: p.value for p in net.parameters}
    values |= {moments.column(s, z): float(sigma[s, z]) for s, z in moments.pairs}
    assert moments.pairs == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    for (s, z), growth in zip(moments.pairs, moments.growths, strict=True):
        assert_allclose(evaluate(growth, values), expected[s, z], rtol=1e-12)


def refused(net: Network) -> list[tuple[str, str]]:
    """(code, what) of everything that stands against moment equations."""
    with pytest.raises(CtcError) as told:
        link(net, "moments")
    return [(problem.code, problem.what) for problem in told.value.problems]


def test_what_means_do_not_answer_is_refused_with_the_reason() -> None:
    """All at once: events and conditions of what varies, what is set to a product, a unit, a name that is taken."""
    net = cascade()
    wrong = (
        Treatment("waits", parse("G >= 10"), scale=((0, 0.5),)),
        Treatment("kills", 5.0, set=((4, parse("G * T")),)),
        Treatment("fine", parse("P >= 2"), set=((0, parse("0")), (4, parse("G - 0.3 * T")))),
    )
    observables = (*net.observables, event("seen", "D + G >= 1"), Observable("var_G", parse("G"), None, {}, "1"))
    nanomolar = parse_unit("nmol/mL")
    amounts = tuple(
        replace(s, dimension=nanomolar.dimension, declared="nmol/mL") if s.name in ("P", "B") else s
        for s in net.species
    )
    problems = refused(replace(net, species=amounts, treatments=wrong, observables=observables))
    assert sorted(code for code, _ in problems) == ["M301", "M321", "M321", "M322", "M323"]
    told = " ".join(what for _, what in problems)
    for part in (
        'when "waits" is given depends on G', '"kills" sets G to what is not of first order in G', "B has the unit",
        'the event "seen" waits for D', "column var_G",
    ):  # fmt: skip
        assert part in told
    ring = {f"move{i}": (f"x{i} -> x{(i + 1) % 30}", "a") for i in range(30)}
    large = network("ring", {f"x{i}": 1.0 for i in range(30)}, {"a": 1.0}, ring)
    ((code, what),) = refused(large)
    assert (code, "30 species" in what, "495 equations" in what) == ("M315", True, True)
    few = {f"move{i}": (f"x{i} -> x{(i + 1) % 17}", "a") for i in range(17)}
    ((code, what),) = refused(network("ring", {f"x{i}": 1.0 for i in range(17)}, {"a": 1.0}, few))
    assert (code, "LU factors" in what) == ("M315", True)


def test_only_what_can_covary_has_a_column() -> None:
    """Two colonies that know nothing of each other; one that a treatment copies into the other."""
    net = network(
        "two", {"x": 1.0, "y": 1.0, "still": 4.0}, {"b": 1.0},
        {"grow": ("x -> 2 x", "b"), "spread": ("y -> 2 y", "b * still")},
    )  # fmt: skip
    assert [o.name for o in with_moments(net).observables] == ["var_x", "var_y"]
    assert describe_moments(net)[1:] == [
        "exact: all rates are of first order in what varies", "without variance: still"
    ]  # fmt: skip
    births = Observable("births", None, "flux", {"reaction": "grow"}, "1", realised="counter")
    counted = Moments(replace(net, observables=(births,)))
    assert [counted.column(s, z) for s, z in counted.pairs] == ["var_x", "cov_x_births", "var_y", "var_births"]
    assert [text(e) for e in counted.growths[1::2]] == [
        "b * cov_x_births + b * var_x + b * x", "2 * (b * cov_x_births) + b * x"
    ]  # fmt: skip
    copied = replace(net, treatments=(Treatment("copy", 1.0, set=((1, parse("3 * x")),)),))
    made = with_moments(copied)
    assert [o.name for o in made.observables] == ["var_x", "cov_x_y", "var_y"]
    sets: list[tuple[int, Expr]] = list(made.treatments[0].set)
    assert [(s, text(e)) for s, e in sets] == [(1, "3 * x"), (4, "3 * var_x"), (5, "9 * var_x")]


STUDY = """schema = 1
[model]
use = "birth_death_immigration"
[simulate]
method = "moments"
t_end = 5
[ensemble]
trajectories = 1
seed = 1
[output]
file = "{file}"
"""


def test_a_study_says_what_its_result_is(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY.format(file=tmp_path / "x.h5"), encoding="utf-8")
    with run(study, threads=1) as found:
        assert "exact: all rates are of first order" in str(found.provenance["method_note"])
        assert found.observable == ("var_colony", "turnover")
    lines = describe_moments(load_model("kuznetsov_1994").network)
    assert "not exact: the linear noise approximation" in lines[1]
    assert any('"kill"' in line and "effectors, tumor" in line for line in lines)
