"""Growth, detachment, EMT, intravasation and clusters against closed forms and derived fold changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

from cells import composed, course, environment, rates, same, share, shed
from ctcdyn.model.expr import evaluate
from ctcdyn.model.network import Network

MONTH = 365.25 / 12
SIZES = (1.0, 1e3, 1e7, 1e11)


def net_growth(net: Network, size: float) -> float:
    k = rates(net, environment(net, {"tumor": size}))
    return k["grow"] - k["shrink"]


def grown(net: Network, days: list[float]) -> np.ndarray:
    """Size from one cell by the rate equation of the composed model."""

    def slope(t: float, y: np.ndarray) -> list[float]:
        return [net_growth(net, math.exp(y[0]))]

    found = solve_ivp(slope, (0, days[-1]), [0.0], "DOP853", t_eval=days, rtol=1e-9, atol=1e-9)
    return np.exp(found.y[0])


def test_gompertz_grows_as_the_table_of_the_science() -> None:
    net = composed(primary_growth={"law": "gompertz"})
    found = grown(net, [n * MONTH for n in (12, 24, 60, 120)])
    np.testing.assert_allclose(found, [3.9521e3, 1.4387e6, 1.6026e10, 1.1825e12], rtol=5e-5)


def test_spratt_grows_as_the_table_of_the_science() -> None:
    doubling = f"{math.log(2) / 51.7!r} /day"
    net = composed(primary_growth={"law": "spratt", "growth": doubling})
    np.testing.assert_allclose(grown(net, [51.7, 1000, 2000]), [1.9985, 5.9623e5, 4.0778e10], rtol=5e-5)


def test_logistic_and_exponential_growth() -> None:
    brake, free = composed(primary_growth=True), composed(primary_growth={"law": "exponential"})
    k = rates(brake, environment(brake, {"tumor": 1.0}))
    assert 1 - k["shrink"] / k["grow"] == pytest.approx(0.193)
    for size in SIZES:
        assert net_growth(brake, size) == pytest.approx(0.0134 * (1 - size / 1e12))
        assert net_growth(free, size) == pytest.approx(0.0134)
    assert net_growth(brake, 1e12) == pytest.approx(0, abs=1e-15)
    assert rates(brake, environment(brake, {"tumor": 1e14}))["grow"] == 0.0  # no births, deaths go on


TUMOUR = {"primary_growth": True, "intravasation": True}


def test_grip_lets_go_of_ten_times_as_many_cells_or_of_none() -> None:
    """At a grip of 1 nothing changes; the most groups leave where half of the edge is loose."""
    net = composed(**TUMOUR, detachment=True, clusters=True)
    state = {"tumor": 1e9}
    usual = shed(net, state)
    without = shed(composed(**TUMOUR, clusters=True), state)
    assert usual == pytest.approx(without)

    def folds(grip: float) -> tuple[float, float]:
        found = shed(net, state, {"detachment_grip": grip})
        return found["blood"] / usual["blood"], found["cluster_medium"] / usual["cluster_medium"]

    assert folds(0.0) == pytest.approx((10.0, 0.0))
    assert folds(1 / 3) == pytest.approx((5.0, 0.25 / (0.1 * 0.9)))
    assert folds(3.0) == pytest.approx((10 / 82, 9 * (10 / 82) ** 2))
    assert folds(0.3)[1] < folds(1 / 3)[1] > folds(0.36)[1]


def mesenchymal_share(net: Network, size: float) -> float:
    """The share of mesenchymal cells that a tumour of that size tends to."""
    k = rates(net, environment(net, {"tumor_plain": size}))
    there, back = k["mesenchymal_tumor_plain"], k["mesenchymal_loss_tumor_mesenchymal"]
    growth = {c: k[f"grow_tumor_{c}"] - k[f"shrink_tumor_{c}"] for c in ("plain", "mesenchymal")}
    values, vectors = np.linalg.eig([[growth["plain"] - there, back], [there, growth["mesenchymal"] - back]])
    vector = vectors[:, np.argmax(values.real)].real
    return float(vector[1] / vector.sum())


def test_drive_makes_cells_mesenchymal_and_these_are_shed() -> None:
    net = composed(**TUMOUR, clusters=True, emt={"division": 1})
    small, large = mesenchymal_share(net, 1.0), mesenchymal_share(net, 1e12)
    assert small == pytest.approx(1 / 11, rel=1e-4)
    drive = 1 + 4 / (1 + 0.25)  # full hypoxia at half = 0.5
    assert large == pytest.approx(drive / (10 + drive), rel=1e-4)
    base = shed(composed(**TUMOUR, clusters=True), {"tumor": 1e9})
    found = shed(net, {"tumor_plain": 6e8, "tumor_mesenchymal": 4e8})
    assert found["blood"] / base["blood"] == pytest.approx(0.6 + 0.4 * 10)
    assert found["cluster_small"] / base["cluster_small"] == pytest.approx(0.6 + 0.4 * 0.1)
    by_signal = composed(**TUMOUR, emt={"division": 1, "hypoxia": 0, "tgf_beta": 0.5})
    assert mesenchymal_share(by_signal, 1e12) == pytest.approx(3 / 13)  # half of the drive: 1 + 4 / 2
    slow = composed(**TUMOUR, emt=True)
    k = rates(slow, environment(slow, {"tumor_plain": 1.0}))
    assert k["grow_tumor_mesenchymal"] / k["grow_tumor_plain"] == pytest.approx(0.7)


def test_cells_that_cannot_turn_back_found_few_metastases() -> None:
    """Tsai 2012: 12 of 14 mice against 3 of 13. `met` was set by it; the rule was not."""
    way = {"intravasation": True, "arrest_and_extravasation": True, "fate_in_tissue": {"p_growing": 1e-3}}
    net = composed(**way, emt={"arriving": 0.9})
    assert not [r for r in net.reactions if r.name.startswith("settle_tissue_mesenchymal")]
    reversible = course(net, "arrested").fate("founded")
    sustained = course(net, "arrested", parameters={"emt_met": 0.0}).fate("founded")
    turned = 0.83 / (0.83 + 1 / 3)
    assert reversible / sustained == pytest.approx(1 + turned * 9, rel=1e-3)
    expected = -math.log(1 - 3 / 13) * reversible / sustained
    assert 1 - math.exp(-expected) == pytest.approx(12 / 14, abs=0.001)
    plain = course(composed(**way), "arrested").fate("founded")
    assert course(composed(**way, emt={"arriving": 0}), "arrested").fate("founded") == pytest.approx(plain)


def test_a_flag_that_lives_on_the_way_is_carried_through() -> None:
    """Then who is mesenchymal in tissue follows from the tumour, not from `arriving`."""
    on_the_way = {"at": ["primary", "blood", "arrested", "tissue"]}
    net = composed(**TUMOUR, arrest_and_extravasation=True, emt=on_the_way, platelets={"at": ["blood"]})
    start = share(shed(net, {"tumor_plain": 6e8, "tumor_mesenchymal": 4e8}))
    assert start["blood_mesenchymal"] == pytest.approx(4 / 4.6)
    k = rates(net, environment(net))
    assert k["mesenchymal_blood_cloaked"] / k["mesenchymal_blood_plain"] == pytest.approx(5)
    found = course(net, start, stages=("blood", "arrested"))
    cells = sum(x for name, x in found.firings.items() if name == "extravasate_arrested_mesenchymal")
    assert cells / found.fate("extravasated") == pytest.approx(4 / 4.6, abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_cells_are_shed_by_a_power_of_size_or_by_each_cell(size: float) -> None:
    power, linear = composed(**TUMOUR), composed(**TUMOUR | {"intravasation": {"size": "linear"}})
    assert shed(power, {"tumor": size}) == pytest.approx({"blood": 0.0445 * size**0.663})
    assert shed(linear, {"tumor": size}) == pytest.approx({"blood": 4.1e-5 * size})
    assert pytest.approx(0.0445 * 1e9**0.663, rel=0.01) == 4.1e-5 * 1e9  # where the two meet


def test_most_cells_are_shed_in_sleep() -> None:
    net = composed(**TUMOUR | {"intravasation": {"rhythm": "circadian"}}, clusters=True)
    base = shed(composed(**TUMOUR, clusters=True), {"tumor": 1e9})
    hours = np.arange(0.25, 24, 0.5) / 24  # none on a change at 23 and 7 o'clock
    for kind in ("blood", "cluster_small"):
        found = np.array([shed(net, {"tumor": 1e9, "t": 100 + t})[kind] for t in hours]) / base[kind]
        asleep = (hours < 7 / 24) | (hours > 23 / 24)
        assert found[asleep] == pytest.approx(3.6 / (1 + 2.6 / 3))
        assert found[~asleep] == pytest.approx(1 / (1 + 2.6 / 3))
        assert found.mean() == pytest.approx(1)


def test_bursts_keep_the_mean_and_widen_the_counts() -> None:
    """A telegraph: Fano factor 1 + m (1 - on) / on c / (c + pace), from the moment equations."""
    quiet = composed("", intravasation=True, shear_stress=True)
    net = composed("", intravasation={"bursts": "telegraph"}, shear_stress=True)
    tumour = 1e6
    mean, cov = stationary(net, {"tumor": tumour}, {"bursts": 0.2, "bursts_off": 0.8})
    blood = [s for s in net.species_names if s != "tumor"].index("blood")
    m = shed(quiet, {"tumor": tumour})["blood"] / 6
    assert mean[blood] == pytest.approx(m)
    assert cov[blood, blood] / mean[blood] == pytest.approx(1 + m * 4 * 6 / (6 + 30))
    lognormal = composed("", intravasation={"bursts": "ou"}, shear_stress=True)
    assert [n.kind for n in lognormal.noises] == ["ou"]


def stationary(net: Network, state: dict[str, float], guess: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the species that are not in `state`, all of whose reactions are of first order."""
    own = [s for s in net.species_names if s not in state]
    rows = [net.species_names.index(s) for s in own]
    change = net.stoichiometry()[rows]
    laws = [r.propensity("ode", net) for r in net.reactions]

    def speed(x: np.ndarray) -> np.ndarray:
        values = environment(net, state | dict(zip(own, x, strict=True)))
        return np.array([float(evaluate(law, values)) for law in laws])

    zero = np.array([guess.get(s, 0.0) for s in own])
    steps = np.array([speed(zero + e) - speed(zero) for e in np.eye(len(own))]).T
    keep = change @ steps
    # on + off never moves: letting it decay makes the matrix invertible and changes no answer
    fixed = np.array([[float(s in guess and o in guess) for o in own] for s in own])
    mean = zero - np.linalg.solve(keep - fixed, change @ speed(zero))
    spread = change @ np.diag(speed(mean)) @ change.T
    return mean, solve_continuous_lyapunov(keep - fixed, -spread)


