"""A trajectory is a pure function of (seed, id): all shipped solvers, with models that ask most of them, and the toy.

Threads, ranges, lanes, save grids, neighbours and whether there is a compiler change no bit of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctcdyn.ensemble import LEAF, Range
from ctcdyn.errors import Status
from ctcdyn.store.content import content_hash
from ctcdyn.study import run
from instances import (
    GRID_FREE,
    SOLVERS,
    WRITTEN,
    Case,
    Content,
    differing,
    plain_case,
    rates,
    rows,
    semantics,
    small,
)

FIXED = tuple(method for method in SOLVERS if semantics(method) == "langevin")  # one step for all trajectories
LEAPS = ("first_order_leap",)  # steps from save to save, which are the same for all trajectories in most models
# A kernel takes seconds to compile, those of the last two kinds half a minute: each solver has the models that ask most
# of it, and the toy, in which all of the language is.
MOST = {
    "direct": ("birth_death_immigration", "de_pillis_2005", "toy"),
    "next_reaction": ("ctc_linear", "toy"),
    "rodas5p": ("ctc_five", "human_breast_min", "toy"),
    "tsit5": ("ctc_five", "kuznetsov_1994"),
    "weak_trapezoidal": ("ctc_five", "toy"),
    "tau_leap": ("toy",),
    "implicit_tau": ("toy",),
    "first_order_leap": ("toy",),
    "hybrid": ("toy",),
}
CASES = [(model, method) for method in SOLVERS for model in MOST.get(method, ("birth_death_immigration", "toy"))]
CASES += [("recurrence", "backward"), ("birth_death_immigration", "moments")]
WIDE = [("toy", "direct"), ("toy", "hybrid"), ("toy", "tau_leap")]
WIDE += [("toy", "rodas5p")]
WIDTHS = (16, 32, 64)
COUNT = 7 * LEAF + 40  # a leaf for each of seven threads, and one that is not full
BAD = LEAF + 44  # the trajectory with a parameter that is not a number
BY_TRAJECTORY = ("status", "n_steps", "n_reactions", "params", "final_state", "event_time", "event_observed")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest) -> tuple[Case, Content]:
    """A case and what it gives in one thread."""
    case = Case(*request.param, COUNT)
    return case, case.run()


every_case = pytest.mark.parametrize("reference", CASES, ids="-".join, indirect=True)
every_uneven_case = pytest.mark.parametrize(  # in which trajectories take different numbers of steps
    "reference",
    [case for case in CASES if case[1] not in (*FIXED, *LEAPS) or case == ("toy", "first_order_leap")],
    ids="-".join,
    indirect=True,
)
every_fixed_case = pytest.mark.parametrize(
    "reference", [case for case in CASES if case[1] in FIXED], ids="-".join, indirect=True
)


@every_case
def test_run_times_differ_and_lanes_are_refilled(reference: tuple[Case, Content]) -> None:
    """What makes the other tests of this page worth something."""
    case, content = reference
    work = content["n_steps"]
    assert COUNT > 2 * LEAF > 4 * case.kernel.module.W
    assert len(np.unique(work)) >= 5 or case.method in (*FIXED, *LEAPS)
    assert len(np.unique(content["params"], axis=0)) == COUNT
    ended = np.isin(content["status"], [Status.OK, Status.EXTINCT])
    assert ended.mean() > 0.99
    assert content["final_state"][ended].tobytes() == content["state"][ended, -1].tobytes()
    if case.jumps:
        assert work.max() > 1.4 * work.min()
        other = rows(case.run(count=LEAF, seed=case.seed + 1), np.s_[:])
        assert {"state", "n_steps"} <= set(differing(other, rows(content, np.s_[:LEAF])))


@every_case
@pytest.mark.parametrize("threads", [2, 7])
def test_threads(reference: tuple[Case, Content], threads: int) -> None:
    case, content = reference
    assert differing(case.run(threads), content) == []


@every_case
def test_ranges_of_any_size_in_any_order(reference: tuple[Case, Content]) -> None:
    case, content = reference
    leaves = [Range(first, min(LEAF, COUNT - first)) for first in range(0, COUNT, LEAF)]
    assert differing(case.run(spans=[Range(0, COUNT)]), content) == []
    assert differing(case.run(spans=leaves[::-1]), content) == []
    mixed = [Range(4 * LEAF, COUNT - 4 * LEAF), Range(0, LEAF), Range(LEAF, 3 * LEAF)]
    assert differing(case.run(2, mixed), content) == []


@every_case
def test_more_trajectories_leave_the_first_ones_alone(reference: tuple[Case, Content]) -> None:
    case, content = reference
    few = case.run(count=LEAF + 10)
    assert differing(rows(few, np.s_[:]), rows(content, np.s_[: LEAF + 10])) == []


@pytest.mark.parametrize("reference", [c for c in CASES if GRID_FREE[c[1]]], ids="-".join, indirect=True)
def test_save_grid(reference: tuple[Case, Content]) -> None:
    """A save reads the path and changes nothing in it."""
    case, content = reference
    times = case.ensemble().times
    between = np.random.default_rng(case.seed).uniform(times[0], times[-1], 60)
    finer = np.unique(np.concatenate([times, between]))
    for grid, at in ((times[::8], np.s_[::8]), (times[[0, -1]], [0, -1])):
        coarse = case.run(times=grid)
        assert differing(coarse, content, BY_TRAJECTORY) == []
        assert coarse["state"].tobytes() == content["state"][:, at].tobytes()
        assert coarse["observables"].tobytes() == content["observables"][:, at].tobytes()
    fine = case.run(times=finer)
    assert differing(fine, content, BY_TRAJECTORY) == []
    assert fine["state"][:, np.isin(finer, times)].tobytes() == content["state"].tobytes()


def failures(case: Case, content: Content) -> dict[str, Any]:
    """Settings under which two trajectories or more exceed their cap of steps or events."""
    cap = int(np.unique(content["n_steps"])[-3])
    return {"max_events" if case.jumps else "max_steps": cap}


@every_fixed_case
def test_every_step_is_an_equal_part_of_the_way_to_a_save(reference: tuple[Case, Content]) -> None:
    """As many as it takes not to exceed the step; one over the cap ends all trajectories at the same save."""
    case, content = reference
    ensemble = case.ensemble()
    steps = np.ceil(np.diff(ensemble.times) / ensemble.longest_step * (1 - 1e-12))
    # steps of no length to a save at a stop, and the rest of an interrupted one
    extra = content["n_steps"] - steps.sum()
    assert extra.min() >= 1
    assert extra.max() <= (1 if case.model != "toy" else 12)
    cut = case.run(max_steps=int(steps[:10].sum()))
    assert (cut["status"] == Status.STEP_LIMIT).all()
    assert not np.isnan(cut["state"][:, :9]).any()
    assert np.isnan(cut["state"][:, 12:]).all()
    assert cut["state"][:, :9].tobytes() == content["state"][:, :9].tobytes()


@every_uneven_case
def test_trajectories_over_their_cap_harm_no_other(reference: tuple[Case, Content]) -> None:
    """Their rows end, all else is as before; and that again for any threads and ranges."""
    case, content = reference
    limits = failures(case, content)
    (cap,) = limits.values()
    failing = case.run(**limits)
    limit = Status.EVENT_LIMIT if case.jumps else Status.STEP_LIMIT
    bad = failing["status"] == limit
    assert 2 <= bad.sum() < COUNT / 4
    over = content["n_steps"] > cap
    # refused candidates of thinning count against the cap, but are no events
    assert (bad[over].all() and bad.sum() < COUNT / 4) if case.model == "toy" else np.array_equal(bad, over)
    assert (failing["n_steps"][bad] == cap + 1).all()
    assert differing(rows(failing, ~bad), rows(content, ~bad)) == []
    assert np.isnan(failing["final_state"][bad]).all()
    missing = np.isnan(failing["state"][:, :, 0])
    assert (missing[:, -1] == bad).all()
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()  # once missing, missing to the end
    for name in ("state", "observables"):
        assert np.isnan(failing[name][missing]).all()
        assert failing[name][~missing].tobytes() == content[name][~missing].tobytes()
    assert (failing["root_n"][0] == (~missing).sum(axis=0)).all()
    assert differing(case.run(7, **limits), failing) == []
    assert differing(case.run(spans=[Range(0, COUNT)], **limits), failing) == []


@every_case
def test_a_trajectory_that_is_not_finite_harms_no_other(reference: tuple[Case, Content]) -> None:
    case, content = reference
    values = case.values.copy()
    values[BAD, rates(small(case.model)[0])[0]] = np.nan
    failing = case.run(values=values)
    assert failing["status"][BAD] == Status.NOT_FINITE
    assert np.isnan(failing["final_state"][BAD]).all()
    assert np.isnan(failing["state"][BAD, 1:]).all()
    good = np.arange(COUNT) != BAD
    assert differing(rows(failing, good), rows(content, good)) == []


@pytest.mark.parametrize("model, method", WIDE, ids=lambda name: name)
def test_widths(model: str, method: str) -> None:
    """Sixteen, 32 and 64 lanes, and whatever the solver takes by itself; with trajectories that fail."""
    case = Case(model, method, COUNT)
    limits = failures(case, case.run())
    content = case.run(**limits)
    assert content["status"].max() >= Status.STEP_LIMIT
    for width in WIDTHS[:: 2 if method == "hybrid" else 1]:  # half a minute each
        wide = Case(model, method, COUNT, width=width)
        assert width == wide.kernel.module.W
        assert differing(wide.run(**limits), content) == []


def test_without_a_compiler(tmp_path: Path) -> None:
    """Plain Python in three lanes gives the bytes of the compiled kernels in all theirs."""
    names = [f"{model}:{method}" for model, method in CASES]
    command = [sys.executable, str(HERE / "instances.py"), "plain", str(tmp_path), *names]
    subprocess.run(command, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, check=True, timeout=300)
    for model, method in CASES:
        case = plain_case(model, method)
        assert case.width is not None
        assert case.count > case.width
        case.width = None
        with np.load(tmp_path / f"{model}-{method}.npz") as plain:
            assert differing(dict(plain), case.run()) == [], (model, method)


STUDY = """schema = 1
[model]
use = "{model}"
[parameters]
{parameters}
[initial]
{initial}
[population]
patients = {patients}
[population.draw]
{draw}
[simulate]
method = "{method}"
t_end = "{days} days"
save = {{ n = 20 }}
[ensemble]
replicates = 2
seed = {seed}
[output]
keep = 300
file = "x.h5"
"""


def study(folder: Path, model: str, method: str) -> Path:
    """A study of the small instance with one drawn parameter."""
    network, days = small(model)
    tests = network.tests
    drawn = network.parameters[rates(network)[0]]
    given = {name: value for name, value in tests["parameters"].items() if name != drawn.name}  # type: ignore[attr-defined]
    text = STUDY.format(
        model=model,
        method=method,
        days=days,
        seed=Case(model, method, 1).seed,
        patients=COUNT // 2,
        parameters="\n".join(f"{name} = {value!r}" for name, value in given.items()),
        initial="\n".join(f"{name} = {value!r}" for name, value in tests["initial"].items()),  # type: ignore[attr-defined]
        draw=f'{drawn.name} = {{ dist = "lognormal", median = "{drawn.value!r} {drawn.unit}", sigma = 0.1 }}',
    )
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


@pytest.mark.parametrize("model, method", [*((m, "direct") for m in WRITTEN), ("ctc_five", "rodas5p")])
def test_files(model: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the file: the content hash does not know how many threads there were."""
    monkeypatch.chdir(tmp_path)
    path = study(tmp_path, model, method)
    hashes = set()
    for threads in (1, 2, 7):
        with run(path, threads=threads, overwrite=True) as results:
            hashes.add(content_hash(results.path))
    assert len(hashes) == 1
