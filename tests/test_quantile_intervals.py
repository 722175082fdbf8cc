"""Quantiles of results with their intervals: of kept paths exact, of files to the width of a bin. No kernel."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from ctcdyn.errors import CtcError
from ctcdyn.quantiles import Quantiles, ranks
from ctcdyn.results import Results, open_results
from synthetic import Cohort, schema, seeded
from test_results import in_memory

LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture
def cohort(request: pytest.FixtureRequest) -> Cohort:
    made = Cohort(schema(400, 400, whole=("ctc",), state_dtype="f8"), seeded(request.node.nodeid))
    made.status[:] = 0
    return made


def test_of_kept_paths_they_are_scipys(cohort: Cohort) -> None:
    found = in_memory(cohort).quantiles("tumor", LEVELS, confidence=0.9)
    assert found.value.shape == found.low.shape == found.high.shape == (3, 21)
    for t in (0, 7, 20):
        values = cohort.state[:, t, 0]
        np.testing.assert_allclose(found.value[:, t], np.quantile(values, LEVELS), rtol=1e-12)
        for q, level in enumerate(LEVELS):
            theirs = scipy.stats.quantile_test(values, p=level).confidence_interval(0.9)
            assert theirs.low <= found.low[q, t] < found.high[q, t] <= theirs.high  # theirs: equal tails
    one = found.at(0.5, float(cohort.schema.times[7]))
    assert (one.value, one.low, one.high, one.n) == (
        found.value[1, 7],
        found.low[1, 7],
        found.high[1, 7],
        400,
    )
    assert one.low < one.value - one.error < one.value + one.error < one.high
    with pytest.raises(CtcError, match=r"nearest is 0.5"):
        found.at(0.45, 0.0)


def test_of_a_file_they_are_those_of_the_paths_to_a_bin(tmp_path: Path, cohort: Cohort) -> None:
    exact = in_memory(cohort)
    cohort.schema = schema(400, 0, whole=("ctc",), state_dtype="f8")
    with open_results(cohort.write(tmp_path / "a.h5")) as file:
        for name in ("tumor", "burden"):
            ours, theirs = file.quantiles(name, LEVELS), exact.quantiles(name, LEVELS)
            table, column = file.find(name)
            edges = file.sketch(0, column + (0 if table == "species" else len(file.species)))[1]
            for part in ("value", "low", "high"):
                x = getattr(theirs, part)
                b = np.searchsorted(edges, x, side="right") - 1  # the bin of the exact quantile
                assert (np.abs(getattr(ours, part) - x) <= edges[b + 1] - edges[b]).all(), (name, part)
            np.testing.assert_array_equal(ours.n, theirs.n)
        np.testing.assert_array_equal(file.quantiles("tumor").value, file.quantiles[:, 0, :, 0])
        day = float(file.time[0])
        counted, plain = (x.quantiles("ctc", LEVELS, day) for x in (file, exact))
        assert counted.value.shape == (3, 1)
        few = plain.high[:, 0] < 16  # a bin of the synthetic cohort holds one number up to 16
        assert few.sum() >= 2
        for part in ("value", "low", "high"):
            np.testing.assert_array_equal(getattr(counted, part)[few], getattr(plain, part)[few])


def test_called_or_indexed(cohort: Cohort) -> None:
    results = in_memory(cohort)
    table = results.quantiles
    assert isinstance(table, Quantiles)
    np.testing.assert_array_equal(np.asarray(table), results["quantiles"])
    with pytest.raises(TypeError, match="part of an array"):
        table[0]("tumor")
    with pytest.raises(TypeError, match="part of an array"):
        (2.0 * table)("tumor")
    for ask, told in (
        (lambda: table("tumour"), 'did you mean "tumor"'),
        (lambda: table("tumor", (1.5,)), "between 0 and 1"),
        (lambda: table("tumor", time=1.0), "was not saved"),
        (lambda: table("tumor", arm="other"), "no arm"),
    ):
        with pytest.raises(CtcError, match=told):
            ask()


def test_what_lies_beyond_the_extremes_is_not_known(request: pytest.FixtureRequest) -> None:
    cohort = Cohort(schema(20, 20), seeded(request.node.nodeid))
    cohort.status[:] = 0
    found = in_memory(cohort).quantiles("tumor", (0.01, 0.5), 0.0)
    assert math.isnan(found.low[0, 0])
    assert found.low[1, 0] < found.value[1, 0] < found.high[1, 0]
    none = Results.from_arrays(schema(0, 0, quantiles=()), {})
    with pytest.raises(CtcError, match="hold no 'quantiles'"):
        _ = none.quantiles


@pytest.mark.parametrize(("n", "level"), [(20, 0.5), (100, 0.1), (1000, 0.975)])
def test_an_interval_holds_the_quantile_with_the_chance_that_it_says(n: int, level: float) -> None:
    """Ranks low and high, from 0: the quantile lies between when low < B <= high numbers are below it, B binomial."""
    low, high = ranks(n, level, 0.95)

    def covers(low: int, high: int) -> float:
        return float(scipy.stats.binom.cdf(high, n, level) - scipy.stats.binom.cdf(low, n, level))

    assert covers(low, high) >= 0.95
    assert max(covers(low + 1, high), covers(low, high - 1)) < 0.95
