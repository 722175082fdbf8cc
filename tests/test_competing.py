"""Events of several kinds, by state and by time, each of which ends a trajectory: competing risks of the exact process.

One cell becomes b or c, at constant rates, or the follow-up ends on day 3: the chance of each has a closed form.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import ctcdyn
from ctcdyn.errors import Status
from ctcdyn.results import Results

MODEL = """schema = 1
name = "fork"
[species]
a = { unit = "cells", initial = 1 }
b = { unit = "cells" }
c = { unit = "cells" }
[parameters]
to_b = { value = "0.5 /day", source = "assumed: a test" }
to_c = { value = "0.2 /day", source = "assumed: a test" }
[[reaction]]
name = "become_b"
equation = "a -> b"
k = "to_b"
[[reaction]]
name = "become_c"
equation = "a -> c"
k = "to_c"
"""
STUDY = """schema = 1
[model]
file = "fork.model.toml"
[[treatment]]
name = "drug"
at = "1 day"
scale = { to_b = 0.25 }
[[arm]]
name = "nothing"
treatments = []
[[arm]]
name = "drug"
treatments = ["drug"]
[[event]]
name = "b_came"
when = "b >= 1"
stop = true
[[event]]
name = "c_came"
when = "c >= 1"
stop = true
[[event]]
name = "over"
when = "t >= 3 days"
stop = true
[[event]]
name = "since_drug"
when = "b + c >= 1"
clock = "drug"
[simulate]
method = "direct"
t_end = "5 days"
save = { n = 2 }
[ensemble]
trajectories = 10_000
seed = 20261128
[output]
file = "fork.h5"
picture = false
"""
B, C, ERRORS = 0.5, 0.2, 4.5  # two-sided false alarm 7e-6 for each of 13 comparisons


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, kernel_cache: str) -> Results:
    folder = tmp_path_factory.mktemp("fork")
    (folder / "fork.model.toml").write_text(MODEL, encoding="utf-8")
    (folder / "fork.toml").write_text(STUDY, encoding="utf-8")
    return ctcdyn.run(ctcdyn.load_study(folder / "fork.toml", [f'output.file="{folder}/fork.h5"']))


def share(kind: float, until: float) -> float:
    return kind / (B + C) * (1.0 - math.exp(-(B + C) * until))


def test_each_kind_comes_first_as_often_as_it_must(results: Results) -> None:
    assert set(results.counts) == {Status.STOPPED}
    found = results.incidence(("b_came", "c_came", "over"))
    for day in (0.7, 1.5, 2.9):
        for name, rate in (("b_came", B), ("c_came", C)):
            at = found.at(name, day)
            assert abs(at.value - share(rate, day)) < ERRORS * at.error
    last = [found.at(name, 3.0).value for name in found.names]
    assert sum(last) == pytest.approx(1.0, rel=1e-12)
    assert abs(last[2] - math.exp(-3.0 * (B + C))) < ERRORS * found.at("over", 3.0).error


def test_what_ends_the_trajectory_censors_the_others(results: Results) -> None:
    time, seen = results.event_time[:, :3], results.event_observed[:, :3] == 1
    assert (seen.sum(axis=1) == 1).all()
    assert (time.max(axis=1) == time.min(axis=1)).all()  # all end with the one that came
    assert set(time[seen[:, 2], 2]) == {3.0}
    rate = results.survival("b_came")["nothing"]
    for day in (1.0, 2.5):  # independent of c: censored by it, its survival is that of b alone
        at = rate.at(day)
        assert abs(at.value - math.exp(-B * day)) < ERRORS * at.error
    assert 1.0 - rate.at(2.5).value > 1.1 * results.incidence(("b_came", "c_came")).at("b_came", 2.5).value


def test_a_clock_of_a_treatment_is_that_moment_in_every_arm(results: Results) -> None:
    """Who had the event before day 1 has no follow-up; b is four times as slow afterwards, in the arm with the drug."""
    after = results.survival("since_drug")
    early = [(results["arm_index"] == a) & (results.event_time[:, :3].min(axis=1) < 1.0) for a in (0, 1)]
    for arm, before, rate in zip(results.arm, early, (B + C, B / 4 + C)):
        curve = after[arm]
        assert curve.n == 10_000 - before.sum()
        at = curve.at(1.5)
        assert abs(at.value - math.exp(-1.5 * rate)) < ERRORS * at.error
        assert curve.time[-1] == 2.0
    np.testing.assert_array_equal(
        results.event_time[0::2][early[0][0::2]], results.event_time[1::2][early[1][1::2]]
    )
    ratio = after.hazard_ratio("drug")
    assert abs(math.log(ratio.value) - math.log((B / 4 + C) / (B + C))) < ERRORS * ratio.error
