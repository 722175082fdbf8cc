"""Survival, arms in pairs and competing risks of a result: who counts, from when, and with what error. No kernel."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ctcdyn.analysis import event_difference, event_share
from ctcdyn.errors import CtcError, Status
from ctcdyn.followup import first_of, of_results
from ctcdyn.hazards import logrank
from ctcdyn.results import Results
from ctcdyn.survival import kaplan_meier
from synthetic import schema, seeded

ARMS = ("surgery", "surgery + drug", "placebo")
END = 60.0


def cohort(rng: np.random.Generator, n: int = 400, weighted: bool = False, **changes: Any) -> Results:
    """n patients in three arms, the first and the last alike: relapse and death in 60 days, a share of rows failed."""
    rate = rng.lognormal(-4.0, 0.5, (n, 1)) * [1.0, 0.6, 1.0]
    times = np.stack(
        [-np.log(rng.random((n, 1))) / rate, rng.exponential(80.0, (n, 1)) + 0.0 * rate], axis=-1
    )
    ends = rng.uniform(30.0, END, (n, 1, 1))
    seen = times <= ends
    status = np.where(rng.random((n, 1)) < 0.05, int(Status.STEP_LIMIT), int(Status.OK)) + np.zeros(
        (n, 3), int
    )
    settings = {
        "arms": ARMS,
        "event_kinds": ("relapse", "death"),
        "weighted": weighted,
        "quantiles": (),
        "keep": 0,
    }
    rows = {
        "status": status.reshape(-1).astype(np.uint8),
        "event_time": np.where(seen, times, ends).reshape(-1, 2),
        "event_observed": seen.astype(np.uint8).reshape(-1, 2),
        "params": np.repeat(rate[:, :1] * np.ones(4), 3, axis=0),
    }
    if weighted:
        rows["weight"] = np.ones(3 * n)
    return Results.from_arrays(schema(3 * n, **(settings | changes)), rows)


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Results:
    return cohort(seeded(request.node.nodeid))


def good(results: Results, arm: int) -> NDArray[np.bool_]:
    return (results.status == 0) & (results["arm_index"] == arm)


def test_curves_are_those_of_the_arms_without_what_failed(results: Results) -> None:
    found = results.survival("relapse")
    assert found.groups == ARMS
    for a, arm in enumerate(ARMS):
        rows = good(results, a)
        plain = kaplan_meier(results.event_time[rows, 0], results.event_observed[rows, 0] == 1)
        np.testing.assert_array_equal(found[arm].survival, plain.survival)
        np.testing.assert_allclose(found[arm].error, plain.error, rtol=1e-12)
        assert found[arm].n == rows.sum() < 400
        assert of_results(results, "relapse", arm).time == pytest.approx(results.event_time[rows, 0])
    at_risk = [found[arm].risk([found.horizon])[0] / found[arm].n for arm in ARMS]
    later = [found[arm].risk([np.nextafter(found.horizon, END)])[0] / found[arm].n for arm in ARMS]
    assert min(later) < 0.05 <= min(at_risk)


def test_a_null_arm_differs_by_exactly_nothing(results: Results) -> None:
    found = results.survival("relapse")
    for difference in (
        found.restricted_mean_difference("placebo"),
        found.difference("placebo", time=20.0),
        event_difference(results, "relapse", "placebo"),
    ):
        assert (difference.value, difference.error, difference.gain) == (0.0, 0.0, math.inf)
    ratio = found.hazard_ratio("placebo")
    assert (ratio.value, ratio.error, ratio.paired) == (1.0, 0.0, True)


def test_pairs_have_smaller_errors_than_arms_of_other_patients(results: Results) -> None:
    found = results.survival("relapse")
    months, points = (
        found.restricted_mean_difference("surgery + drug"),
        found.difference("surgery + drug", time=25.0),
    )
    assert months.value > 5.0 * months.error
    assert months.gain > 2.0
    assert points.gain > 1.5
    ratio = found.hazard_ratio("surgery + drug")
    alone = logrank([(x.time, x.observed) for x in (found[arm].followed for arm in ARMS[:2])])
    paired = logrank([found[arm].followed for arm in ARMS[:2]])
    assert paired.statistic > 1.5 * alone.statistic
    assert ratio.high < 1.0
    assert ratio.to_halve == 3 * ratio.n
    assert found.logrank().df == 2


def test_groups_within_an_arm(results: Results) -> None:
    halves = results.survival("relapse", by="birth", arm="placebo")
    low, high = halves.groups
    assert low.startswith("birth < ")
    assert high.startswith("birth >= ")
    assert abs(halves[low].n - halves[high].n) < 60
    assert halves.hazard_ratio(high).value > 1.2
    assert not halves.hazard_ratio(high).paired
    labels = np.where(results.params[:, 0] > 0.02, "fast", "slow")
    assert results.survival("relapse", labels, arm="placebo").groups == ("fast", "slow")
    whole = results.survival("relapse", by=None, arm="placebo")
    assert whole.groups == ("placebo",)
    assert whole["placebo"].n == good(results, 2).sum()
    assert whole.hazard("placebo").bandwidth == pytest.approx(whole["placebo"].time[-1] / 10)
    assert whole.restricted_mean("placebo", 20.0).value < 20.0


def test_the_first_of_several_events_counts(results: Results) -> None:
    time, kind = first_of(results, ("relapse", "death"), "placebo")
    rows = good(results, 2)
    days, seen = results.event_time[rows], results.event_observed[rows] == 1
    for t, k, day, one in zip(time, kind, days, seen):
        came = sorted((float(day[e]), e + 1) for e in range(2) if one[e])
        assert (t, k) == (came[0] if came else (day[0], 0))
    found = results.incidence(arm="placebo")
    assert found.names == ("relapse", "death")
    assert found.at("death", 20.0).value < 1.0 - results.survival("death")["placebo"].at(20.0).value
    assert results.incidence(("death",), "placebo").at("death", 20.0).value == pytest.approx(
        1.0 - results.survival("death")["placebo"].at(20.0).value
    )


def test_replicates_of_a_patient_are_not_independent(request: pytest.FixtureRequest) -> None:
    """Each patient four times with the same times: the error is that of the patients, twice the naive one."""
    time = np.repeat(seeded(request.node.nodeid).exponential(30.0, 100), 4)
    rows = {
        "status": np.zeros(400, np.uint8),
        "event_time": time[:, None],
        "event_observed": np.ones((400, 1), np.uint8),
    }
    settings = {"quantiles": (), "keep": 0, "replicates": 4, "patients": 100}
    curve = Results.from_arrays(schema(400, **settings), rows).survival("relapse")["control"]
    naive = kaplan_meier(time, np.ones(400, bool))
    np.testing.assert_allclose(curve.error, 2.0 * naive.error, rtol=1e-9, atol=1e-12)


def test_the_clock_must_have_begun(request: pytest.FixtureRequest) -> None:
    study = {"event": [{"name": "relapse", "clock": "resection"}, {"name": "death", "clock": None}]}
    provenance = {"config_resolved_json": json.dumps(study)}
    results = cohort(seeded(request.node.nodeid), provenance=provenance)
    results.event_time[:30, 0], results.event_observed[:30, 0] = 0.0, 0
    assert results.survival("relapse")["surgery"].n == good(results, 0)[30:].sum()
    assert event_share(results, "relapse").n == good(results, 0)[30:].sum()
    with pytest.raises(CtcError, match="measured from resection, the start"):
        results.incidence()


def test_weighted_trajectories_have_curves_and_no_tests(request: pytest.FixtureRequest) -> None:
    found = cohort(seeded(request.node.nodeid), weighted=True).survival("relapse")
    plain = cohort(seeded(request.node.nodeid)).survival("relapse")
    np.testing.assert_allclose(found["surgery"].survival, plain["surgery"].survival, rtol=1e-12)
    np.testing.assert_allclose(found["surgery"].error, plain["surgery"].error, rtol=1e-9)
    assert found.restricted_mean_difference("placebo").error == 0.0
    for ask in (found.logrank, lambda: found.hazard_ratio("placebo"), lambda: found.hazard("placebo")):
        with pytest.raises(CtcError, match="weighted trajectories"):
            ask()


def test_unknown_names_are_told(results: Results) -> None:
    for ask, told in (
        (lambda: results.survival("relapsed"), 'did you mean "relapse"'),
        (lambda: results.survival("relapse", by="brith"), 'did you mean "birth"'),
        (lambda: results.survival("relapse", by=None, arm="surgry"), 'did you mean "surgery"'),
        (lambda: results.survival("relapse", by=[1, 2]), "labels of shape"),
        (lambda: results.survival("relapse")["surgry"], 'did you mean "surgery"'),
        (lambda: results.incidence(()), "no event was named"),
    ):
        with pytest.raises(CtcError, match=told):
            ask()
