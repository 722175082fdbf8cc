"""Sweeps: which points a design has, outcomes at each, and what they say an outcome depends on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats as st

import ctcdyn
from commands import command
from coverage_of_indices import Known, coverage, g_function, ishigami, study
from ctcdyn.config import load_study
from ctcdyn.errors import CtcError, Status
from ctcdyn.model.cohort import Cohort
from ctcdyn.model.load import prepare
from ctcdyn.model.sweeping import Axis, Sweep
from ctcdyn.patients import drawn_rows
from ctcdyn.points import blocks, moves, rows
from ctcdyn.sensitivity import elementary_effects, sobol_indices

STUDY = """schema = 1
[model]
use = "ctc_linear"
[sweep]
DESIGN
[sweep.range]
clearance = { low = "1 /h", high = "4 /h", log = true }
blood = { low = 0, high = 100 }
[simulate]
t_end = "3 days"
[ensemble]
seed = 5
"""
MODEL = """schema = 1
name = "numbers"
units = "none"
[species]
x = { initial = 1 }
[parameters]
a = { value = 0, source = "assumed: swept" }
b = { value = 0, source = "assumed: swept" }
c = { value = 0, source = "assumed: swept" }
[observables]
y = { expr = "sin(a) + 7 * sin(b)**2 + 0.1 * c**4 * sin(a)", unit = "1" }
[[reaction]]
name = "stay"
equation = "x ->"
rate = "0.001 * x"
"""
RUN = """schema = 1
[model]
file = "numbers.model.toml"
[sweep]
design = "saltelli"
base = 256
[sweep.range]
a = { low = -3.141592653589793, high = 3.141592653589793 }
b = { low = -3.141592653589793, high = 3.141592653589793 }
c = { low = -3.141592653589793, high = 3.141592653589793 }
[[event]]
name = "positive"
when = "y > 0"
[simulate]
method = "tsit5"
t_end = "1 day"
save = { n = 2 }
[ensemble]
seed = 3
[output]
keep = "all"
picture = false
"""


def values(folder: Path, design: str, ranges: str = "") -> tuple[Cohort, np.ndarray]:
    """The cohort of a sweep and its values: clearance (1/day), then the start of blood."""
    text = STUDY.replace("DESIGN", design)
    if ranges:
        first, last = text.index("clearance ="), text.index("[simulate]")
        text = text[:first] + ranges + "\n" + text[last:]
    (folder / "sweep.toml").write_text(text, encoding="utf-8")
    plan, resolved = prepare(folder / "sweep.toml")
    assert plan.patients == plan.count
    return resolved.cohort, drawn_rows(5, resolved.cohort, np.arange(plan.count))


def test_a_grid_has_all_combinations(tmp_path: Path) -> None:
    ranges = 'clearance = { low = "1 /h", high = "4 /h", log = true, steps = 3 }\nblood = { values = [5, 0] }'
    cohort, x = values(tmp_path, 'design = "grid"', ranges)
    assert x == pytest.approx(np.array([[24, 5], [24, 0], [48, 5], [48, 0], [96, 5], [96, 0]]), rel=1e-14)
    assert x[0, 0] == 24.0
    assert x[-1, 0] == 96.0
    assert np.array_equal(drawn_rows(5, cohort, np.arange(3, 5)), x[3:5])


def test_a_list_has_values_side_by_side(tmp_path: Path) -> None:
    ranges = "clearance = { values = [20, 30, 25] }\nblood = { values = [5, 0, 7] }"
    _, x = values(tmp_path, 'design = "list"', ranges)
    assert x.tolist() == [[20, 5], [30, 0], [25, 7]]


def test_points_of_a_sobol_sweep_are_those_of_scipy(tmp_path: Path) -> None:
    _, x = values(tmp_path, 'design = "sobol"\npoints = 64\nscramble = false')
    u = st.qmc.Sobol(2, scramble=False).random(64)
    assert x == pytest.approx(np.column_stack([24 * 4 ** u[:, 0], 100 * u[:, 1]]), rel=1e-13, abs=1e-12)


@pytest.mark.parametrize("design", ["latin_hypercube", "sobol"])
def test_designs_cover_every_part_and_a_point_is_the_same_whoever_asks(design: str, tmp_path: Path) -> None:
    cohort, x = values(tmp_path, f'design = "{design}"\npoints = 64')
    u = np.column_stack([np.log(x[:, 0] / 24) / np.log(4), x[:, 1] / 100])
    assert np.array_equal(np.sort(np.floor(64 * u), axis=0), np.repeat(np.arange(64.0)[:, None], 2, axis=1))
    for first, last in ((0, 1), (13, 40), (63, 64)):
        assert np.array_equal(drawn_rows(5, cohort, np.arange(first, last)), x[first:last])


def test_every_point_has_the_same_patients(tmp_path: Path) -> None:
    population = (
        "[population]\npatients = 5\ndraw.shedding = { dist = 'uniform', low = 1, high = 9 }\n[simulate]"
    )
    text = STUDY.replace("DESIGN", 'design = "sobol"\npoints = 4').replace("[simulate]", population)
    (tmp_path / "sweep.toml").write_text(text, encoding="utf-8")
    plan, resolved = prepare(tmp_path / "sweep.toml")
    assert plan.count == 20
    x = drawn_rows(5, resolved.cohort, np.arange(20)).reshape(4, 5, 3)
    assert np.array_equal(x[0, :, 0], x[3, :, 0])
    assert len(set(x[0, :, 0])) == 5
    assert len(set(x[:, 0, 1])) == 4
    assert np.array_equal(drawn_rows(5, resolved.cohort, np.arange(3, 18)), x.reshape(20, 3)[3:18])


def test_a_saltelli_row_is_a_and_b_and_mixtures_of_the_two() -> None:
    sweep = Sweep("saltelli", tuple(Axis(k) for k in range(3)), 64 * 5, 64)
    u = rows(sweep, 7, np.arange(320)).reshape(64, 5, 3)
    for k in range(3):
        assert np.array_equal(u[:, k + 1, k], u[:, 4, k])
        others = [j for j in range(3) if j != k]
        assert np.array_equal(u[:, k + 1, others], u[:, 0, others])
    assert blocks(64) == 16
    for block in u.reshape(16, 4, 5, 3):  # each a Sobol sequence of its own: one row in each quarter
        assert np.array_equal(
            np.sort(np.floor(4 * block[:, 0]), axis=0), np.repeat(np.arange(4.0)[:, None], 3, axis=1)
        )
    assert len(np.unique(u[:, 0])) == 192


def test_a_morris_way_moves_each_parameter_once() -> None:
    sweep = Sweep("morris", tuple(Axis(k) for k in range(4)), 500, 100, 6)
    u = rows(sweep, 9, np.arange(500)).reshape(100, 5, 4)
    steps = np.diff(u, axis=1)
    assert np.array_equal((steps != 0).sum(axis=1), np.ones((100, 4)))
    assert np.abs(steps[steps != 0]) == pytest.approx(3 / 5)
    assert set(np.round(5 * u).astype(int).ravel().tolist()) == set(range(6))
    assert np.array_equal(rows(sweep, 9, np.arange(7, 12)), u.reshape(500, 4)[7:12])
    start, order, up = moves(9, 0, 4, 6)
    assert start.shape == order.shape == up.shape == (4,)


@pytest.mark.parametrize("known", [ishigami(), g_function()], ids=["ishigami", "g"])
def test_indices_are_those_of_scipy_and_the_truth_is_in_their_intervals(known: Known) -> None:
    d = len(known.first)
    sweep = Sweep("saltelli", tuple(Axis(k) for k in range(d)), 2048 * (d + 2), 2048)
    y = known.f(rows(sweep, 1, np.arange(sweep.count))).reshape(-1, d + 2)
    found = study(known, 2048, 1, confidence=0.999)  # of 18 intervals one of 95 % may well miss
    parts = {"f_A": y[:, 0], "f_B": y[:, -1], "f_AB": y[:, None, 1:-1].transpose(2, 1, 0)}
    other = st.sobol_indices(func=parts, n=2048)
    assert found.first == pytest.approx(other.first_order, abs=1e-12)
    assert found.total == pytest.approx(other.total_order, abs=1e-12)
    for truth, interval in ((known.first, found.first_interval), (known.total, found.total_interval)):
        assert np.all((interval[:, 0] <= truth) & (truth <= interval[:, 1]))
        assert np.all(interval[:, 1] - interval[:, 0] < 0.17)


def test_intervals_cover_in_88_to_98_percent_of_studies() -> None:
    covered = np.concatenate(
        [np.concatenate(coverage(known, 32, 200)) for known in (ishigami(), g_function())]
    )
    assert 0.88 <= covered.mean() <= 0.98
    assert covered.min() > 0.80


def test_noise_is_told_and_taken_out() -> None:
    known = ishigami()
    found = study(known, 8192, 4, noise=0.5)
    assert found.noise == pytest.approx(1 / 3, abs=0.02)
    assert found.first == pytest.approx(known.first / 1.5, abs=0.05)
    assert found.first_inner == pytest.approx(known.first, abs=0.05)
    assert found.total_inner == pytest.approx(known.total, abs=0.06)
    assert "33 % of the variance is chance" in str(found)


def test_elementary_effects_of_a_known_function() -> None:
    sweep = Sweep("morris", tuple(Axis(k) for k in range(3)), 400, 100)
    cube = rows(sweep, 2, np.arange(400)).reshape(100, 4, 3)
    value = 3 * cube[..., 0] - 2 * cube[..., 1] + 5 * cube[..., 1] * cube[..., 2]
    found = elementary_effects(value, cube, ("a", "b", "c"), error=np.full_like(value, 0.1))
    assert found.mean_size[0] == pytest.approx(3)
    assert found.sd[0] == pytest.approx(0, abs=1e-12)
    assert found.mean[1] == pytest.approx(0.5, abs=4 * found.error[1])
    assert found.mean[2] == pytest.approx(2.5, abs=4 * found.error[2])
    assert found.sd[1] > 1
    assert found.noise == pytest.approx(np.sqrt(0.02) / (2 / 3))
    assert str(found).index("a ") > 0


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Saltelli study of a model whose observable is Ishigami's function."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "numbers.model.toml").write_text(MODEL, encoding="utf-8")
    (folder / "numbers.toml").write_text(RUN, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ctcdyn.run(load_study(folder / "numbers.toml")).close()
    return folder / "numbers.h5"


def test_a_study_gives_the_indices_of_its_observable(ran: Path) -> None:
    with ctcdyn.open(ran) as results:
        points = results.points
        known, y = ishigami(), points.outcome("y").value
        assert points.names == ("a", "b", "c")
        assert y == pytest.approx(known.f(points.values / (2 * np.pi) + 0.5), abs=1e-9)
        found = results.sensitivity("y")
        same = study(known, 256, 3)
        assert found.first == pytest.approx(same.first, abs=1e-9)
        assert found.total_interval == pytest.approx(same.total_interval, abs=1e-8)
        share = points.outcome("positive")
        assert np.array_equal(share.value, y > 0)
        assert np.isnan(found.noise)
        with pytest.raises(CtcError, match="R509"):
            points.outcome("z")
        with pytest.raises(CtcError, match="R522"):
            results.sensitivity("log(y)")


def test_rows_with_a_failed_trajectory_are_dropped_and_counted(ran: Path) -> None:
    with ctcdyn.open(ran) as results:
        status = results.status.copy()
        status[[0, 3, 7]] = int(Status.STEP_LIMIT)  # in rows 0 and 1
        results._read["status"] = status
        found = results.sensitivity("y")
        assert (found.rows, found.dropped) == (254, 2)
        y = results.points.outcome("y").value.reshape(-1, 5)[2:]
        group = np.repeat(np.arange(16), 16)[2:]
        assert np.array_equal(found.total, sobol_indices(y[:, 0], y[:, -1], y[:, 1:-1].T, group=group).total)
        status[::60] = int(Status.STEP_LIMIT)
        with pytest.raises(CtcError, match="R522"):
            results.sensitivity("y")
        assert results.sensitivity("y", max_failed=0.5).dropped > 13


def test_inspect_shows_indices_and_points(ran: Path) -> None:
    code, out, _ = command("inspect", ran, "--sensitivity", "y")
    assert code == 0
    assert out.startswith("Sobol indices of y, 256 base rows")
    code, out, _ = command("inspect", ran, "--sensitivity", "y", "--json")
    assert set(json.loads(out)["control"]["parameters"]) == {"a", "b", "c"}
    code, out, _ = command("inspect", ran, "--points", "positive")
    assert code == 0
    assert out.count("\n") == 1281
