"""Published models through our ODE solvers: Kuznetsov, de Pillis, tumour sizes, benchmark."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import ctcdyn
import oracles
import recurrence
from chance import seed_of
from ctcdyn.codegen.kernel import link
from ctcdyn.model.load import load_model
from drive import Drive
from problems import five

ROOT = Path(__file__).parents[1]

METHODS = ("tsit5", "rodas5p")
KUZNETSOV, DE_PILLIS, FIVE = (load_model(name) for name in ("kuznetsov_1994", "de_pillis_2005", "ctc_five"))

Vector = NDArray[np.float64]


@pytest.fixture(scope="module")
def kuznetsov() -> dict[str, ModuleType]:
    return {method: link(KUZNETSOV, method).compile().module for method in METHODS}


@pytest.fixture(scope="module")
def de_pillis() -> dict[str, ModuleType]:
    return {method: link(DE_PILLIS, method).compile().module for method in METHODS}


def start(model: object, state: object) -> dict[str, object]:
    return {f"{s}__initial": x for s, x in zip(model.species_names, np.transpose(state), strict=True)}  # type: ignore[attr-defined]


# ---- Kuznetsov 1994 -------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
def test_kuznetsov_trajectory(kuznetsov: dict[str, ModuleType], method: str) -> None:
    """T13, printed to nine digits: the tumour falls into the dormant state by damped swings of 99 days."""
    printed = {
        10: (4.42083979e5, 1.93336867e7),
        50: (2.39934800e6, 4.60039396e7),
        100: (1.21823415e6, 1.30521278e6),
        200: (1.58937288e6, 2.97293682e6),
        500: (1.62065624e6, 6.86358538e6),
        1000: (1.60723688e6, 8.09559117e6),
    }
    run = Drive(kuznetsov[method], KUZNETSOV, [0, *printed], 1, rtol=1e-11, atol=1e-6).go()
    assert_allclose(run.state[0, 1:], list(printed.values()), rtol=6e-9)


@pytest.mark.parametrize("method", METHODS)
def test_kuznetsov_fixed_points(kuznetsov: dict[str, ModuleType], method: str) -> None:
    """A path that starts in a fixed point stays; from 1 % beside it goes where the eigenvalues say."""
    points = np.array(oracles.kuznetsov_fixed_points())
    free, dormant, threshold, escape = points
    run = Drive(
        kuznetsov[method], KUZNETSOV, [0.0, 60.0], 4, values=start(KUZNETSOV, points), rtol=1e-10, atol=1e-6
    ).go()
    assert_allclose(run.final, points, rtol=1e-7, atol=1e-6)

    beside = np.array(
        [
            [free[0], 1.0],
            dormant * 1.01,
            [threshold[0], 0.99 * threshold[1]],
            [threshold[0], 1.01 * threshold[1]],
            escape * 1.01,
        ]
    )
    ends = Drive(
        kuznetsov[method],
        KUZNETSOV,
        [0.0, 40.0, 3000.0],
        5,
        values=start(KUZNETSOV, beside),
        rtol=1e-9,
        atol=1e-6,
    ).go()
    assert ends.state[0, 1, 1] == pytest.approx(
        np.exp(0.1452597 * 40.0), rel=1e-3
    )  # the saddle lets a tumour grow
    for k, end in enumerate((dormant, dormant, dormant, escape, escape)):
        assert_allclose(ends.state[k, 2], end, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_kuznetsov_thresholds(kuznetsov: dict[str, ModuleType], method: str) -> None:
    """Supply of killer cells: bistable below 21 290.466 /d, tumour-free stable above 67 356.95 /d."""
    escaped = np.array(oracles.kuznetsov_fixed_points()[3])
    supply = np.array([1.0e4, 2.12e4, 2.14e4, 6.0e4])
    run = Drive(
        kuznetsov[method],
        KUZNETSOV,
        [0.0, 20_000.0],
        4,
        values={**start(KUZNETSOV, [escaped] * 4), "supply": supply},
        rtol=1e-8,
        atol=1e-6,
    ).go()
    assert np.all(run.status == 0)
    assert (run.final[:, 1] > 3e8).tolist() == [
        True,
        True,
        False,
        False,
    ]  # the escaped tumour stays, or is caught

    supply = np.array([66_700.0, 67_356.95 * 0.999, 67_356.95 * 1.001, 68_000.0])
    free = np.stack([supply / 0.0412, np.full(4, 1.0)], axis=1)
    run = Drive(
        kuznetsov[method],
        KUZNETSOV,
        [0.0, 400.0],
        4,
        values={**start(KUZNETSOV, free), "supply": supply},
        rtol=1e-9,
        atol=1e-9,
    ).go()
    assert (run.final[:, 1] > 1.0).tolist() == [True, True, False, False]
    growth = 0.18 - 1.101e-7 * supply / 0.0412
    assert_allclose(np.log(run.final[:, 1]) / 400.0, growth, rtol=0.02, atol=1e-6)


# ---- de Pillis 2005 -------------------------------------------------------------------------------
LETTERS = {
    "c": "nk_killing",
    "g": "nk_recruitment",
    "j": "cd8_recruitment",
    "d": "cd8_killing",
    "lam": "cd8_exponent",
    "s": "cd8_saturation",
}


@pytest.mark.parametrize("method", METHODS)
def test_de_pillis_table(de_pillis: dict[str, ModuleType], method: str) -> None:
    """T13: the four pairs of NK and CD8 cells, with (l) and without (n) ligand, from (1e4, 1e3, 1)."""
    printed = {
        "nn": (1.13322e5, 1.02510e6, 8.73518e7, 9.76588e8),
        "nl": (5.73932e4, 9.75970e4, 8.98, 0.0),
        "ln": (5.88946e4, 1.88738e4, 0.0, 0.0),
        "ll": (3.33143e3, 0.0, 0.0, 0.0),
    }
    values = {
        name: np.array([oracles.DE_PILLIS_PAIRS[pair][letter] for pair in printed])
        for letter, name in LETTERS.items()
    }
    run = Drive(
        de_pillis[method],
        DE_PILLIS,
        [0, 5, 10, 20, 40],
        4,
        values={**values, **start(DE_PILLIS, [[1e4, 1e3, 1.0]] * 4)},
        rtol=1e-9,
        atol=1e-6,
    ).go()
    assert np.all(run.status == 0)
    assert_allclose(run.state[:, 1:, 0], list(printed.values()), rtol=1.2e-5, atol=1e-2)
    assert run.state.min() >= -1e-6
    for k, pair in enumerate(printed):
        truth = solve_ivp(
            oracles.de_pillis, (0, 10), [1e4, 1e3, 1.0], "LSODA", [5, 10], args=(pair,), rtol=1e-12, atol=1e-9
        ).y.T
        assert_allclose(run.state[k, 1:3], truth, rtol=2e-7, atol=1e-3)


# ---- sizes of a human breast tumour ---------------------------------------------------------------
def test_table_of_human_breast_sizes(tmp_path: Path) -> None:
    """`ctcdyn run configs/human_breast_sizes.toml`: the five rows of the table of section 3a, to 2 %."""
    columns = (
        "tumor",
        "shed_per_day",
        "blood",
        "ctc_per_litre",
        "ctc_per_tube",
        "shed_cells",
        "dormant_expected",
        "metastases_expected",
    )
    printed = [
        (1.03e7, 1.99e3, 55, 11.0, 0.083, 2.24e5, 22, 0.0034),
        (5.24e8, 2.69e4, 746, 149, 1.12, 3.02e6, 302, 0.045),
        (4.19e9, 1.07e5, 2.96e3, 592, 4.44, 1.20e7, 1200, 0.180),
        (1.41e10, 2.39e5, 6.63e3, 1.33e3, 9.95, 2.69e7, 2690, 0.403),
        (6.5e10, 6.6e5, 1.83e4, 3.66e3, 27.5, 7.4e7, 7430, 1.11),
    ]
    study = ctcdyn.load_study(
        ROOT / "configs/human_breast_sizes.toml", [f"output.file={tmp_path / 'sizes.h5'}"]
    )
    with ctcdyn.run(study) as results:
        rows = np.stack([results.values(name)[0] for name in columns], axis=-1)
    assert_allclose(rows[-5:], printed, rtol=0.02)


# ---- docs/claims.md -------------------------------------------------------------------------------
def test_figures_that_were_not_used() -> None:
    """Predictions of human_breast_min, by SciPy; `backward` meets it elsewhere (test_the_table_of_relapses)."""
    got = [oracles.bottleneck(n, 8.0, 2.0) for n in (1, 10, 18, 19, 20)]
    assert got == pytest.approx([4.70e-8, 0.0621, 0.463, 0.520, 0.574], rel=5e-3)
    printed = {(20.0, 20.0): (0.0823, 0.1364), (51.7, 20.0): (0.0661, 0.1311), (20.0, 10.0): (0.0214, 0.0363),
               (20.0, 30.0): (0.1750, 0.2799)}  # fmt: skip
    for (doubling, diameter), figures in printed.items():
        day = float(oracles.human_breast_sizes(diameter, oracles.HUMAN_BREAST)["t"])
        parts = [(0.0, np.inf, recurrence.rates(np.log(2.0) / doubling))]
        by = [recurrence.chance(parts, recurrence.shed, day, day + y * 365.25) for y in (5.0, 20.0)]
        assert by == pytest.approx(figures, abs=6e-5)
        if diameter == 20.0:
            later = (by[1] - by[0]) / (1 - by[0])  # of those without by year 5
            assert later == pytest.approx({20.0: 0.059, 51.7: 0.070}[doubling], abs=5e-4)


def test_the_page_of_claims_names_tests_that_exist() -> None:
    page = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    lists, _, claims = page.partition("## What the page claims")
    assert "tests/test_cascade.py" in claims
    rows = [line for line in lists.splitlines() if line.startswith("| ") and not line.startswith(("| result", "|---"))]
    assert len(rows) >= 13
    for row in rows:
        found = re.findall(r"`(tests/\w+\.py)::(\w+)`", row)
        assert found, row
        for file, name in found:
            assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), name


# ---- the reference of the benchmarks --------------------------------------------------------------
BENCHMARK_RTOL = (
    2e-6  # with atol the same number of cells; benchmarks take the loosest that reaches 1e-5, 2e-6 to 4e-6
)


def test_error_at_the_tolerance_of_the_benchmark() -> None:
    """Ten years of ctc_five at 366 times: |dy| / (1e-2 + |y|) <= 1e-5, where the benchmarks compare."""
    rng = np.random.default_rng(seed_of())
    drawn = {
        q: FIVE.parameters[FIVE.index(q)].value * np.exp(0.3 * rng.standard_normal(5))
        for q in ("growth_rate", "nk_kill", "dormancy_exit")
    }
    times = np.arange(366) * 10.0
    module = link(FIVE, "rodas5p").compile().module
    run = Drive(module, FIVE, times, 5, values=drawn, rtol=BENCHMARK_RTOL, atol=BENCHMARK_RTOL).go()
    names = [p.name for p in FIVE.parameters]
    for k in range(5):
        values = dict(zip(names, run.table[k, : len(names)].tolist(), strict=True))
        truth = solve_ivp(
            five, (0.0, times[-1]), run.state[k, 0], "LSODA", times, args=(values,), rtol=1e-12, atol=1e-9
        ).y.T
        assert np.max(np.abs(run.state[k] - truth) / (1e-2 + np.abs(truth))) <= 1e-5
