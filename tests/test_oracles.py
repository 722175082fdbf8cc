"""The oracles against figures printed elsewhere: what the package is compared with is compared first."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.stats import nbinom, poisson

import oracles

YEAR = 365.25


def test_birth_death_immigration() -> None:
    got = oracles.birth_death_immigration(1.0, 0.8, 0.5, 5.0)
    assert_allclose([got["mean"], got["var"], got["p0"]], [4.29570457, 41.20186010, 0.32289312], rtol=3e-8)
    pmf = oracles.birth_death_immigration_pmf(1.0, 0.8, 0.5, 5.0, 2000)
    assert_allclose(pmf, nbinom.pmf(np.arange(2000), 0.5, 0.5 / (0.5 + got["mean"])), rtol=1e-9, atol=1e-300)
    assert_allclose([pmf[0], pmf @ np.arange(2000)], [got["p0"], got["mean"]], rtol=1e-10)


def test_birth_death_from_one() -> None:
    got = oracles.birth_death(1.0, 0.8, 5.0)
    assert_allclose([got["mean"], got["var"], got["p0"]], [2.71828183, 42.03696843, 0.71659203], rtol=5e-9)
    assert oracles.birth_death(1.0, 0.8, 5.0, n=3)["ever"] == pytest.approx(0.512)
    assert oracles.birth_death(0.8, 1.0, 5.0)["ever"] == 1.0


def test_langevin_extinction_differs_from_exact() -> None:
    cases = [(0.8, 1, 5.0, 0.703596, 0.716592), (0.8, 10, 5.0, 0.029733, 0.035704)]
    for death, n, t, langevin, exact in cases:
        assert oracles.feller_extinction(1.0, death, t, n) == pytest.approx(langevin, abs=5e-7)
        assert oracles.birth_death(1.0, death, t, n)["p0"] == pytest.approx(exact, abs=5e-7)
    ultimate = [oracles.feller_extinction(1.0, death, 1e4, 1) for death in (0.8, 0.1)]
    assert_allclose(ultimate, [0.800737, 0.194687], atol=5e-7)


def test_blood_of_a_growing_source() -> None:
    rate, clearance, t = 0.1, 3.0, 7.0
    closed = (np.exp(rate * t) - np.exp(-clearance * t)) / (rate + clearance)
    assert oracles.blood_mean(lambda s: np.exp(rate * s), clearance, t) == pytest.approx(closed, rel=1e-11)
    held = oracles.blood_mean(lambda s: 0.0, clearance, t, start=100.0)
    assert held == pytest.approx(100.0 * np.exp(-clearance * t), rel=1e-12)


def toy(source: float) -> oracles.FirstOrder:
    k = oracles.RELAPSE_TOY
    return [
        (None, source, {0: 1}), (0, k["k_ext"], {0: -1, 1: 1}), (0, k["d_B"], {0: -1}),
        (1, k["k_TD"], {1: -1, 2: 1}), (1, k["k_TG"], {1: -1, 3: 1}), (1, k["d_T"], {1: -1}),
        (2, k["k_R"], {2: -1, 3: 1}), (2, k["d_D"], {2: -1}),
        (3, k["b"], {3: 1}), (3, k["d"], {3: -1}), (3, k["k_GD"], {3: -1, 2: 1}),
    ]  # fmt: skip


def test_moments_of_the_toy_set() -> None:
    mean, cov = oracles.first_order_moments(toy(2.0), [0.0] * 4, 10.0)
    assert_allclose(mean, [1.0, 0.4999546, 1.25283089, 1.04073544], rtol=1e-7)
    assert cov[0, 0] == pytest.approx(mean[0])  # blood is Poisson
    mean, cov = oracles.first_order_moments(toy(0.0), mean, 10.0, cov)
    assert_allclose(mean, [2.06e-9, 4.54e-5, 2.66010461, 4.50252560], rtol=2e-3)
    assert_allclose(mean[2:], [2.66010461, 4.50252560], rtol=2e-9)
    assert_allclose(np.diag(cov)[2:], [27.4, 147.0], rtol=0.06)  # 2500 simulated runs


def test_moments_agree_with_closed_laws() -> None:
    process = [(None, 0.5, {0: 1}), (0, 1.0, {0: 1}), (0, 0.8, {0: -1})]
    mean, cov = oracles.first_order_moments(process, [0.0], 5.0)
    closed = oracles.birth_death_immigration(1.0, 0.8, 0.5, 5.0)
    assert_allclose([mean[0], cov[0, 0]], [closed["mean"], closed["var"]], rtol=1e-12)


def test_moments_of_the_benchmark_cascade() -> None:
    cascade: oracles.FirstOrder = [
        (None, 2000.0, {0: 1}), (0, 16.0, {0: -1}), (0, 0.05, {0: -1, 1: 1}), (1, 1.0, {1: -1}),
        (1, 0.1, {1: -1, 2: 1}), (1, 0.005, {1: -1, 3: 1}), (2, 5e-4, {2: -1, 3: 1}), (2, 1e-3, {2: -1}),
        (3, 0.02, {3: 1}), (3, 0.018, {3: -1}),
    ]  # fmt: skip
    mean, cov = oracles.first_order_moments(cascade, [0.0] * 4, 100.0)
    assert_allclose(mean, [124.61, 5.638, 51.89, 4.497], rtol=1e-4)
    assert_allclose(np.sqrt(np.diag(cov)), [11.16, 2.375, 7.203, 3.648], rtol=3e-4)


def test_backward_equations_of_the_toy_set() -> None:
    k = oracles.RELAPSE_TOY
    silent = 1.0 - oracles.relapse_backward(k, [20.0])[0]
    assert_allclose(silent, [0.9834369607, 0.9322499794, 0.8732723324, 0.6734363248], rtol=2e-10)
    printed = {5.0: 0.99135802, 10.0: 0.94464299, 20.0: 0.78316455, 40.0: 0.61317743, 80.0: 0.54135882}
    for t, value in printed.items():
        assert oracles.no_relapse(k, lambda s: k["source"], 10.0, t) == pytest.approx(value, abs=6e-9)


def test_lineage_with_a_hazard() -> None:
    printed = [0.6880655326, 0.5631280541, 0.5509275191]
    assert_allclose(
        [oracles.lineage_silence(0.5, 0.3, 0.02, t) for t in (10.0, 20.0, 1e4)], printed, atol=6e-11
    )
    without = dict(oracles.RELAPSE_TOY, k_GD=0.0)
    backward = 1.0 - oracles.relapse_backward(without, [10.0])[0, 3]
    assert backward == pytest.approx(oracles.lineage_silence(0.5, 0.3, 0.02, 10.0), abs=1e-9)


def test_relapse_free_after_resection() -> None:
    printed = [0.98691, 0.97629, 0.95721, 0.86574, 0.67471, 0.42075]
    got = [oracles.relapse_free(0.5, 0.4, 0.6, 0.12, 200.0, x) for x in (0.0, 5.0, 10.0, 20.0, 30.0, 50.0)]
    assert_allclose(got, printed, atol=6e-6)
    late = oracles.relapse_free(0.5, 0.4, 0.6, 0.12, 200.0, 400.0)
    assert late == pytest.approx(np.exp(-0.6 * 0.1 / (0.5 * 0.12)), rel=1e-6)


def test_luria_delbrueck() -> None:
    printed = [0.367879, 0.183940, 0.107298, 0.068977, 0.047454, 0.034329]
    assert_allclose(oracles.luria_delbrueck(1.0, 6), printed, atol=6e-7)


def test_bottleneck_of_founders() -> None:
    printed = {  # power, kappa: chance with 1, 5, 10 founders
        (2.0, 3.0): (1.872e-3, 0.2007, 0.611),
        (2.0, 6.0): (3.472e-6, 1.314e-2, 0.2047),
        (2.0, 8.0): (4.70e-8, 1.15e-3, 0.0621),
        (1.0, 2.0): (7.25e-3, 0.137, 0.419),
    }
    for (power, kappa), chances in printed.items():
        assert_allclose([oracles.bottleneck(n, kappa, power) for n in (1, 5, 10)], chances, rtol=2e-3)
    assert oracles.bottleneck(20, 8.0, 2.0) == pytest.approx(0.574, abs=5e-4)


def test_master_equation_of_a_known_law() -> None:
    """Birth-death-immigration on a box of 600: negative binomial, and the lost mass is what its tail says."""
    p, lost = oracles.master_equation(
        [(1,), (-1,)], lambda x: (0.5 + x[0], 0.8 * x[0]), [0], [600], [2.0, 5.0]
    )
    assert_allclose(p[1, :60], oracles.birth_death_immigration_pmf(1.0, 0.8, 0.5, 5.0, 60), rtol=1e-9)
    assert abs(lost) < 1e-10


def test_master_equation_of_a_bimolecular_network() -> None:
    """A + B <-> C from (12, 8, 0): in the end weights P(c) ~ (kf/kb)^c / (c! (12-c)! (8-c)!)."""
    forward, backward = 0.3, 1.1
    p, lost = oracles.master_equation(
        [(-1, -1, 1), (1, 1, -1)],
        lambda x: (forward * x[0] * x[1], backward * x[2]),
        [12, 8, 0], [13, 9, 9], [200.0],
    )  # fmt: skip
    c = np.arange(9)
    factorial = np.concatenate([[1.0], np.cumprod(np.arange(1.0, 13.0))])
    weights = (forward / backward) ** c / (factorial[c] * factorial[12 - c] * factorial[8 - c])
    assert_allclose([p[0, 12 - i, 8 - i, i] for i in c], weights / weights.sum(), rtol=1e-9)
    assert abs(lost) < 1e-10


def test_master_equation_of_pairs() -> None:
    """2 A -> nothing at rate k a (a - 1) / 2: from 3 one is left after an exponential time of rate 3 k."""
    p, _ = oracles.master_equation([(-2,)], lambda x: (0.7 * x[0] * (x[0] - 1) / 2,), [3], [4], [0.9])
    assert_allclose(p[0], [0.0, 1.0 - np.exp(-0.7 * 3 * 0.9), 0.0, np.exp(-0.7 * 3 * 0.9)], atol=1e-13)


def test_metastasis_meets_its_published_figures() -> None:
    third, thirteenth = oracles.metastasis_shares(3.0), oracles.metastasis_shares(13.0)
    assert third["extravasated_share"] == pytest.approx(0.80, rel=1e-5)
    assert third["micrometastasis_share"] == pytest.approx(0.02, rel=1e-5)
    assert thirteenth["macrometastasis_share"] == pytest.approx(2e-4, rel=1e-5)
    assert thirteenth["solitary_share"] == pytest.approx(0.36, rel=1e-5)
    assert sum(oracles.metastasis_probabilities(5.0).values()) == pytest.approx(1.0, abs=1e-13)


def test_sizes_of_a_human_breast_tumour() -> None:
    """The table of an exponential primary to 2 %.

    Its dormant column counts all cells shed so far that sleep or will (2 % of them died again, 3 % are on the
    way), so the dormant state itself stays 3 to 5 % below.
    """
    columns = ("N", "shed", "blood", "per_litre", "per_tube", "total", "founded")
    printed = {
        2.7: (1.03e7, 1.99e3, 55, 11.0, 0.083, 2.24e5, 0.0034, 22),
        10.0: (5.24e8, 2.69e4, 746, 149, 1.12, 3.02e6, 0.045, 302),
        20.0: (4.19e9, 1.07e5, 2.96e3, 592, 4.44, 1.20e7, 0.180, 1200),
        30.0: (1.41e10, 2.39e5, 6.63e3, 1.33e3, 9.95, 2.69e7, 0.403, 2690),
        50.0: (6.5e10, 6.6e5, 1.83e4, 3.66e3, 27.5, 7.4e7, 1.11, 7430),
    }
    k = oracles.HUMAN_BREAST
    for diameter, (*values, dormant) in printed.items():
        row = oracles.human_breast_sizes(diameter, k)
        assert_allclose([row[name] for name in columns], values, rtol=0.02)
        assert row["total"] * k["p_ext"] * k["f_D"] == pytest.approx(dormant, rel=0.02)
        assert 0.95 * dormant < row["dormant"] < 0.97 * dormant


@pytest.mark.parametrize("growth, printed", [(np.log(2.0) / 20.0, 0.08231), (np.log(2.0) / 51.7, 0.06614)])
def test_relapse_of_a_human_breast_tumour(growth: float, printed: float) -> None:
    """P(relapse within 5 years after resection at 20 mm), metastases that double in 20 and in 51.7 days."""
    k = oracles.HUMAN_BREAST
    birth = growth / k["survival"]
    rates = {
        "k_ext": k["k_cl"] * k["p_ext"], "d_B": k["k_cl"] * (1.0 - k["p_ext"]), "k_TD": k["f_D"] / k["stay"],
        "k_TG": k["f_G"] / k["stay"], "d_T": (1.0 - k["f_D"] - k["f_G"]) / k["stay"], "k_R": k["k_R"],
        "d_D": k["d_D"], "b": birth, "d": birth - growth, "k_GD": 0.0, "eta": np.log(2.0) * growth / 1e9,
    }  # fmt: skip
    resection = oracles.human_breast_sizes(20.0, k)["t"]
    speed = k["alpha"] * k["r"]
    silent = oracles.no_relapse(
        rates, lambda s: k["k_s"] * np.exp(speed * s), resection, resection + 5 * YEAR
    )
    assert 1.0 - silent == pytest.approx(printed, abs=6e-6)


def test_kuznetsov_fixed_points() -> None:
    printed = [  # E, T, eigenvalues
        (315_533.981, 0.0, -0.0412, 0.1452597),
        (1_608_109.921, 8_186_382.49, -0.0055155612 - 0.0634198571j, -0.0055155612 + 0.0634198571j),
        (758_508.964, 268_022_675.3, -0.1493134386, 0.0356863878),
        (173_212.512, 447_025_839.9, -0.1862757533, -0.0497058639),
    ]
    points = oracles.kuznetsov_fixed_points()
    assert len(points) == 4
    for point, (e, t, *eigenvalues) in zip(points, printed, strict=True):
        assert_allclose(point, [e, t], rtol=5e-9)  # printed to 9 digits
        found = np.sort_complex(np.linalg.eigvals(oracles.kuznetsov_jacobian(np.array(point))))
        assert_allclose(found, np.array(eigenvalues, complex), atol=5e-8)


def test_kuznetsov_thresholds() -> None:
    k = oracles.KUZNETSOV
    assert k["d"] * k["a"] / k["n"] == pytest.approx(67_356.95, abs=0.01)
    counts = [
        len(oracles.kuznetsov_fixed_points(k | {"s": s})) for s in (21_290.46, 21_290.47, 67_356.9, 67_357.0)
    ]
    assert counts == [4, 2, 2, 1]
    merging = oracles.kuznetsov_fixed_points(k | {"s": 21_290.4659})[-2:]
    assert_allclose(np.mean(merging, axis=0)[0], 463_057.8, rtol=1e-6)


def test_kuznetsov_without_dimension() -> None:
    k = {"s": 0.1181, "p": 1.131, "g": 20.19, "m": 0.00311, "d": 0.3743, "a": 1.636, "b": 0.002, "n": 1.0}
    printed = [
        (0.3155223083, 0.0), (1.6092032798, 8.1897066645),
        (0.7597650701, 267.7979614608), (0.1729768028, 447.1342289808),
    ]  # fmt: skip
    points = oracles.kuznetsov_fixed_points(k)
    assert_allclose(points, printed, rtol=1e-9)
    focus = np.linalg.eigvals(oracles.kuznetsov_jacobian(np.array(points[1]), k))
    assert_allclose(np.sort_complex(focus)[1], -0.05009 + 0.57630j, atol=5e-6)


def test_kuznetsov_trajectory() -> None:
    printed = {
        10: (4.42083979e5, 1.93336867e7), 50: (2.39934800e6, 4.60039396e7),
        100: (1.21823415e6, 1.30521278e6), 200: (1.58937288e6, 2.97293682e6),
        500: (1.62065624e6, 6.86358538e6), 1000: (1.60723688e6, 8.09559117e6),
    }  # fmt: skip
    run = solve_ivp(
        oracles.kuznetsov, (0, 1000), [3.2e5, 5e6], "DOP853", list(printed), rtol=1e-12, atol=1e-6
    )
    assert_allclose(run.y.T, list(printed.values()), rtol=5e-9)  # printed to 9 digits


@pytest.mark.parametrize(
    "pair, printed, net",
    [
        ("nn", (1.13322e5, 1.02510e6, 8.73518e7, 9.76588e8), 0.41208),
        ("nl", (5.73932e4, 9.75970e4, 8.98, 0.0), 0.41208),
        ("ln", (5.88946e4, 1.88738e4, 0.0, 0.0), -0.59037),
        ("ll", (3.33143e3, 0.0, 0.0, 0.0), -0.59037),
    ],
)
def test_de_pillis_trajectories(pair: str, printed: tuple[float, ...], net: float) -> None:
    shared = oracles.DE_PILLIS
    killers = shared["sigma"] / shared["f"]
    assert killers == pytest.approx(315_533.98, abs=0.01)
    assert shared["a"] - oracles.DE_PILLIS_PAIRS[pair]["c"] * killers == pytest.approx(net, abs=5e-6)
    start, times = [1e4, 1e3, 1.0], [5, 10, 20, 40]
    run = solve_ivp(oracles.de_pillis, (0, 40), start, "LSODA", times, args=(pair,), rtol=1e-11, atol=1e-9)
    assert_allclose(run.y[0], printed, rtol=2e-5, atol=1e-2)


def test_de_pillis_is_finite_at_zero() -> None:
    for state in ([0.0, 1e5, 0.0], [0.0, 1e5, 10.0], [1e4, 1e5, 0.0]):
        slope = oracles.de_pillis(0.0, np.array(state), "nl")
        assert np.all(np.isfinite(slope))
        assert slope[0] == 0.0 or state[0] > 0.0


def test_counts_in_a_tube_are_poisson() -> None:
    printed = {0.5: (0.3935, 0.0002), 1.0: (0.6321, 0.0037), 3.0: (0.9502, 0.1847), 5.0: (0.9933, 0.5595)}
    for mean, chances in printed.items():
        assert_allclose([poisson.sf(0, mean), poisson.sf(4, mean)], chances, atol=5e-5)
