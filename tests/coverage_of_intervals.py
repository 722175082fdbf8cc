"""How often 95 % intervals cover the truth: `python tests/coverage_of_intervals.py` writes docs/record-coverage.md.

Studies of 200 patients whose truth is known: births and deaths simulated by `direct` in two paired arms, and numbers
drawn from laws with a closed form, among them pairs with a common part, replicates, weights and ties. Each study is a
result of its own and goes through what users call; the seed of a row is a hash of its name.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("CTCDYN_CACHE", os.environ.get("CTCDYN_TEST_CACHE") or tempfile.mkdtemp(prefix="kernels"))

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import ndtr
from scipy.stats import binom, gamma

from ctcdyn.analysis import event_difference, event_share
from ctcdyn.hazards import hazard_ratio
from ctcdyn.incidence import cumulative_incidence
from ctcdyn.markers import rank_correlation, roc
from ctcdyn.results import Results
from ctcdyn.survival import Followed, kaplan_meier, restricted_mean
from synthetic import schema, seeded

PAGE = Path(__file__).parents[1] / "docs" / "record-coverage.md"
STUDIES, PATIENTS = 1000, 200
Interval = tuple[float, float]
Found = dict[str, tuple[Interval, float]]  # what -> interval, truth
Rng = np.random.Generator

STUDY = """schema = 1
[model]
file = "clone.model.toml"
[population]
patients = {patients}
[[treatment]]
name = "drug"
at = "0 days"
scale = {{ death = 1.2 }}
[[arm]]
name = "nothing"
treatments = []
[[arm]]
name = "drug"
treatments = ["drug"]
[[event]]
name = "large"
when = "cells >= {large}"
[simulate]
method = "direct"
t_end = "{end} days"
save = {{ n = 2 }}
[ensemble]
seed = 20261128
[output]
file = "clone.h5"
keep = "all"
picture = false
"""
MODEL = """schema = 1
name = "clone"
[species]
cells = { unit = "cells", initial = 20 }
[parameters]
birth = { value = "0.10 /day", source = "assumed: a test" }
death = { value = "0.05 /day", source = "assumed: a test" }
[[reaction]]
name = "divide"
equation = "cells -> 2 cells"
k = "birth"
[[reaction]]
name = "die"
equation = "cells ->"
k = "death"
"""
START, LARGE, END, BIRTH, DEATHS = 20, 60, 30.0, 0.10, (0.05, 0.06)


def ends(estimate: Any) -> Interval:
    return estimate.low, estimate.high


def chain(death: float, top: int, absorbing: bool) -> NDArray[np.float64]:
    """Generator of births and deaths on 0 to `top`, where counting ends."""
    size = np.arange(top + 1.0)
    up, down = BIRTH * size, death * size
    up[top] = 0.0
    down[top] = 0.0 if absorbing else down[top]
    return np.diag(up[:-1], 1) + np.diag(down[1:], -1) - np.diag(up + down)


def truths() -> dict[str, float]:
    """Of the simulated clones: mean and quantiles at the end, chance not to be large by 20 days and time until then."""
    found: dict[str, float] = {}
    for name, death in zip(("nothing", "drug"), DEATHS):
        found[f"mean, {name}"] = START * math.exp((BIRTH - death) * END)
        law = np.cumsum(expm(chain(death, 1500, False) * END)[START])
        for level in (0.5, 0.9):
            found[f"{level}, {name}"] = float(np.searchsorted(law, level))
        first = chain(death, LARGE, True)
        found[f"by 20, {name}"] = 1.0 - float(expm(first * 20.0)[START, LARGE])
        inner = first[:LARGE, :LARGE]  # the time below is the integral of exp(inner t) 1
        state, step = np.zeros(LARGE), expm(inner * 0.01)
        state[START] = 1.0
        courses = [float(state.sum())]
        for _ in range(2000):
            state = state @ step
            courses.append(float(state.sum()))
        found[f"below, {name}"] = 0.01 * (sum(courses) - (courses[0] + courses[-1]) / 2)
    return found


def simulated(studies: int, patients: int = PATIENTS) -> Iterator[Found]:
    """Studies of two arms that were run as one, and cut; each patient is followed to a day of their own."""
    from ctcdyn.config import load_study
    from ctcdyn.study import run

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "clone.model.toml").write_text(MODEL, encoding="utf-8")
        study = STUDY.format(patients=studies * patients, large=LARGE, end=END)
        (Path(folder) / "clone.toml").write_text(study, encoding="utf-8")
        whole = run(load_study(Path(folder) / "clone.toml", [f'output.file="{folder}/clone.h5"']))
        time, seen, last = whole.event_time[:, 0], whole.event_observed[:, 0] == 1, whole.state[:, -1]
        whole.close()
    until = np.repeat(seeded("follow-up of clones").uniform(10.0, 60.0, studies * patients), 2)
    seen, time, true = seen & (time <= until), np.minimum(time, until), truths()
    plan = schema(
        2 * patients, 2 * patients, species=("cells",), species_units=("1",), observables=(), observable_units=(),
        parameters=(), parameter_units=(), arms=("nothing", "drug"), event_kinds=("large",), patients=patients,
        times=np.array([END]), state_dtype="f8", whole=("cells",), bin_edges=None,
    )  # fmt: skip
    for k in range(studies):
        rows = slice(2 * k * patients, 2 * (k + 1) * patients)
        arrays = {
            "status": np.zeros(2 * patients, np.uint8),
            "event_time": time[rows, None],
            "event_observed": seen[rows, None].astype(np.uint8),
            "state": last[rows][:, None, :],
            "quantiles": np.zeros((5, 2, 1, 1)),
        }
        results = Results.from_arrays(plan, arrays)
        survival = results.survival("large")
        below, apart = survival.restricted_mean_difference("drug", horizon=20.0), survival.difference("drug", time=20.0)
        band = results.quantiles("cells", (0.5, 0.9))
        found: Found = {}
        for arm in results.arm:
            found[f"survival at 20 days, {arm}"] = ends(survival[arm].at(20.0)), true[f"by 20, {arm}"]
            mean = survival.restricted_mean(arm, 20.0)
            found[f"restricted mean to 20 days, {arm}"] = ends(mean), true[f"below, {arm}"]
        points = true["by 20, drug"] - true["by 20, nothing"]
        found["difference of survival, paired"] = apart.interval(), points
        found["difference of restricted means, paired"] = below.interval(), true["below, drug"] - true["below, nothing"]
        cells = last[rows][::2, 0]
        reach = 1.959964 * float(cells.std(ddof=1)) / math.sqrt(patients)
        found["mean of counts"] = (float(cells.mean()) - reach, float(cells.mean()) + reach), true["mean, nothing"]
        for level in (0.5, 0.9):
            found[f"quantile {level} of counts"] = ends(band.at(level, END)), true[f"{level}, nothing"]
        yield found


def drawn(rng: Rng, n: int = PATIENTS) -> Found:
    """One study of numbers from laws with a closed form."""
    found: Found = {}
    values = rng.gamma(4.0, 1.0, n)
    plan = schema(
        n, n, species=("x",), species_units=("1",), observables=(), observable_units=(), parameters=(),
        parameter_units=(), event_kinds=(), times=np.array([0.0]), state_dtype="f8", bin_edges=None,
    )  # fmt: skip
    arrays = {"status": np.zeros(n, np.uint8), "state": values[:, None, None], "quantiles": np.zeros((5, 1, 1, 1))}
    band = Results.from_arrays(plan, arrays).quantiles("x", (0.1, 0.5, 0.9))
    for level in band.level:
        found[f"quantile {level} of a gamma law"] = ends(band.at(level, 0.0)), float(gamma.ppf(level, 4.0))
    u = rng.random(n)
    both = 10.0 * -np.log(u), 20.0 * -np.log(np.where(rng.random(n) < 0.6, u, rng.random(n)))
    until = rng.uniform(5.0, 40.0, n)
    a, b = (Followed(np.minimum(t, until), t <= until, None, np.arange(n)) for t in both)
    one = kaplan_meier(*a[:2])
    found["survival at 1 of 10"] = ends(one.at(1.0)), math.exp(-0.1)
    found["survival at 10 of 10"] = ends(one.at(10.0)), math.exp(-1.0)
    found["median of survival"] = ends(one.when()), 10.0 * math.log(2.0)
    found["restricted mean to 20"] = ends(restricted_mean(one, 20.0)), 10.0 * (1.0 - math.exp(-2.0))
    found["hazard ratio, paired"] = ends(hazard_ratio(a, b)), 2.0
    mine, theirs = 10.0 * -np.log(rng.random((2, n)))
    found["hazard ratio"] = ends(hazard_ratio((mine, mine < 15.0), (2.0 * theirs, 2.0 * theirs < 15.0))), 2.0
    day = np.ceil(both[0])
    tied = kaplan_meier(np.minimum(day, np.ceil(until)), day <= np.ceil(until))
    found["survival at 10 of 10, in whole days"] = ends(tied.at(10.0)), math.exp(-1.0)
    kind = np.where(a.observed, 1 + (rng.random(n) < 0.3), 0)
    share = cumulative_incidence(a.time, kind).at("2", 10.0)
    found["cumulative incidence of 3 in 10"] = ends(share), 0.3 * (1.0 - math.exp(-1.0))
    patient = np.arange(n) // 2
    frail = rng.gamma(2.0, 0.5, n // 2)[patient]  # of mean 1: survival is (1 + t / 20)^-2
    t = 10.0 * -np.log(rng.random(n)) / frail
    twice = kaplan_meier(t, t < 15.0, cluster=patient)
    found["survival with replicates"] = ends(twice.at(10.0)), 1.5**-2
    heavy = rng.random(n) < 0.5  # drawn twice as fast as it is: weight of the path up to 10 days
    fast = np.where(heavy, 5.0, 10.0) * -np.log(rng.random(n))
    weight = np.exp(-fast / 10.0) * 0.1 / (0.5 * np.exp(-fast / 5.0) * 0.2 + 0.5 * np.exp(-fast / 10.0) * 0.1)
    found["survival of weighted"] = ends(kaplan_meier(fast, fast < 15.0, weight=weight).at(10.0)), math.exp(-1.0)
    ill = rng.random(n) < 0.3
    marker = rng.normal(size=n) + ill
    found["area under the ROC curve"] = ends(roc(marker, ill).auc), float(ndtr(math.sqrt(0.5)))
    x = rng.normal(size=(2, n))
    y = 0.6 * x[0] + 0.8 * x[1]
    found["rank correlation"] = ends(rank_correlation(x[0], y)), 6.0 / math.pi * math.asin(0.3)
    events = schema(2 * n, 0, arms=("a", "b"), event_kinds=("e",), quantiles=())
    chance = np.stack([u < 0.2, u < 0.3], axis=1).reshape(-1, 1)
    rows = {"status": np.zeros(2 * n, np.uint8), "event_time": np.ones((2 * n, 1)), "event_observed": chance}
    results = Results.from_arrays(events, rows)
    found["share with an event"] = ends(event_share(results, "e")), 0.2
    found["difference of shares, paired"] = event_difference(results, "e", "b").interval(), 0.1
    return found


def covered(studies: Iterator[Found]) -> dict[str, tuple[int, int, float]]:
    """How many intervals held the truth (an end that is NaN holds none), how many there were, and the truth."""
    held: dict[str, tuple[int, int, float]] = {}
    for study in studies:
        for name, ((low, high), truth) in study.items():
            yes, n, _ = held.get(name, (0, 0, 0.0))
            held[name] = yes + int(low <= truth <= high), n + 1, truth
    return held


def draws(studies: int, name: str) -> Iterator[Found]:
    """That many studies of drawn numbers."""
    rng = seeded(name)
    return (drawn(rng) for _ in range(studies))


LOW, HIGH = (binom.ppf(tail, STUDIES, 0.95) / STUDIES for tail in (1e-3, 1 - 1e-3))
HEAD = f"""# How often intervals cover the truth

