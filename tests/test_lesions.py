"""Lesions as objects: founded at their times, with the laws of their sizes, by any solver; the same bits everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ctcdyn
import oracles
from chance import assert_cdf, assert_fraction, assert_mean, cdf_size, fraction_size, seed_of
from colonies import BIRTH_DEATH, CASCADE, RULES, SEED, model, reached, success
from commands import command
from ctcdyn.codegen.emit import FOUNDER_CAPACITY
from ctcdyn.errors import Status
from ctcdyn.lesions import Colonies
from ctcdyn.model.load import load_model, resolve
from ctcdyn.replay import replay
from ctcdyn.results import Results
from ctcdyn.simulation import Model
from ctcdyn.store.content import content_hash


@pytest.fixture(scope="module")
def cascade(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Shed, cleared or in tissue, from where a half of the cells found lesions."""
    lesion = BIRTH_DEATH | {"detect": ("cells -> cells + found", "hazard * cells")}
    folder, species = tmp_path_factory.mktemp("cascade"), "blood = {}\ntissue = {}"
    return model(folder, species, SEED, CASCADE, lesion, RULES, "cells = {}\nfound = {}")


def founders_expected(t: np.ndarray) -> np.ndarray:
    """Mean number of lesions that the cascade has founded by t, by integrals of its exponentials."""
    a, b, inflow, own = 1.5, 0.4, 0.5 * 4.0 / 1.5, 0.2
    of_tissue = t / b - (1 - np.exp(-b * t)) / b**2
    of_blood = ((1 - np.exp(-b * t)) / b - (1 - np.exp(-a * t)) / a) / (a - b)
    return own * inflow * (of_tissue - of_blood)


def not_detected(t: float) -> float:
    """Chance that the line of one cell with b = 0.5, d = 0.3 and hazard 0.02 is not detected by t, science e2."""
    low, high = np.roots([0.5, -0.82, 0.3])[::-1]
    w = (1 - low) / (high - 1) * np.exp(-0.5 * (high - low) * t)
    return float((low + high * w) / (1 + w))


def test_the_closed_law_is_the_printed_one() -> None:
    assert not_detected(10.0) == pytest.approx(0.6880655326, abs=1e-9)
    assert not_detected(20.0) == pytest.approx(0.5631280541, abs=1e-9)


def table_of(results: Results) -> dict[str, np.ndarray]:
    lesions = results.lesions
    return {name: np.asarray(lesions[name]) for name in ("trajectory_id", "founder_time", "detection_time", "size")}


@pytest.mark.parametrize("method", ["direct", "first_order_leap", "hybrid"])
def test_lesions_are_founded_as_a_poisson_process(cascade: Model, method: str) -> None:
    n, t_end = 4000, 20.0
    result = cascade.simulate([0.0, 7.0, t_end], method=method, n=n, seed=seed_of(), keep="none")
    mean = float(founders_expected(np.array(t_end)))
    number = np.bincount(table_of(result)["trajectory_id"], minlength=n)
    assert_mean(number, mean, sd=mean**0.5, detect=0.25 * mean**0.5)
    square = float(((number - mean) ** 2).sum() / mean)  # chi-square with n degrees of freedom, nearly
    assert abs(square - n) < stats.norm.isf(5e-7) * (n * (2 + 1 / mean)) ** 0.5
    times = np.random.default_rng(1).permutation(table_of(result)["founder_time"])[: cdf_size(0.03)]
    assert_cdf(times, lambda t: founders_expected(np.clip(t, 0, t_end)) / mean, detect=0.03)
    if method == "direct":  # detected by chance, T7: P(not within t) of one cell
        table = table_of(result)
        for t in (5.0, 10.0):
            old = table["founder_time"] < t_end - t
            waited = (table["detection_time"] - table["founder_time"])[old]
            assert_fraction(~(waited <= t), not_detected(t), detect=0.05)
    # how many are alive, and their cells, at a save and at the end
    for save, t in ((1, 7.0), (2, t_end)):
        s = np.linspace(0, t, 4001)
        rate = np.gradient(founders_expected(s), s)
        cells = np.trapezoid(rate * np.exp(0.2 * (t - s)), s)
        grown = np.exp(0.2 * (t - s))
        lives = np.trapezoid(rate * 0.2 * grown / (0.5 * grown - 0.3), s)  # P(alive) = (b - d) e / (b e - d)
        for name, expected in (("lesions", lives), ("lesion_cells", cells)):
            column = result.observable.index(name)
            error = (result["obs_var"][0, save, column] / n) ** 0.5
            assert abs(result["obs_mean"][0, save, column] - expected) < 5 * error, name


PRINTED = [(3, 1, 1.872e-3), (3, 5, 0.2007), (6, 10, 0.2047), (8, 10, 0.0621), (8, 20, 0.574)]


