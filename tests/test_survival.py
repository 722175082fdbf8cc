"""Survival, hazards and competing risks beside scipy and lifelines on the same data, with censoring and ties."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from ctcdyn.hazards import hazard_ratio, logrank, smoothed_hazard
from ctcdyn.incidence import cumulative_incidence
from ctcdyn.survival import (
    Followed,
    kaplan_meier,
    restricted_mean,
    restricted_mean_difference,
    survival_difference,
)
from synthetic import seeded

with warnings.catch_warnings():  # what lifelines and its own imports warn of is no matter of ours
    warnings.simplefilter("ignore")
    import lifelines
    import lifelines.statistics
    import pandas as pd

Data = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


@pytest.fixture(params=["ties", "no ties"])
def data(request: pytest.FixtureRequest) -> Data:
    """Times, whether observed, and three groups of 240: whole days, or none alike."""
    rng = seeded(request.node.nodeid)
    group = rng.integers(0, 3, 240)
    times, ends = rng.exponential(8.0 + 3.0 * group), rng.uniform(1.0, 25.0, 240)
    if request.param == "ties":
        times, ends = np.ceil(times), np.ceil(ends)
    return np.minimum(times, ends), times <= ends, group


def censored(time: NDArray[Any], observed: NDArray[Any]) -> scipy.stats.CensoredData:
    return scipy.stats.CensoredData(uncensored=time[observed], right=time[~observed])


def test_kaplan_meier_is_that_of_scipy_and_lifelines(data: Data) -> None:
    time, observed, _ = data
    curve = kaplan_meier(time, observed)
    theirs = lifelines.KaplanMeierFitter().fit(time, observed)
    np.testing.assert_array_equal(curve.time, theirs.survival_function_.index)
    np.testing.assert_allclose(curve.survival, theirs.survival_function_.to_numpy()[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(curve.at_risk[1:], theirs.event_table["at_risk"].to_numpy()[1:])
    np.testing.assert_array_equal(curve.events, theirs.event_table["observed"])
    seen = (curve.survival < 1.0) & (curve.survival > 0.0)
    band = theirs.confidence_interval_survival_function_.to_numpy()
    np.testing.assert_allclose(curve.low[seen], band[seen, 0], rtol=1e-11)
    np.testing.assert_allclose(curve.high[seen], band[seen, 1], rtol=1e-11)
    found = scipy.stats.ecdf(censored(time, observed)).sf
    np.testing.assert_allclose([curve.at(t).value for t in found.quantiles], found.probabilities, rtol=1e-12)
    assert curve.when().value == theirs.median_survival_time_
    np.testing.assert_allclose(curve.risk([0.0, 5.0]), [240, (time >= 5.0).sum()])
    assert math.isnan(curve.at(float(time.max()) + 1.0).value) == bool(curve.survival[-1] > 0)


def test_logrank_is_that_of_scipy_and_lifelines(data: Data) -> None:
    time, observed, group = data
    groups = [(time[group == g], observed[group == g]) for g in range(3)]
    two, three = logrank(groups[:2]), logrank(groups)
    theirs = scipy.stats.logrank(*(censored(*one) for one in groups[:2]))
    assert two.p == pytest.approx(theirs.pvalue, rel=1e-10)
    assert two.statistic == pytest.approx(theirs.statistic**2, rel=1e-10)
    several = lifelines.statistics.multivariate_logrank_test(time, group, observed)
    assert three.statistic == pytest.approx(several.test_statistic, rel=1e-10)
    assert (three.df, three.paired) == (2, False)
    assert three.p == pytest.approx(several.p_value, rel=1e-9)
    assert sum(three.expected) == pytest.approx(sum(three.observed), rel=1e-12) == observed.sum()


def test_hazard_ratio_is_coxs(data: Data) -> None:
    time, observed, group = data
    chosen = group < 2
    frame = pd.DataFrame({"time": time, "event": observed, "group": (group == 1) * 1.0})[chosen]
    theirs = lifelines.CoxPHFitter().fit(frame, "time", "event").summary.iloc[0]
    a, b = ((time[group == g], observed[group == g]) for g in (1, 0))
    ours = hazard_ratio(a, b)
    expected = theirs[["exp(coef)", "se(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%"]]
    np.testing.assert_allclose(
        [ours.value, ours.error, ours.low, ours.high], expected.astype(float), rtol=1e-6
    )
    assert hazard_ratio(b, a).value == pytest.approx(1.0 / ours.value, rel=1e-9)
    if len(np.unique(time)) < len(time):
        return
    clustered = frame.assign(pair=np.arange(len(frame)) // 2)
    theirs = lifelines.CoxPHFitter().fit(clustered, "time", "event", cluster_col="pair").summary.iloc[0]
    mine = frame["group"].to_numpy() == 1.0
    pairs, times, events = (clustered[x].to_numpy() for x in ("pair", "time", "event"))
    robust = hazard_ratio(*(Followed(times[m], events[m], None, pairs[m]) for m in (mine, ~mine)))
    assert (robust.value, robust.paired) == (ours.value, True)
    assert robust.error == pytest.approx(theirs["se(coef)"], rel=1e-6)


def test_a_group_without_events_has_a_ratio_with_one_end() -> None:
    time = np.arange(1.0, 21.0)
    some, none = (time, np.ones(20, bool)), (time + 5.0, np.zeros(20, bool))
    low, high = hazard_ratio(none, some), hazard_ratio(some, none)
    assert (low.value, low.low, high.value, high.high) == (0.0, 0.0, math.inf, math.inf)
    assert low.high == pytest.approx(1.0 / high.low, rel=1e-9)
    assert 0.0 < low.high < 0.2
    assert math.isnan(hazard_ratio(none, none).value)


def test_cumulative_incidence_is_that_of_lifelines(data: Data) -> None:
    time, observed, _ = data
    kind = np.where(observed, 1 + np.arange(240) % 2, 0)
    ours = cumulative_incidence(time, kind, names=("relapse", "death"))
    together = ours.incidence.sum(axis=0) + ours.survival
    np.testing.assert_allclose(together, 1.0, rtol=1e-12)
    np.testing.assert_allclose(ours.survival, kaplan_meier(time, observed).survival, rtol=1e-12)
    if len(np.unique(time)) == len(time):  # lifelines moves tied times apart at random
        for k, name in enumerate(ours.names):
            theirs = lifelines.AalenJohansenFitter(calculate_variance=True).fit(time, kind, k + 1)
            np.testing.assert_allclose(
                ours.incidence[k], theirs.cumulative_density_.to_numpy()[:, 0], rtol=1e-12
            )
            np.testing.assert_allclose(
                ours.error[k] ** 2, np.ravel(theirs.variance_), rtol=1e-8, atol=1e-16
            )
            seen = ours.incidence[k] > 0.0
            band = theirs.confidence_interval_.to_numpy()[seen]
            np.testing.assert_allclose(np.stack([ours.low[k], ours.high[k]], axis=1)[seen], band, rtol=1e-7)
            last = ours.at(name, float(time.max()))
            assert (last.value, last.low) == (ours.incidence[k, -1], ours.low[k, -1])
    share = cumulative_incidence(time, 1 + np.arange(240) % 2)
    F = share.incidence
    np.testing.assert_allclose(share.error, np.sqrt(F * (1 - F) / 240), rtol=1e-8, atol=1e-10)
    alone = cumulative_incidence(time, observed)
    np.testing.assert_allclose(alone.error[0], kaplan_meier(time, observed).error, rtol=1e-7, atol=1e-9)


def test_smoothed_hazard_is_that_of_lifelines_away_from_the_ends(data: Data) -> None:
    time, observed, _ = data
    fitter = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=False).fit(time, observed)
    theirs = fitter.smoothed_hazard_(4.0)
    inner = (theirs.index > 4.0) & (theirs.index < time.max() - 4.0)
    ours = smoothed_hazard(time, observed, 4.0, theirs.index.to_numpy()[inner])
    np.testing.assert_allclose(ours.hazard, theirs.to_numpy()[inner, 0], rtol=1e-10)
    assert (ours.low[ours.hazard > 0] < ours.hazard[ours.hazard > 0]).all()


def test_a_smoothed_constant_hazard_is_constant_to_its_ends(request: pytest.FixtureRequest) -> None:
    """200 000 of rate 0.1 followed for 5 days: within 5 of its own errors at each of 11 times (false alarm 1e-5)."""
    time = seeded(request.node.nodeid).exponential(10.0, 200_000)
    found = smoothed_hazard(np.minimum(time, 5.0), time <= 5.0, 1.0, np.linspace(0.0, 5.0, 11))
    assert (np.abs(found.hazard - 0.1) < 5.0 * found.error).all()
    assert found.error.max() < 0.002


def test_errors_with_weights_and_clusters(data: Data) -> None:
    time, observed, _ = data
    curve = kaplan_meier(time, observed)
    for other in (
        kaplan_meier(time, observed, weight=np.full(240, 3.0)),
        kaplan_meier(np.repeat(time, 2), np.repeat(observed, 2), cluster=np.repeat(np.arange(240), 2)),
    ):
        np.testing.assert_allclose(other.survival, curve.survival, rtol=1e-12)
        np.testing.assert_allclose(other.error, curve.error, rtol=1e-9, atol=1e-14)
    # a row twice, or one of weight two
    heavy = 1.0 + np.arange(240) % 2
    one = kaplan_meier(time, observed, weight=heavy)
    rows = np.repeat(np.arange(240), heavy.astype(int))
    np.testing.assert_allclose(
        one.error, kaplan_meier(time[rows], observed[rows], cluster=rows).error, rtol=1e-9
    )
    # the change of S by the weight of each row, numerically
    at = float(np.median(time))
    moved = np.array(
        [kaplan_meier(time, observed, weight=1.0 + 1e-6 * row).at(at).value for row in np.eye(240)]
    )
    numerical = math.sqrt(float((((moved - curve.at(at).value) / 1e-6) ** 2).sum()))
    assert curve.at(at).error == pytest.approx(numerical, rel=1e-4)


def test_restricted_means_and_differences_without_censoring_are_those_of_the_numbers(data: Data) -> None:
    """Of pairs with a common part: the error of the mean of the differences, and of the unpaired means."""
    first, _, _ = data
    second, every, pairs, n = np.maximum(first - 1.5, 0.0), np.ones(240, bool), np.arange(240), 240
    a, b = (kaplan_meier(x, every, cluster=pairs) for x in (first, second))
    one, other = np.minimum(first, 12.0), np.minimum(second, 12.0)
    mean = restricted_mean(a, 12.0)
    assert mean.value == pytest.approx(one.mean(), rel=1e-12)
    assert mean.error == pytest.approx(one.std() / math.sqrt(n), rel=1e-10)
    lost = 12.0 - mean.value
    assert (12.0 - mean.low) / lost == pytest.approx(lost / (12.0 - mean.high), rel=1e-9)
    assert 12.0 - mean.low == pytest.approx(lost * math.exp(1.959964 * mean.error / lost), rel=1e-6)
    found = restricted_mean_difference(a, b, 12.0)
    assert found.value == pytest.approx((one - other).mean(), rel=1e-10)
    assert found.error == pytest.approx((one - other).std() / math.sqrt(n), rel=1e-10)
    assert found.unpaired == pytest.approx(math.sqrt((one.var() + other.var()) / n), rel=1e-10)
    assert found.gain > 2.0
    assert found.to_halve == 3 * n
    step = (first > 5.0) * 1.0 - (second > 5.0)
    apart = survival_difference(a, b, 5.0)
    assert apart.value == pytest.approx(step.mean(), rel=1e-12)
    assert apart.error == pytest.approx(step.std() / math.sqrt(n), rel=1e-10)
    alone = kaplan_meier(first, every)
    assert survival_difference(alone, b, 5.0).error == pytest.approx(apart.unpaired, rel=1e-10)


def test_the_area_under_a_censored_curve_is_that_of_lifelines(data: Data) -> None:
    time, observed, _ = data
    fitter = lifelines.KaplanMeierFitter().fit(time, observed)
    theirs = lifelines.utils.restricted_mean_survival_time(fitter, t=11.5)
    assert restricted_mean(kaplan_meier(time, observed), 11.5).value == pytest.approx(theirs, rel=1e-10)
    end = float(time.max())
    known = kaplan_meier(time, observed).survival[-1] == 0
    assert math.isnan(restricted_mean(kaplan_meier(time, observed), end + 1.0).value) is not bool(known)


def test_two_groups_that_do_not_differ_differ_by_exactly_nothing(data: Data) -> None:
    time, observed, _ = data
    group = Followed(time, observed, None, np.arange(240))
    curve = kaplan_meier(time, observed, cluster=np.arange(240))
    test, ratio = logrank([group, group]), hazard_ratio(group, group)
    assert (test.statistic, test.p, test.paired) == (0.0, 1.0, True)
    assert (ratio.value, ratio.error, ratio.low, ratio.high) == (1.0, 0.0, 1.0, 1.0)
    for found in (restricted_mean_difference(curve, curve, 10.0), survival_difference(curve, curve, 10.0)):
        assert (found.value, found.error, found.to_halve, found.interval()) == (0.0, 0.0, 0, (0.0, 0.0))
        assert found.unpaired > 0.0


def test_no_event_yet_is_no_certainty() -> None:
    curve = kaplan_meier([10.0] * 100, [False] * 100)
    assert curve.at(5.0).value == curve.at(5.0).high == 1.0
    assert curve.at(5.0).low == pytest.approx(
        scipy.stats.beta.ppf(0.025, 100, 1), rel=1e-12
    )  # Clopper-Pearson
    found = cumulative_incidence([10.0] * 100, [0] * 100, names=("relapse",))
    assert found.at("relapse", 5.0).high == pytest.approx(scipy.stats.beta.ppf(0.975, 1, 100), rel=1e-12)
    assert curve.when().value == math.inf
    assert math.isnan(kaplan_meier([], []).at(0.0).value)
    assert math.isnan(cumulative_incidence([], [], names=("relapse",)).at("relapse", 0.0).value)
    mean = restricted_mean(curve, 8.0)
    assert (mean.value, mean.high) == (8.0, 8.0)
    assert mean.low == pytest.approx(8.0 * curve.at(5.0).low)
    every = kaplan_meier([1.0, 2.0], [True, True])
    assert (every.low[-1], every.high[-1]) == (0.0, every.high[-2])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: kaplan_meier([1.0, 2.0], [True]),
        lambda: kaplan_meier([-1.0], [True]),
        lambda: kaplan_meier([math.nan], [True]),
        lambda: kaplan_meier([1.0], [True], confidence=1.0),
        lambda: kaplan_meier([1.0], [True], cluster=[1, 2]),
        lambda: logrank([Followed([1.0], [True], [2.0]), ([1.0], [True])]),
        lambda: smoothed_hazard([1.0], [True], 0.0),
        lambda: cumulative_incidence([1.0], [1, 2]),
        lambda: cumulative_incidence([1.0], [-1]),
        lambda: cumulative_incidence([1.0], [2], names=("relapse",)),
    ],
)
def test_what_is_no_follow_up_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError):
        wrong()