Written by `python tests/coverage_of_intervals.py`: {STUDIES} studies of {PATIENTS} patients for each row, of which 95 %
intervals should hold the truth in 93 to 97 %. With {STUDIES} studies an interval that is right is found between
{100 * LOW:.1f} and {100 * HIGH:.1f} % but for one time in 500. Clones: births and deaths from {START} cells, simulated
by `direct` in two arms of the same patients, followed for 10 to 60 days; the truth is the master equation's. The other
rows are numbers drawn from laws with a closed form: times of mean 10 followed for 5 to 40. `tests/test_coverage.py`
does a short version.

| interval of | truth | studies | covered |
|---|---|---|---|
"""


def main() -> int:
    """Write the record; 1 where a row is outside of 93 to 97 %."""
    parts: list[tuple[str, Callable[[], Iterator[Found]]]] = [
        ("clones: ", lambda: simulated(STUDIES)),
        ("", lambda: draws(STUDIES, "coverage of intervals")),
    ]
    lines, fine = [], True
    for prefix, studies in parts:
        for name, (yes, n, truth) in covered(studies()).items():
            inside = 0.93 <= yes / n <= 0.97
            fine &= inside
            told = f"{100 * yes / n:.1f} %" + ("" if inside else " (outside)")
            lines.append(f"| {prefix}{name} | {truth:.4g} | {n} | {told} |")
    PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