@pytest.mark.parametrize(("kappa", "n", "expected"), PRINTED)
def test_a_bottleneck_lets_few_cells_through(bottleneck: Model, kappa: float, n: int, expected: float) -> None:
    assert success(n, 1.24, kappa, 2) == pytest.approx(expected, rel=2e-3)  # science 3b as printed
    exact = success(n, 1.24, kappa, 2)
    detect = 0.15 * exact if exact > 0.05 else 1.0 * exact
    patients = fraction_size(exact, detect)
    parameters = {"kappa": float(kappa), "n": float(n)}
    result = bottleneck.simulate([0.0, 150.0], method="direct", n=patients, seed=seed_of(), parameters=parameters)
    table = table_of(result)
    assert len(table["size"]) == patients  # each founded one, at once
    assert_fraction(np.isfinite(table["detection_time"]), exact, detect=detect)


@pytest.fixture(scope="module")
def bottleneck(tmp_path_factory: pytest.TempPathFactory) -> Model:
    lesion = {"divide": ("cells -> 2 cells", "cells"),
              "wither": ("cells ->", "cells * (1 + (kappa / max(cells, 1)) ** 2) / 1.24")}  # fmt: skip
    more = '[lesion]\ndetection = "cells >= 400"\n[[lesion.founder]]\nreaction = "settle"\nbegins = { cells = "n" }\n'
    reactions = {"settle": ("seed -> lesion", "100 * seed")}
    folder = tmp_path_factory.mktemp("bottleneck")
    return model(folder, "seed = { initial = 1 }", {"kappa": 3.0, "n": 1.0}, reactions, lesion, more)


ROOT = Path(__file__).parents[1]
SURGERY = 18.0 / 0.12  # days: e^18 cells from one
PAPER = {
    "tumor_growth": 0.12, "birth": 0.5, "death": 0.4, "detection_size": 200.0,
    "resection_size": float(np.exp(18.0)), "initiation": 0.6 / float(np.exp(18.0)),
}  # fmt: skip


@pytest.fixture(scope="module")
def primary() -> Model:
    """avanzini_antal_2019 as its published study runs it: surgery at a size, the event of a relapse."""
    study = ctcdyn.load_study(ROOT / "configs/published/avanzini_antal_2019.toml")
    return Model(resolve(load_model(study.model.use), study).network)


def test_survival_after_surgery_is_that_of_avanzini_and_antal(primary: Model) -> None:
    b, d, growth, at_surgery, size = 0.5, 0.4, 0.12, 0.6, 200
    after = np.array([0.0, 5.0, 10.0, 20.0, 30.0, 50.0])
    s = np.linspace(0.0, SURGERY + 50.0, 4001)
    hit = reached(size, b, d, s)
    exact = []
    for x in after:
        u = np.linspace(0.0, SURGERY, 3001)  # time before surgery at which a lesion was founded
        exact.append(np.exp(-np.trapezoid(at_surgery * np.exp(-growth * u) * np.interp(u + x, s, hit), u)))
    closed = [oracles.relapse_free(b, d, at_surgery, growth, size, x) for x in after]
    assert closed == pytest.approx([0.98691, 0.97629, 0.95721, 0.86574, 0.67471, 0.42075], abs=1e-5)
    assert np.abs(np.array(exact) - closed).max() < 0.01  # it is the limit of large sizes
    n = max(fraction_size(p, 0.03) for p in exact)
    days = [0.0, SURGERY, SURGERY + 50.5]
    result = primary.simulate(days, method="first_order_leap", n=n, seed=seed_of(), parameters=PAPER, keep="none")
    waited = np.where(result.event_observed[:, 0] == 1, result.event_time[:, 0], np.inf)  # from surgery on
    for x, p in zip(after[1:], exact[1:], strict=True):
        assert_fraction(waited > x, p, detect=0.03)
    first = np.full(n, np.inf)  # seen before surgery: 0 days after it, so from the table of lesions
    table = table_of(result)
    seen = np.isfinite(table["detection_time"])
    np.minimum.at(first, table["trajectory_id"][seen], table["detection_time"][seen])
    assert_fraction(first > SURGERY, exact[0], detect=0.03)


