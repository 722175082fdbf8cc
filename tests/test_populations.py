"""Patients: distributions against scipy.stats, designs against scipy.stats.qmc, tables, correlations, and the same row
of a patient whoever asks for it.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import scipy.stats as st

import ctcdyn
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.config import load_study
from ctcdyn.designs import BITS, direction_numbers, latin_hypercube, permuted, sobol
from ctcdyn.model.cohort import Cohort, cholesky
from ctcdyn.model.load import prepare
from ctcdyn.model.quantiles import TINY, Draw, kept, quantile, support
from ctcdyn.patients import drawn_rows, shaped
from ctcdyn.replay import replay

U = np.concatenate([[TINY, 1e-9, 1e-3], np.linspace(0.01, 0.99, 50), [1 - 1e-9, 1 - TINY]])
LAWS = {
    "normal": (Draw(0, "normal", 2.0, 3.0), st.norm(2, 3)),
    "normal above 0": (Draw(0, "normal", 2.0, 3.0, 0.0), st.truncnorm(-2 / 3, np.inf, 2, 3)),
    "normal in the tail": (Draw(0, "normal", 0.0, 1.0, 4.0, 4.5), st.truncnorm(4, 4.5)),
    "lognormal": (Draw(0, "lognormal", 1.0, 0.5), st.lognorm(0.5, scale=np.e)),
    "gamma": (Draw(0, "gamma", 2.5, 0.4), st.gamma(2.5, scale=0.4)),
    "beta": (Draw(0, "beta", 2.0, 0.5, -1.0, 4.0), st.beta(2, 0.5, -1, 5)),
    "uniform": (Draw(0, "uniform", -1.0, 2.0), st.uniform(-1, 3)),
    "loguniform": (Draw(0, "loguniform", np.log(2.0), np.log(50.0)), st.loguniform(2, 50)),
}

COHORT = """schema = 1
[model]
use = "ctc_linear"
[population]
patients = 40
table = "cohort.csv"
ignore = ["id"]
DESIGN
[population.draw]
shedding = { dist = "lognormal", median = "2000 cells/day", cv = 0.5, high = "8000 cells/day" }
extravasation = { dist = "normal", mean = "1 /day", sd = "1 /day", low = 0 }
tissue = { dist = "gamma", shape = 2, mean = 30 }
[[population.correlation]]
between = ["shedding", "tissue"]
rho = 0.5
[simulate]
method = "rodas5p"
t_end = "3 days"
save = { n = 2 }
[ensemble]
replicates = 2
seed = 18446744073709551615
[output]
picture = false
"""
TABLE = 'id,clearance [1/week],"blood"\n\n"p, 1",140,10\np2,168, 100\np3,210,0\n'


def study(folder: Path, design: str = "random", name: str = "cohort") -> Path:
    (folder / "cohort.csv").write_text(TABLE, encoding="utf-8-sig")
    path = folder / f"{name}.toml"
    path.write_text(COHORT.replace("DESIGN", f'design = "{design}"'), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_are_those_of_scipy(name: str) -> None:
    draw, law = LAWS[name]
    found, inner = (
        quantile(draw, U),
        slice(1, -2),
    )  # the ends of those that are cut off are a matter of rounding
    assert found[inner] == pytest.approx(law.ppf(U[inner]), rel=2e-9, abs=1e-12)
    low, high = support(draw)
    assert low <= found.min()
    assert found.max() <= high
    assert np.all(np.diff(found) >= 0)


@pytest.mark.parametrize(("dist", "a", "b"), [("gamma", 3.0, 2.0), ("lognormal", 0.0, 1.0)])
@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (20.0, 40.0), (-np.inf, 5.0), (9.0, np.inf)])
def test_what_is_cut_off_is_left_out_and_the_rest_keeps_its_shape(
    dist: str, a: float, b: float, low: float, high: float
) -> None:
    draw = Draw(0, dist, a, b, low, high)  # type: ignore[arg-type]
    law = st.gamma(a, scale=b) if dist == "gamma" else st.lognorm(b)
    share = law.cdf(high) - law.cdf(low)
    assert kept(draw) == pytest.approx(share, rel=1e-6)
    x = quantile(draw, U)
    assert (law.sf(max(low, 0.0)) - law.sf(x)) / share == pytest.approx(U, abs=1e-6)
    assert low <= x.min()
    assert x.max() <= high


@pytest.mark.parametrize("dimensions", [1, 2, 17, 60])
def test_sobol_numbers_are_those_of_scipy(dimensions: int) -> None:
    known = st.qmc.Sobol(dimensions, scramble=False).random(1024)
    assert np.array_equal(sobol(np.arange(1024), dimensions), known)
    late = st.qmc.Sobol(dimensions, scramble=False).fast_forward(70_000).random(3)
    assert np.array_equal(sobol(np.arange(70_000, 70_003), dimensions), late)
    assert np.array_equal(
        direction_numbers(dimensions), st.qmc.Sobol(dimensions, scramble=False, bits=BITS)._sv
    )


def test_scrambled_sobol_numbers_fill_every_box_once_and_each_is_uniform() -> None:
    u = sobol(np.arange(256), 2, seed=3)
    for k in range(9):  # a (0, 8, 2)-net: one row in each box of 2**-k by 2**(k - 8)
        boxes = np.floor(u * [2**k, 2 ** (8 - k)]).astype(int)
        assert len({*map(tuple, boxes.tolist())}) == 256
    first = np.array([sobol(np.array([5]), 3, seed=s)[0] for s in range(400)])
    for column in first.T:
        assert st.kstest(column, "uniform").pvalue > 1e-3
    assert not np.array_equal(u, sobol(np.arange(256), 2, seed=4))


def test_a_latin_hypercube_has_one_row_in_each_part() -> None:
    inside = np.random.default_rng(1).random((300, 4))
    u = latin_hypercube(7, np.arange(300), 300, inside)
    assert np.array_equal(
        np.sort(np.floor(300 * u).astype(int), axis=0), np.repeat(np.arange(300)[:, None], 4, axis=1)
    )
    assert np.abs(np.corrcoef(u.T) - np.eye(4)).max() < 0.25


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 64, 1000])
def test_orders_of_a_latin_hypercube_are_permutations_and_all_alike(n: int) -> None:
    assert sorted(permuted(2, 9, np.arange(n), n)) == list(range(n))
    if n in (4, 5):
        orders = dict.fromkeys(itertools.permutations(range(n)), 0)
        for seed in range(2400):
            orders[tuple(permuted(seed, 0, np.arange(n), n).tolist())] += 1
        assert st.chisquare(list(orders.values())).pvalue > 1e-3


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
def test_a_patient_is_the_same_whoever_asks(design: str, tmp_path: Path) -> None:
    _, resolved = prepare(study(tmp_path, design))
    cohort, seed = resolved.cohort, 2**64 - 1
    whole = drawn_rows(seed, cohort, np.arange(40))
    for first, last in ((0, 1), (3, 4), (7, 29), (39, 40)):
        assert np.array_equal(whole[first:last], drawn_rows(seed, cohort, np.arange(first, last)))
    assert not np.array_equal(whole[:, :3], drawn_rows(1, cohort, np.arange(40))[:, :3])


def test_correlated_draws_have_their_correlation_and_their_distributions() -> None:
    matrix = np.array([[1, 0, 0.7, 0], [0, 1, 0, 0], [0.7, 0, 1, -0.3], [0, 0, -0.3, 1]])
    factor = cholesky(matrix)
    assert factor is not None
    full = np.array([(*row, *[0.0] * (4 - len(row))) for row in factor])
    assert full == pytest.approx(np.linalg.cholesky(matrix), abs=1e-15)
    laws = [LAWS[name] for name in ("normal", "beta", "normal above 0", "gamma")]
    x = shaped(sobol(np.arange(1, 4097), 4, seed=1), [draw for draw, _ in laws], factor)
    for column, (_, law) in zip(x.T, laws, strict=True):
        assert st.kstest(column, law.cdf).statistic < 0.005  # found: 0.0003 to 0.0038; of random numbers about 0.014
    ranks = st.spearmanr(x).statistic
    assert ranks == pytest.approx(6 / np.pi * np.arcsin(matrix / 2), abs=0.01)
    assert cholesky(np.array([[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]])) is None


def test_a_run_has_the_patients_of_its_table_and_its_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = ctcdyn.run(load_study(study(tmp_path, "sobol")))
    patient = results["patient_id"]
    values = {name: results.params[:, k] for k, name in enumerate(results.parameter)}
    assert values["clearance"] == pytest.approx(np.array([20, 24, 30])[patient % 3], rel=1e-15)
    assert np.array_equal(values["initial_blood"], np.array([10.0, 100.0, 0.0])[patient % 3])
    for species in ("blood", "tissue"):
        assert np.array_equal(results.values(species)[:, 0], values[f"initial_{species}"])
    assert len(set(values["initial_tissue"])) == 40
    (tmp_path / "cohort.csv").unlink()  # the file alone knows the patients
    again = replay(tmp_path / "cohort.h5", 33)
    assert "params" in again.compared
    assert not again.differing


def test_a_table_of_patients_says_how_many_there_are(tmp_path: Path) -> None:
    path = study(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("patients = 40\n", ""), encoding="utf-8")
    plan, resolved = prepare(path)
    assert plan.count == 6
    assert isinstance(resolved.cohort, Cohort)
    assert resolved.cohort.table.tolist() == [[20.0, 10.0], [24.0, 100.0], [30.0, 0.0]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,clearance,blood\n", "holds no patients"),
        ("id,clearance,clearance\n1,2,3\n", "two columns"),
        ("a,clearance,blood\n1,2,3\n", "no column"),
        ("id,clearance,\n1,2,3\n", "has no name"),
        ("id,clearance,blood\n1,2\n", "2 cells"),
        ("id,clearance,blood\n1,2,\n", "is empty"),
        ("id,clearance,blood\n1,inf,3\n", "no number"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = study(tmp_path)
    (tmp_path / "cohort.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ctcdyn.CtcError) as caught:
        prepare(path)
    found = [p for p in caught.value.problems if p.code == "C123"]
    assert any(told in p.what for p in found)
    assert all(p.place is not None and p.fix for p in found)


def test_check_prints_what_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ctcdyn.cli import app

    with pytest.raises(SystemExit) as end:
        app(["check", str(study(tmp_path, "sobol"))])
    assert not end.value.code
    out = capsys.readouterr().out
    for line in ("sigma of the logarithm 0.472381, to 8000", "normal, mean 1, sd 1, from 0", "gamma, shape 2, mean 30",
                 "shedding and tissue 0.5", "even for a power of two: 32 patients",
                 "clearance, initial_blood of 3 patients, taken again and again for 40 patients"):  # fmt: skip
        assert line in out


def test_uniforms_of_patients_are_those_of_before() -> None:
    """The plain design is addressed as documented: a change of it would move every published cohort."""
    uniforms = np.empty((2, 2))
    leaf_functions().draw_uniforms(np.int64(42), 0, leaf_functions().DRAWS, uniforms)
    cohort = Cohort((Draw(0, "uniform", 0.0, 1.0), Draw(3, "normal", 1.0, 2.0)), patients=2)
    found = drawn_rows(42, cohort, np.arange(2))
    assert np.array_equal(found[:, 0], uniforms[:, 0])
    assert found[:, 1] == pytest.approx(1 + 2 * st.norm.ppf(uniforms[:, 1]), rel=1e-14)
