"""Intervals cover the truth as often as they say: a short version of docs/record-coverage.md. No kernel."""

from __future__ import annotations

import re

import pytest
from scipy.stats import binom

from coverage_of_intervals import PAGE, STUDIES, covered, draws
from ctcdyn.estimates import Difference

FEW = 150


def test_intervals_cover_the_truth(request: pytest.FixtureRequest) -> None:
    """Within 93 to 97 % but for one time in 10 000 for each of 17 kinds; one that covers in 80 % would be seen."""
    found = covered(draws(FEW, request.node.nodeid))
    low, high = binom.ppf(1e-4, FEW, 0.93), binom.ppf(1.0 - 1e-4, FEW, 0.97)
    assert low > binom.ppf(0.5, FEW, 0.8)
    assert {name: held for name, held in found.items() if not low <= held[0] <= high} == {}
    assert len(found) == 17


def test_the_record_names_the_same_intervals_and_none_is_outside() -> None:
    rows = re.findall(
        r"^\| (.*?) \| \S+ \| (\d+) \| ([\d.]+) % \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert {name for name, _, _ in rows if not name.startswith("clones: ")} == set(covered(draws(1, "names")))
    assert len(rows) == 26
    assert all(int(n) == STUDIES and 93.0 <= float(share) <= 97.0 for _, n, share in rows)


def test_the_difference_of_shares_with_few_pairs_that_differ() -> None:
    """D. G. Bonett and R. M. Price 2012: with one pair more to each side."""
    none = Difference(0.0, 0.0, 0.1, 98, (0, 0)).interval()
    assert none == pytest.approx((-0.0277, 0.0277), abs=1e-4)
    low, high = Difference(0.1, 0.03, 0.05, 98, (9, 0)).interval()
    assert (low + high) / 2 == pytest.approx(0.09)
    assert high - low == pytest.approx(2 * 1.959964 * ((0.11 - 0.0081) / 100) ** 0.5, rel=1e-6)
    assert Difference(0.1, 0.05, 0.05, 98).interval() == pytest.approx((0.002002, 0.197998), abs=1e-6)
