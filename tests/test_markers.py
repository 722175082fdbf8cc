"""What a marker tells of an event, beside scipy and beside plain counting. No kernel."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.stats

import ctcdyn
from ctcdyn.errors import CtcError
from ctcdyn.markers import counts, rank_correlation, rank_correlations, roc
from synthetic import seeded
from test_followup import cohort, good


def test_the_area_is_mann_whitneys_and_the_curve_counts(request: pytest.FixtureRequest) -> None:
    rng = seeded(request.node.nodeid)
    outcome = rng.random(300) < 0.4
    marker = rng.poisson(np.where(outcome, 4.0, 2.5))
    found = roc(marker, outcome)
    p, n = int(outcome.sum()), int((~outcome).sum())
    theirs = scipy.stats.mannwhitneyu(marker[outcome], marker[~outcome]).statistic / (p * n)
    assert found.auc.value == pytest.approx(theirs, rel=1e-12)
    assert (found.positive, found.negative) == (p, n)
    for threshold, hit, alarm in zip(found.threshold, found.sensitivity, found.false_positive):
        high = marker >= threshold
        assert (hit, alarm) == (high[outcome].sum() / p, high[~outcome].sum() / n)
    steps = np.diff(found.false_positive) * (found.sensitivity[1:] + found.sensitivity[:-1]) / 2
    area = float(steps.sum())
    assert area == pytest.approx(found.auc.value, rel=1e-12)
    parts = [np.mean((a > marker[~outcome]) + (a == marker[~outcome]) / 2) for a in marker[outcome]]
    others = [np.mean((marker[outcome] > b) + (marker[outcome] == b) / 2) for b in marker[~outcome]]
    delong = math.sqrt(np.var(parts, ddof=1) / p + np.var(others, ddof=1) / n)
    assert found.auc.error == pytest.approx(delong, rel=1e-10)
    assert 0.5 < found.auc.low < found.auc.value < found.auc.high < 1.0
    opposite = roc(-marker, outcome).auc
    assert opposite.value == pytest.approx(1.0 - found.auc.value, rel=1e-12)
    assert opposite.low == pytest.approx(1.0 - found.auc.high, rel=1e-9)


def test_a_marker_that_was_never_wrong_or_never_asked() -> None:
    right = roc(np.arange(40), np.arange(40) >= 30).auc
    assert (right.value, right.high) == (1.0, 1.0)
    assert right.low == pytest.approx(0.025**0.1, rel=1e-12)
    assert math.isnan(roc([1.0, 2.0], [True, True]).auc.value)


def test_counts_and_the_bar_of_zeros(request: pytest.FixtureRequest) -> None:
    found = seeded(request.node.nodeid).negative_binomial(1.0, 0.2, 500)
    table = counts(found)
    assert table.share.sum() == pytest.approx(1.0)
    assert (table.share * 500).tolist() == pytest.approx(np.bincount(found).tolist())
    assert table.zero.value == (found == 0).mean()
    np.testing.assert_allclose(table.poisson, scipy.stats.poisson.pmf(table.count, found.mean()), rtol=1e-12)
    assert table.zero.low > table.poisson[0]
    assert table.dispersion == pytest.approx(found.var(ddof=1) / found.mean())
    assert table.mean.to_halve == 1500


def test_rank_correlation_is_spearmans(request: pytest.FixtureRequest) -> None:
    rng = seeded(request.node.nodeid)
    x = rng.normal(size=200)
    y = np.round(x + rng.normal(size=200), 1)
    found = rank_correlation(x, y)
    assert found.value == pytest.approx(scipy.stats.spearmanr(x, y).statistic, rel=1e-12)
    assert found.low < found.value - found.error < found.value + found.error < found.high
    assert (rank_correlation(x, x**3).value, rank_correlation(x, -x).value) == (1.0, -1.0)
    assert math.isnan(rank_correlation(x, np.ones(200)).value)


def test_prognosis_of_a_result(request: pytest.FixtureRequest) -> None:
    rng = seeded(request.node.nodeid)
    results = cohort(rng)
    rate = results.params[:, 0]
    found = rng.poisson(300.0 * rate)
    told = ctcdyn.prognosis(results, "relapse", found, cut=5, horizon=30.0, arm="placebo")
    rows = good(results, 2)
    assert told.survival.groups == ("below 5", "from 5")
    assert sum(curve.n for curve in told.survival.curves.values()) == rows.sum() == told.counts.n
    assert told.survival.hazard_ratio("from 5").low > 1.0
    assert told.survival.logrank().p < 0.01
    assert (told.unknown, told.horizon) == (0, 30.0)
    days, seen = results.event_time[rows, 0], results.event_observed[rows, 0] == 1
    ill, high = seen & (days <= 30.0), found[rows] >= 5
    assert told.sensitivity.value == (high & ill).sum() / ill.sum()
    assert told.specificity.value == (~high & ~ill).sum() / (~ill).sum()
    assert told.roc.auc.low > 0.5
    assert told.correlation.value == rank_correlation(found[rows], np.minimum(days, 30.0)).value < 0.0
    late = ctcdyn.prognosis(results, "relapse", rate, cut=0.02, horizon=55.0)
    early = (results.event_observed[:, 0] == 0) & (results.event_time[:, 0] < 55.0)
    assert late.unknown == (early & good(results, 0)).sum() > 0
    assert late.counts is None
    shortest = results.event_time[rows, 0][~seen].min()
    assert ctcdyn.prognosis(results, "relapse", rate, arm="placebo").horizon == shortest


def test_correlations_of_drawn_parameters(request: pytest.FixtureRequest) -> None:
    results = cohort(seeded(request.node.nodeid))
    assert set(rank_correlations(results, "relapse")) == set(results.parameter)
    results.params[:, 1] = seeded("another").random(len(results.params))
    results.params[:, 2] = 7.0
    found = rank_correlations(results, "relapse", arm="placebo")
    assert list(found)[-1] == "death"  # the second parameter: of another draw
    assert "shed" not in found
    assert found["birth"].high < -0.1
    assert found["death"].low < 0.0 < found["death"].high
    study = json.dumps({"population": {"draw": {"birth": {}, "clear": {}}}})
    told = cohort(seeded(request.node.nodeid), provenance={"config_resolved_json": study})
    assert set(rank_correlations(told, "relapse")) == {"birth", "clear"}
    same = rank_correlations(results, results.params[:, 0])
    assert same["birth"].value == 1.0


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ([1.0], "a marker of shape"),
        ("tumor", "say at which"),
        ("tumour", "did you mean"),
        (("tumor", 0.0), "--keep"),
    ],
)
def test_a_marker_that_is_not_there(request: pytest.FixtureRequest, marker: object, told: str) -> None:
    results = cohort(seeded(request.node.nodeid))
    name, time = marker if isinstance(marker, tuple) else (marker, None)
    with pytest.raises(CtcError, match=told):
        ctcdyn.prognosis(results, "relapse", name, time)  # type: ignore[arg-type]


def test_weighted_trajectories_have_no_roc(request: pytest.FixtureRequest) -> None:
    results = cohort(seeded(request.node.nodeid), weighted=True)
    with pytest.raises(CtcError, match="no ROC curve"):
        ctcdyn.prognosis(results, "relapse", np.ones(results.schema.count))