def test_clusters_are_three_in_a_hundred_and_six_cells_large() -> None:
    found = shed(composed(**TUMOUR, clusters=True), {"tumor": 1e9})
    groups = {name: count for name, count in found.items() if name != "blood"}
    assert sum(groups.values()) / sum(found.values()) == pytest.approx(0.03)
    parts = share(groups)
    assert parts == pytest.approx({"cluster_small": 0.488, "cluster_medium": 0.344, "cluster_large": 0.168})
    assert pytest.approx(6.2, abs=0.05) == 3 * 0.488 + 7 * 0.344 + 14 * 0.168
    linear = composed(primary_growth=True, intravasation={"size": "linear"}, clusters={"law": "linear"})
    assert share(shed(linear, {"tumor": 1e9})) == pytest.approx(share(found))
    own = composed(primary_growth=True, clusters={"law": "own"})
    assert sum(shed(own, {"tumor": 1e9}).values()) == pytest.approx(sum(groups.values()), rel=0.02)


def test_clusters_fall_apart_into_the_cells_that_they_are() -> None:
    net = composed(**TUMOUR, clusters=True)
    for name, size in (("cluster_small", 3), ("cluster_medium", 7), ("cluster_large", 14)):
        found = course(net, name, stages=("cluster",))
        fallen = sum(
            found.firings[r.name] * dict(r.products).get(net.species_names.index("blood"), 0)
            for r in net.reactions if r.name in found.firings
        )  # fmt: skip
        assert fallen == pytest.approx(size)
        k = rates(net, environment(net))
        lost = {"cluster_small": 3, "cluster_medium": 4, "cluster_large": 7}[name]
        assert lost * k[f"disaggregate_{name.removeprefix('cluster_')}"] == pytest.approx(0.5 * size)


@pytest.mark.parametrize("name", ["detachment", "emt", "clusters", "intravasation"])
def test_switched_off_is_the_model_without_it(name: str) -> None:
    others = {n: v for n, v in TUMOUR.items() if n != name} | {"fate_in_tissue": True}
    own = {"law": "own"} if name == "clusters" else True
    assert same(composed("", (name,), **others, **{name: own}), composed(**others))
    assert not same(composed(**others, **{name: own}), composed(**others))