def test_a_relapse_of_a_large_size_has_the_law_of_the_paper(primary: Model) -> None:
    """The values of the file, 1e9 cells at detection: the closed form itself, and its cure fraction of 67.03 %."""
    after = np.array([600.0, 800.0, 900.0, 1000.0, 1300.0])
    law = [oracles.relapse_free(0.1, 0.08, 0.02, 0.01, 1e9, x) for x in after]
    assert law == pytest.approx([0.98994, 0.92800, 0.81844, 0.70383, 0.67041], abs=1e-5)
    n = max(fraction_size(p, 0.05) for p in law)
    surgery = float(np.log(2e11) / 0.01)
    result = primary.simulate([0.0, surgery + 1400.0], method="first_order_leap", n=n, seed=seed_of(), keep="none")
    waited = np.where(result.event_observed[:, 0] == 1, result.event_time[:, 0], np.inf)
    for x, p in zip(after, law, strict=True):
        assert_fraction(waited > x, p, detect=0.05)
    cured = dict(zip(primary.network.parameter_names, primary.network.parameter_values(), strict=True))
    assert cured["cure_fraction"] == pytest.approx(np.exp(-0.4), rel=1e-12)
    assert oracles.relapse_free(0.1, 0.08, 0.02, 0.01, 1e9, 3000.0) == pytest.approx(np.exp(-0.4), rel=1e-9)


def test_sizes_of_metastases_follow_a_power_law(primary: Model) -> None:
    """Exponential primary, exponential metastases: the number above x falls as x^-(growth / net growth), science e4."""
    result = primary.simulate(
        [0.0, SURGERY], method="first_order_leap", n=1000, seed=seed_of(),
        parameters=PAPER | {"initiation": 40.0 / float(np.exp(18.0)), "resection_size": 1e30},
    )  # fmt: skip
    sizes = np.sort(table_of(result)["size"])
    large = sizes[sizes > 60.0]
    assert len(large) > 2000
    index = 1.0 / np.mean(np.log(large / 60.0))  # Hill 1975, doi:10.1214/aos/1176343247
    slope = 0.12 / 0.1
    # whole cells, and the limit of large sizes
    assert abs(index - slope) < 5 * slope / len(large) ** 0.5 + 0.02 * slope


def test_lesions_found_lesions(primary: Model) -> None:
    """Cells of all lesions follow X' = (b - d + again) X + founders, and each that again founds is a lesion."""
    again, t_end, n = 0.05, 40.0, 2000
    parameters = PAPER | {"secondary": again, "tumor_growth": 0.0, "initiation": 2e-5, "resection_size": 1e30}
    result = primary.simulate(
        [0.0, t_end], method="first_order_leap", n=n, seed=seed_of(), parameters=parameters, initial={"tumor": 1e4}
    )  # 0.2 founders a day
    net = 0.1 + again
    cells = 0.2 * (np.exp(net * t_end) - 1) / net
    founded = 0.2 * t_end + again * (cells - 0.2 * t_end) / net
    lesions = result.lesions
    number = np.bincount(np.asarray(lesions["trajectory_id"]), minlength=n)
    error = number.std() / n**0.5
    assert error < 0.05 * founded
    assert abs(number.mean() - founded) < 5 * error
    column = result.observable.index("lesion_cells")
    assert abs(result["obs_mean"][0, 1, column] - cells) < 5 * (result["obs_var"][0, 1, column] / n) ** 0.5
    # a parent is an older lesion of the same patient, and numbers run without gaps
    of, parent, own = (np.asarray(lesions[name]) for name in ("trajectory_id", "parent", "lesion"))
    time = np.asarray(lesions["founder_time"])
    place = {(i, k): at for at, (i, k) in enumerate(zip(of.tolist(), own.tolist(), strict=True))}
    born = np.array([time[place[i, k]] if k >= 0 else 0.0 for i, k in zip(of.tolist(), parent.tolist(), strict=True)])
    assert (parent < own).all()
    assert (born <= time).all()
    assert (parent >= 0).any()
    assert (np.diff(own)[np.diff(of) == 0] == 1).all()


