"""Tables of survival in `inspect` and `run`: the numbers are those of the curves, and what pairing saves is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctcdyn.courses import courses, courses_text
from ctcdyn.inspection import inspect, inspection_text
from ctcdyn.outcomes import first_passages
from ctcdyn.results import Results
from ctcdyn.wording import Accuracy
from synthetic import Cohort, schema, seeded
from test_followup import ARMS, cohort


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Results:
    return cohort(seeded(request.node.nodeid))


def test_the_numbers_are_those_of_the_curves(results: Results) -> None:
    relapse, death = courses(results)
    assert (relapse["event"], death["event"], relapse["clock"]) == ("relapse", "death", None)
    survival = results.survival("relapse")
    assert relapse["horizon"] == survival.horizon
    assert relapse["logrank"]["p"] == survival.logrank().p
    for arm in relapse["arms"]:
        curve = survival[arm["arm"]]
        assert [at["day"] for at in arm["times"]] == [10.0, 20.0, 30.0, 40.0, 50.0]
        for at in arm["times"]:
            found = curve.at(at["day"])
            assert (at["survival"], at["error"], at["low"], at["high"]) == (
                found.value,
                found.error,
                found.low,
                found.high,
            )
            assert at["at_risk"] == curve.risk([at["day"]])[0]
        assert arm["restricted_mean"] == survival.restricted_mean(arm["arm"]).value
        assert arm["to_halve"] == 3 * curve.n
    first, drug, placebo = relapse["arms"]
    assert "gained" not in first
    assert drug["gained"] == survival.restricted_mean_difference(ARMS[1]).value > 0.0
    assert drug["variance_ratio"] == pytest.approx((drug["gained_unpaired"] / drug["gained_error"]) ** 2)
    assert drug["hazard_ratio"] == survival.hazard_ratio(ARMS[1]).value
    assert (placebo["gained"], placebo["gained_error"], placebo["variance_ratio"]) == (0.0, 0.0, None)
    assert placebo["hazard_ratio"] == 1.0
    json.dumps(relapse, allow_nan=False)


def test_the_tables(results: Results) -> None:
    text = courses_text(courses(results)[:1], 60.0)
    lines = text.splitlines()
    assert lines[0] == "share without relapse, with 95 % intervals"
    assert lines[1].split() == ["days", "10", "20", "30", "40", "50", "median"]
    assert lines[3].split()[:2] == ["at", "risk"]
    assert lines[8].startswith("time without the event up to ")
    assert "difference to surgery; log-rank p " in lines[8]
    assert lines[9].split("  ")[-1].strip() == "95 % interval"
    assert "times the patients" in lines[10]
    assert "no pair is unlike another" in lines[11]
    told = first_passages(results, Accuracy())
    assert told.endswith("1 200 patients more would halve the errors")
    assert {lines[8], lines[9], lines[10]} <= set(told.splitlines())
    assert "halve" not in first_passages(results, Accuracy(alike=True))


def test_an_event_that_is_a_clock_is_no_outcome(request: pytest.FixtureRequest) -> None:
    study = json.dumps({"event": [{"name": "relapse", "clock": "death"}, {"name": "death"}]})
    results = cohort(seeded(request.node.nodeid), provenance={"config_resolved_json": study})
    for text in (courses_text(courses(results), 60.0), first_passages(results, Accuracy()).partition("difference")[2]):
        assert "relapse, surgery + drug" in text
        assert "death, surgery + drug" not in text
    assert [entry["event"] for entry in courses(results)] == ["relapse", "death"]


def test_weighted_trajectories_have_no_ratio(request: pytest.FixtureRequest) -> None:
    found = courses(cohort(seeded(request.node.nodeid), weighted=True))
    assert "logrank" not in found[0]
    assert "hazard_ratio" not in found[0]["arms"][1]
    assert "log-rank" not in courses_text(found, 60.0)


def test_inspect_shows_them(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    made: Any = Cohort(schema(400, 0), seeded(request.node.nodeid))
    path = made.write(tmp_path / "a.h5")
    found = inspect(path)
    assert found["survival"][0]["arms"][0]["n"] == np.isin(made.status, (0, 1, 8)).sum()
    assert "share without relapse" in inspection_text(found)
    assert courses(Results.from_arrays(schema(4, 0, event_kinds=(), quantiles=()), {})) == []


def test_trajectories_that_are_all_the_same_have_no_survival(request: pytest.FixtureRequest) -> None:
    results = cohort(seeded(request.node.nodeid), method="rodas5p")
    assert len(courses(results)) == 2  # rate equations of patients who differ
    results.params[:] = 1.0
    assert courses(results) == []
