"""Results from files and from memory, and the numbers drawn from them."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from scipy.stats import binom

import ctcdyn
from ctcdyn.analysis import fraction, mean, save_index, z_of_fraction, z_score
from ctcdyn.errors import CtcError, Exit, Status
from ctcdyn.inspection import failures, failures_text, inspect, inspection_text
from ctcdyn.results import Results, open_results
from synthetic import Cohort, schema, seeded


@pytest.fixture
def cohort(request: pytest.FixtureRequest) -> Cohort:
    return Cohort(schema(), seeded(request.node.nodeid))


def in_memory(cohort: Cohort) -> Results:
    whole = vars(cohort.cut(0, cohort.schema.count))
    rows = {name: values for name, values in whole.items() if name not in ("first", "kept_ids")}
    return Results.from_arrays(cohort.schema, rows, cohort.root(), cohort.sketch())


def test_memory_and_file_hold_the_same(tmp_path: Path, cohort: Cohort) -> None:
    memory = in_memory(cohort)
    with open_results(cohort.write(tmp_path / "a.h5")) as file:
        assert memory.names == file.names
        for name in file.names:
            stored = memory[name].astype(file[name].dtype)
            np.testing.assert_array_equal(stored, file[name], err_msg=name)
        assert memory.counts == file.counts
        assert memory.species == file.species == ("tumor", "ctc", "drug")
        before, after = memory.to_xarray(), file.to_xarray()
        assert dict(before.sizes) == dict(after.sizes)
        assert set(before.variables) == set(after.variables)
        for name, variable in after.variables.items():
            assert before[name].dims == variable.dims
            assert before[name].attrs.get("units") == variable.attrs.get("units"), name
        after.close()


def test_a_file_stays_readable_beside_xarray(tmp_path: Path, cohort: Cohort) -> None:
    path = cohort.write(tmp_path / "a.h5")
    with open_results(path) as ours, xarray.open_dataset(path) as theirs:
        np.testing.assert_array_equal(ours.status, theirs["status"].values)


def test_values_by_name(tmp_path: Path, cohort: Cohort) -> None:
    with open_results(cohort.write(tmp_path / "a.h5")) as results:
        np.testing.assert_array_equal(results.values("ctc"), results.state[:, :, 1])
        np.testing.assert_array_equal(results.values("burden"), results.observables[:, :, 0])
        assert (results.unit("drug"), results.unit("burden"), results.unit("clear")) == (
            "nmol/mL",
            "1/mL",
            "1/h",
        )
        with pytest.raises(CtcError, match='did you mean "tumor"'):
            results.values("tumour")
        with pytest.raises(CtcError, match="did you mean"):
            results["final_stat"]


def test_paths_that_were_not_kept_are_explained(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    cohort = Cohort(schema(keep=0), seeded(request.node.nodeid))
    with (
        open_results(cohort.write(tmp_path / "a.h5")) as results,
        pytest.raises(CtcError, match=r"--keep all") as caught,
    ):
        results.values("ctc")
    assert caught.value.problems[0].code == "R509"


def test_pandas_has_one_row_a_trajectory(monkeypatch: pytest.MonkeyPatch, cohort: Cohort) -> None:
    class Table:
        """Stands in for pandas, which is no requirement of the tests."""

        def __init__(self, columns: dict[str, np.ndarray], index: np.ndarray) -> None:
            self.columns, self.index = columns, index

        @staticmethod
        def index_of(values: np.ndarray, name: str) -> np.ndarray:
            assert name == "trajectory"
            return values

    module = type("pandas", (), {"DataFrame": Table, "Index": staticmethod(Table.index_of)})
    monkeypatch.setitem(__import__("sys").modules, "pandas", module)
    table = in_memory(cohort).to_pandas()
    assert {len(column) for column in table.columns.values()} == {1000} == {len(table.index)}
    np.testing.assert_array_equal(table.columns["death"], cohort.params[:, 1])
    np.testing.assert_array_equal(table.columns["final_state_ctc"], cohort.state[:, -1, 1])
    np.testing.assert_array_equal(table.columns["event_observed_relapse"], cohort.event_observed[:, 0])


@pytest.mark.parametrize("package", ["xarray", "pandas"])
def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, cohort: Cohort, package: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(CtcError, match=f"pip install {package}"):
        getattr(in_memory(cohort), f"to_{package}")()


def test_repr_says_what_is_in_it(tmp_path: Path, cohort: Cohort) -> None:
    results = open_results(cohort.write(tmp_path / "a.h5"))
    text = repr(results)
    for part in (
        "a.h5",
        "1000 trajectories",
        "direct",
        "0 to 60 d",
        "tumor, ctc, drug",
        "burden",
        "paths kept: 300",
    ):
        assert part in text
    results.close()
    results.close()
    assert "closed" in repr(results)
    assert "in memory" in repr(in_memory(cohort))


def test_from_arrays_checks_names_and_shapes(cohort: Cohort) -> None:
    with pytest.raises(ValueError, match=r"schema 1\.0 has no stats"):
        Results.from_arrays(cohort.schema, {"stats": cohort.status})
    with pytest.raises(ValueError, match=r"status has shape \(999,\), not \(1000,\)"):
        Results.from_arrays(cohort.schema, {"status": cohort.status[1:]})


def test_foreign_damaged_and_newer_files_are_errors_with_codes(tmp_path: Path, cohort: Cohort) -> None:
    whole = cohort.write(tmp_path / "whole.h5")
    (tmp_path / "text.h5").write_text("not a result")
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = [1, 2]
    for name, version in (("newer", "2.0"), ("strange", 7)):
        shutil.copy(whole, tmp_path / f"{name}.h5")
        with h5py.File(tmp_path / f"{name}.h5", "r+") as file:
            file.attrs["ctcdyn_schema"] = version
    expected = {
        "missing": "R504", "text": "R504", "empty": "R504", "cut": "R505", "foreign": "R504", "newer": "R504",
        "strange": "R504",
    }  # fmt: skip
    for name, code in expected.items():
        with pytest.raises(CtcError) as caught:
            open_results(tmp_path / f"{name}.h5")
        assert [problem.code for problem in caught.value.problems] == [code], name
        assert caught.value.exit is Exit.OUTPUT
        assert f"{name}.h5" in str(caught.value)
    with pytest.raises(CtcError, match=r"schema 2\.0; this version of ctcdyn reads 1\.0"):
        open_results(tmp_path / "newer.h5")
    with pytest.raises(CtcError, match="is a directory"):
        open_results(tmp_path)


def test_a_minor_schema_of_later_is_read(tmp_path: Path, cohort: Cohort) -> None:
    path = cohort.write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["ctcdyn_schema"] = "1.7"
        file["novelty"] = np.arange(3)
    with open_results(path) as results:
        assert results.mean.shape == (1, 21, 3)


def test_flipped_bytes_end_in_an_error_or_in_values_never_in_a_traceback(
    tmp_path: Path, cohort: Cohort, request: pytest.FixtureRequest
) -> None:
    whole = cohort.write(tmp_path / "whole.h5").read_bytes()
    rng = seeded(request.node.nodeid)
    path = tmp_path / "a.h5"
    codes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        # half of them in the first kilobytes, where the structure is
        reach = 4096 if rng.random() < 0.5 else len(damaged)
        for position in rng.integers(0, reach, 4):
            damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            with open_results(path) as results:
                assert all(results[name].size >= 0 for name in results.names)
                assert sum(results.counts.values()) == results.schema.count
        except CtcError as error:
            codes.add(error.problems[0].code)
    assert codes
    assert codes <= {"R504", "R505"}


def test_inspect_gives_plain_data_and_text(tmp_path: Path, cohort: Cohort) -> None:
    cohort.status[:3] = [2, 4, 255]
    path = cohort.write(tmp_path / "a.h5")
    found = inspect(path)
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again["trajectories"]["run"] == 999
    assert again["trajectories"]["ok"] == 997
    assert again["parameters"]["birth"] == {"units": "1/d", "min": 1.0, "max": 1.0}
    assert again["parameters"]["death"]["max"] == cohort.params[:, 1].max()
    assert again["arrays"]["state"] == {"axes": ["kept", "time", "species"], "shape": [300, 21, 3]}
    assert again["provenance"]["seed"] == 2**63 + 5
    text = inspection_text(found)
    for part in (
        "INCOMPLETE: 999 of 1 000",
        "step_limit 1",
        "drawn: death",
        "state (300x21x3)",
        "drug (nmol/mL)",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) < 200


def test_failures_are_listed_with_their_parameters(tmp_path: Path, cohort: Cohort) -> None:
    cohort.status[:] = 0
    path = cohort.write(tmp_path / "none.h5")
    assert failures_text(failures(path)) == "no trajectory failed"
    cohort.status[[7, 500, 999]] = [2, 4, 3]
    found = failures(cohort.write(tmp_path / "some.h5"), limit=2)
    assert found["failed"] == 3
    assert [entry["trajectory"] for entry in found["trajectories"]] == [7, 500]
    assert found["trajectories"][1]["status"] == Status.STEP_LIMIT.meaning
    assert found["trajectories"][0]["parameters"]["death"] == cohort.params[7, 1]
    assert "and 1 more" in failures_text(found)


def test_mean_with_its_error(cohort: Cohort) -> None:
    results = in_memory(cohort)
    values = cohort.state[:, 7, 1]
    found = mean(results, "ctc", 21.0)
    assert found.value == pytest.approx(values.mean(), rel=1e-12)
    assert found.error == pytest.approx(values.std(ddof=1) / math.sqrt(1000), rel=1e-9)
    assert found.high - found.value == pytest.approx(1.959964 * found.error, rel=1e-6)
    assert mean(results, "burden", 60.0, "control").n == 1000
    assert save_index(results, 60.0) == 20
    with pytest.raises(CtcError, match="nearest save is day 21"):
        mean(results, "ctc", 21.4)


def test_fraction_has_a_wilson_interval() -> None:
    # Newcombe 1998, table I (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), method 3
    for successes, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
    ):
        found = fraction(successes, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert fraction(0, 20).low == 0.0
    assert round(fraction(0, 20).high, 4) == 0.1611
    assert fraction(20, 20).high == 1.0
    assert math.isnan(fraction(0, 0).value)
    with pytest.raises(ValueError, match="3 of 2"):
        fraction(3, 2)


@pytest.mark.parametrize("probability", [0.02, 0.1, 0.5, 0.8])
def test_wilson_interval_covers(probability: float) -> None:
    """The exact coverage of the 95 % interval at n = 200, summed over all outcomes."""
    inside = np.array(
        [found.low <= probability <= found.high for found in (fraction(k, 200) for k in range(201))]
    )
    covered = binom.pmf(np.arange(201), 200, probability)[inside].sum()
    assert 0.93 < covered < 0.98


def test_z_scores() -> None:
    assert z_score(3.0, 0.5, 2.0) == 2.0
    assert z_score(2.0, 0.0, 2.0) == 0.0
    assert z_score(1.0, 0.0, 2.0) == -math.inf
    assert z_of_fraction(0, 100, 0.2) == pytest.approx(-5.0)
    assert z_of_fraction(0, 100, 0.0) == 0.0


def test_what_is_absent_is_an_attribute_that_is_not_there(cohort: Cohort) -> None:
    """hasattr answers, and the error is still the one that says why."""
    schema = dataclasses.replace(cohort.schema, keep=0)
    found = Results.from_arrays(schema, {"status": cohort.status})
    assert not hasattr(found, "state")
    assert getattr(found, "state", None) is None
    with pytest.raises(ctcdyn.CtcError, match="no full paths were kept"):
        found["state"]


def test_a_first_passage_is_no_column(cohort: Cohort) -> None:
    with pytest.raises(CtcError, match="'relapse' is a first passage") as caught:
        Results.from_arrays(cohort.schema, {"status": cohort.status}).find("relapse")
    assert "event_time" in caught.value.problems[0].fix
