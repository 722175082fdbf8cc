"""The text after a run: what is printed must be what is in the result, with the right error beside it."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from ctcdyn.errors import CtcError, Status
from ctcdyn.results import Results
from ctcdyn.store.layout import Schema
from ctcdyn.summary import compare, summary
from ctcdyn.wording import plain, with_error

TIMES = np.array([0.0, 3.0, 13.0])
N = 400


def published(name: str, observable: str, time: float, value: float, used_for: str) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, observable=observable, time=time, value=value, used_for=used_for, source="doi:10.1000/x"
    )


def results(status: np.ndarray | None = None, quantiles: tuple[float, ...] = (0.025, 0.5, 0.975)) -> Results:
    """400 trajectories of one species and one observable with chosen moments."""
    schema = Schema(
        species=("blood",),
        species_units=("cells",),
        observables=("share",),
        observable_units=("1",),
        parameters=("rate",),
        parameter_units=("1/d",),
        times=TIMES,
        count=N,
        total=N,
        quantiles=quantiles,
        method="direct",
        provenance={"seed": 42},
    )
    if status is None:
        status = np.zeros(N, dtype=np.uint8)
    valid = int(np.isin(status, (0, 1)).sum())
    levels = len(quantiles)
    arrays = {
        "status": status,
        "mean": np.array([[[100.0], [50.0], [12.0]]]),
        "var": np.array([[[0.0], [25.0], [9.0]]]),
        "obs_mean": np.array([[[0.0], [0.79], [0.02]]]),
        "obs_var": np.array([[[0.0], [0.04], [0.0]]]),
        "n_valid": np.full((1, 3), valid, dtype=np.uint64),
        "p_extinct": np.array([[[0.0], [0.0], [0.125]]]),
        "quantiles": np.linspace(5.0, 21.0, max(levels, 1))[:levels]
        .reshape(levels, 1, 1, 1)
        .repeat(3, axis=2),
    }
    return Results.from_arrays(
        schema, {name: array for name, array in arrays.items() if levels or name != "quantiles"}
    )


def test_a_published_number_is_measured_in_monte_carlo_errors() -> None:
    rows = compare(results(), [published("left", "share", 3.0, 0.80, "rate")])
    found = rows[0].mean
    assert found is not None
    assert (found.value, found.error, found.n) == (0.79, math.sqrt(0.04 / N), N)
    assert rows[0].z == pytest.approx((0.79 - 0.80) / 0.01)


def test_species_and_observables_can_be_published() -> None:
    rows = compare(results(), [published("cells", "blood", 13.0, 12.3, "prediction")])
    found = rows[0].mean
    assert found is not None
    assert (found.value, found.error) == (12.0, 0.15)


def test_without_scatter_there_is_no_z() -> None:
    rows = compare(results(), [published("exact", "share", 13.0, 0.02, "rate")])
    found = rows[0].mean
    assert found is not None
    assert found.error == 0.0
    assert math.isnan(rows[0].z)


def test_a_day_that_was_not_saved_is_not_invented() -> None:
    items = [published("between", "share", 5.0, 0.5, "prediction")]
    assert compare(results(), items)[0].mean is None
    text = summary(results(), SimpleNamespace(published=items))
    assert "not saved" in text
    assert "\n  MC error: of the mean, one standard error;" in text
    assert "nan" not in text


def test_an_unknown_observable_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(CtcError, match='did you mean "share"'):
        compare(results(), [published("typo", "shore", 3.0, 0.5, "rate")])


def test_the_block_says_what_set_a_rate_and_what_is_predicted() -> None:
    items = [
        published("left_the_vessels", "share", 3.0, 0.80, "rate"),
        published("cells_in_blood", "blood", 13.0, 12.3, "prediction"),
    ]
    lines = summary(results(), SimpleNamespace(published=items)).splitlines()
    left = next(line for line in lines if "left the vessels" in line)
    blood = next(line for line in lines if "cells in blood" in line)
    assert left.split()[-8:] == ["3", "0.8", "0.790", "0.010", "-1.0", "set", "a", "rate"]
    assert blood.split()[-6:] == ["13", "12.3", "12.00", "0.15", "-2.0", "predicted"]
    assert sum("doi:10.1000/x" in line for line in lines) == 1


def test_the_end_shows_mean_error_band_and_the_share_of_zeros() -> None:
    text = summary(results(), SimpleNamespace(published=()))
    reading, end = text.splitlines()[-2:]
    assert reading.split() == ["share", "0.02"]
    assert end.split() == ["blood", "(cells)", "12.00", "0.15", "5", "to", "21", "12.5", "%"]
    assert "on day 13" in text
    assert "published" not in text


def test_failures_are_counted_and_named() -> None:
    status = np.zeros(N, dtype=np.uint8)
    status[:3] = Status.EVENT_LIMIT
    status[3:5] = Status.EXTINCT
    first = summary(results(status), SimpleNamespace(published=())).splitlines()[:2]
    assert first[0] == "result   ok 395 · extinct 2 · failed 3   of 400 trajectories (direct, seed 42)"
    assert first[1].strip() == "3 event limit"


def test_other_quantiles_leave_the_band_out() -> None:
    text = summary(results(quantiles=(0.5,)), SimpleNamespace(published=()))
    assert " to 21" not in text
    assert "12.5 %" in text


def test_nothing_ran_to_the_end() -> None:
    status = np.full(N, Status.NOT_FINITE, dtype=np.uint8)
    text = summary(results(status), SimpleNamespace(published=()))
    assert "failed 400" in text
    assert "no trajectory reached it" in text


def test_the_band_is_exact_where_all_last_states_are_there() -> None:
    """Failed trajectories do not count, and no bin widens a narrow law."""
    whole = results(quantiles=(0.025, 0.975))
    last = np.arange(N, dtype=np.float64)[:, None] + 1000.0
    status = np.zeros(N, dtype=np.uint8)
    status[-100:] = Status.STEP_LIMIT
    known = {
        name: whole[name]
        for name in whole.names
        if name in ("mean", "var", "n_valid", "p_extinct", "quantiles")
    }
    text = summary(
        Results.from_arrays(whole.schema, known | {"status": status, "final_state": last}),
        SimpleNamespace(published=()),
    )
    low, high = np.quantile(last[:-100], (0.025, 0.975))
    assert f" {plain(low)} to {plain(high)} " in text


@pytest.mark.parametrize("low, shown", [(6e15, "6e+15 to above 1.8e+16"), (np.nan, "above 1.8e+16")])
def test_what_lies_above_all_bins_is_told(low: float, shown: str) -> None:
    whole = results()
    arrays = {name: whole[name] for name in ("status", "n_valid", "p_extinct", "obs_mean", "obs_var")}
    arrays |= {"mean": np.full((1, 3, 1), 5e19), "var": np.full((1, 3, 1), 1e36)}
    arrays["quantiles"] = np.array([low, np.nan, np.nan])[:, None, None, None].repeat(3, axis=2)
    text = summary(Results.from_arrays(whole.schema, arrays), SimpleNamespace(published=()))
    row = next(line for line in text.splitlines() if line.startswith("  blood"))
    assert shown in row
    assert ("to above" in row) == np.isfinite(low)


def of_an_ode(parameters: np.ndarray, rtol: float, *treatments: dict[str, object]) -> Results:
    """The results above as if an ODE solver had made them from these parameters, (N, 1)."""
    whole = results()
    study = json.dumps({"simulate": {"rtol": rtol}, "treatment": treatments})
    made = dataclasses.replace(whole.schema, method="tsit5", provenance={"seed": 1, "config_resolved_json": study})
    kept = ("status", "mean", "var", "obs_mean", "obs_var", "n_valid", "p_extinct", "quantiles")
    return Results.from_arrays(made, {name: whole[name] for name in kept} | {"params": parameters})


def test_equal_trajectories_have_no_monte_carlo_error() -> None:
    items = [published("left", "share", 3.0, 0.80, "prediction")]
    text = summary(of_an_ode(np.full((N, 1), 2.0), 1e-6), SimpleNamespace(published=items))
    blood = next(line for line in text.splitlines() if "blood (cells)" in line)
    assert blood.split() == ["blood", "(cells)", "12"]
    assert "MC error" not in text  # of a number that is computed once there is none, and no column for it
    left = next(line for line in text.splitlines() if line.startswith("  left"))
    assert left.split() == ["left", "3", "0.8", "0.79", "predicted"]


@pytest.mark.parametrize("scatter", [{"start": {"at": 1, "jitter": 2.0}}, {"at": 1, "adherence": 0.5}], ids=str)
def test_patients_whose_schedules_scatter_are_not_one(scatter: dict[str, object]) -> None:
    text = summary(of_an_ode(np.full((N, 1), 2.0), 1e-6, scatter), SimpleNamespace(published=()))
    assert "± of patients" in text
    given = {"start": {"at": 1, "jitter": None}, "adherence": None}
    assert "± of patients" not in summary(of_an_ode(np.full((N, 1), 2.0), 1e-6, given), SimpleNamespace(published=()))


def test_no_digit_is_shown_below_the_tolerance_of_the_solver() -> None:
    parameters = np.linspace(1.0, 2.0, N)[:, None]
    text = summary(of_an_ode(parameters, 1e-1), SimpleNamespace(published=()))
    blood = next(line for line in text.splitlines() if "blood (cells)" in line)
    assert blood.split()[2:5] == ["10", "<", "10"]
    text = summary(of_an_ode(parameters, 1e-6), SimpleNamespace(published=()))
    blood = next(line for line in text.splitlines() if "blood (cells)" in line)
    assert blood.split()[2:4] == ["12.00", "0.15"]


@pytest.mark.parametrize(
    "value, error, rtol, shown",
    [
        (0.80002371, 2.9143e-5, 1e-3, ("0.800", "< 0.001")),
        (0.80002371, 2.9143e-5, 1e-6, ("0.800024", "0.000029")),
        (0.80002371, 2.9143e-8, 1e-6, ("0.800024", "< 0.000001")),
        (35970.44, 3.41, 1e-4, ("35970", "< 10")),
        (35970.44, 3.41, 1e-2, ("36000", "< 1000")),
        (12.3456, 0.0, 1e-3, ("12.3", "")),
        (0.0, 0.0, 1e-3, ("0", "")),
        (12.3456, 0.021, None, ("12.346", "0.021")),
    ],
)
def test_digits_end_at_the_error_or_at_the_tolerance(
    value: float, error: float, rtol: float | None, shown: tuple[str, str]
) -> None:
    assert with_error(value, error, rtol) == shown


@pytest.mark.parametrize(
    "end, words", [(13.0, "on day 13"), (1 / 12, "at 120 minutes"), (0.5, "at 12 hours"), (3652.5, "(10 years)")]
)
def test_the_last_time_is_told_in_a_unit_that_fits(end: float, words: str) -> None:
    whole = results()
    made = dataclasses.replace(whole.schema, times=np.array([0.0, end / 2, end]))
    kept = ("status", "mean", "var", "obs_mean", "obs_var", "n_valid", "p_extinct", "quantiles")
    text = summary(Results.from_arrays(made, {name: whole[name] for name in kept}), SimpleNamespace(published=()))
    assert words in text


def test_observables_stand_above_the_species_with_their_units() -> None:
    whole = results()
    made = dataclasses.replace(whole.schema, observable_units=("1/mL",))
    kept = ("status", "mean", "var", "obs_var", "n_valid", "p_extinct", "quantiles")
    arrays = {name: whole[name] for name in kept}
    arrays |= {"obs_mean": np.full((1, 3, 1), 0.25), "obs_var": np.full((1, 3, 1), 0.04)}
    arrays["obs_quantiles"] = np.array([0.1, 0.2, 0.9]).reshape(3, 1, 1, 1).repeat(3, axis=2)
    text = summary(Results.from_arrays(made, arrays), SimpleNamespace(published=()))
    assert text.splitlines()[-2].split() == ["share", "(1/mL)", "0.250", "0.010", "0.1", "to", "0.9"]