BEGINS = '[[lesion.founder]]\nreaction = "settle"\nbegins = { cells = "n" }\n'
STUDY = """
schema = 1
[model]
file = "colonies.toml"
[population]
patients = 600
[population.draw]
shed = {{ dist = "lognormal", median = 4.0, gsd = 1.5 }}
[lesion]
method = "hybrid"
[lesion.draw]
b = {{ dist = "lognormal", median = 0.5, gsd = 1.1 }}
n = {{ dist = "lognormal", median = 3, gsd = 1.5 }}
[[treatment]]
name = "drug"
at = "tissue >= 4"
start_of = 0
duration = "5 days"
scale = {{ d = {scale} }}
[[treatment]]
name = "radiation"
at = "12 days"
set = {{ cells = "cells * {rest}", blood = 0 }}
[[treatment]]
name = "later"
start = {{ after = "drug", delay = "1 day" }}
scale = {{ d = 1.0 }}
[[arm]]
name = "nothing"
treatments = []
[[arm]]
name = "both"
treatments = ["drug", "radiation", "later"]
[[event]]
name = "relapse"
when = "lesions_detected >= 1"
[[event]]
name = "second"
when = "lesions_detected >= 2"
clock = "radiation"
[simulate]
method = "direct"
t_end = 20
save = {{ every = 2 }}
[ensemble]
seed = 5
[output]
file = "{file}"
keep = 8
picture = false
lesions = true
""".replace("start_of = 0\n", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lesion = BIRTH_DEATH | {"detect": ("cells -> cells + found", "hazard * cells")}
    folder, rules = tmp_path_factory.mktemp("study"), RULES + BEGINS
    model(folder, "blood = {}\ntissue = {}", SEED | {"n": 3.0}, CASCADE, lesion, rules, "cells = {}\nfound = {}")
    return folder


def write(folder: Path, name: str, scale: float = 2.0, rest: float = 0.0) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(STUDY.format(scale=scale, rest=rest, file=folder / f"{name}.h5"))
    return path


def test_treatments_reach_lesions_and_arms_share_them(folder: Path) -> None:
    with ctcdyn.run(write(folder, "treated")) as result:
        sums = result["obs_mean"][:, :, result.observable.index("lesion_cells")]
        assert (sums[0] >= sums[1]).all()
        assert sums[1, result.time.tolist().index(12.0)] == 0.0  # a treatment of that day comes before the save
        assert sums[1, -1] > 0.0  # founded by what was in tissue then
        arm, of, founded = (np.asarray(result.lesions[x]) for x in ("arm_index", "patient_id", "founder_time"))
        early = founded < 12.0
        shared = [sorted(zip(of[early & (arm == a)], founded[early & (arm == a)], strict=True)) for a in (0, 1)]
        # no treatment changes what the patient founds before
        assert np.allclose(shared[0], shared[1], rtol=1e-13, atol=0)
        seen, observed = result.event_time, result.event_observed
        detected = np.asarray(result.lesions["detection_time"])
        rows = np.asarray(result.lesions["trajectory_id"])
        for k in range(0, 1200, 97):
            times = np.sort(detected[(rows == k) & np.isfinite(detected)])
            for e, clock in ((0, 0.0), (1, 12.0)):  # what was seen before the clock began is seen at 0
                assert observed[k, e] == (len(times) > e)
                assert seen[k, e] == (max(times[e], clock) if len(times) > e else 20.0) - clock
        begun = np.asarray(result.lesions["founders"])
        assert set(np.unique(begun)) > {2.0, 3.0, 4.0}  # drawn, and whole
    with ctcdyn.run(write(folder, "null", 1.0, 1.0)) as result:
        column = result.observable.index("lesion_cells")
        assert result.observables[0::2, :6, column].tolist() == result.observables[1::2, :6, column].tolist()


def test_lesions_are_the_same_bits_for_threads_shards_and_resume(folder: Path) -> None:
    study = write(folder, "whole")
    ctcdyn.run(study, threads=1).close()
    wanted = content_hash(folder / "whole.h5")
    ctcdyn.run(study, threads=3, overwrite=True).close()
    assert content_hash(folder / "whole.h5") == wanted
    parts = {"1/2": folder / "part-1.h5", "2/2": folder / "part-2.h5"}
    for part, file in parts.items():
        code, _, err = command("run", study, "--shard", part, "--progress", "none", "-o", file)
        assert code == 0, err
    code, _, err = command("merge", folder / "merged.h5", *parts.values())
    assert code == 0, err
    assert content_hash(folder / "merged.h5") == wanted
    found = replay(folder / "whole.h5", 777)
    assert found.compared
    assert not found.differing


@pytest.mark.parametrize("method", ["direct", "first_order_leap"])
def test_a_full_log_is_a_status_and_no_lost_founder(cascade: Model, method: str) -> None:
    shed = np.array([4.0, 1.5 * FOUNDER_CAPACITY])
    result = cascade.simulate([0.0, 10.0], method=method, n=2, seed=1, parameters={"shed": shed, "b": 0.0, "d": 1.0})
    assert result.status.tolist() == [Status.OK, Status.LOG_FULL]
    assert np.isnan(result.final_state[1]).all()
    assert np.isnan(result.observables[1, 1]).all()
    assert set(np.asarray(result.lesions["trajectory_id"]).tolist()) <= {0}


def test_a_lesion_that_fails_fails_its_patient(cascade: Model) -> None:
    result = cascade.simulate([0.0, 20.0], method="direct", n=64, seed=3, max_events=300)
    failed = result.status == Status.EVENT_LIMIT
    assert failed.any()
    assert not failed.all()
    assert np.isnan(result.observables[failed]).all()
    assert not np.isin(np.flatnonzero(failed), np.asarray(result.lesions["trajectory_id"])).any()


def test_patients_without_lesions_run_no_lesion(cascade: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a lesion was run")

    monkeypatch.setattr(Colonies, "_run", never)
    result = cascade.simulate([0.0, 20.0], method="direct", n=300, seed=3, parameters={"out": 0.0})
    assert result["obs_mean"][0, -1, result.observable.index("lesions")] == 0.0
