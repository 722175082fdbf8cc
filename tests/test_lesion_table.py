"""The table of lesions: a variable number of rows for each trajectory, the same bytes whatever wrote them when."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray

import ctcdyn
from commands import command, small_study
from ctcdyn import simulation
from ctcdyn.errors import CtcError, Exit, Status
from ctcdyn.estimation import Forecast, estimate
from ctcdyn.harvest import RangeResult
from ctcdyn.results import Results, open_results
from ctcdyn.store import Store, compaction, content, lesions
from ctcdyn.store.assembly import write_result
from ctcdyn.store.content import compare, content_hash
from ctcdyn.store.layout import BLOCK, LEAF, LESION_COLUMNS, LESIONS
from ctcdyn.store.manifest import Manifest
from ctcdyn.store.merging import merge
from ctcdyn.store.segments import parse, read_checked
from ctcdyn.store.verification import Unfinished, verify
from founded import COUNT, PLAN, Patients, commit, leaves, root
from synthetic import Cohort, schema, seeded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return seeded(request.node.nodeid)


def columns(found: Results) -> dict[str, Any]:
    return found.lesions.given(0, found.lesions.rows)


def same(found: dict[str, Any], table: dict[str, Any]) -> None:
    assert list(found) == list(LESIONS)
    for name, values in table.items():
        np.testing.assert_array_equal(found[name], values, name)
        assert found[name].dtype == LESIONS[name].dtype


def test_rows_come_back_with_what_follows_from_them(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng)
    with open_results(patients.write(tmp_path / "a.h5", [leaves()])) as results:
        same(columns(results), patients.table)
        table, ids = results.lesions, patients.table["trajectory"]
        np.testing.assert_array_equal(table["trajectory_id"], ids)
        np.testing.assert_array_equal(table["patient_id"], results["patient_id"][ids])
        np.testing.assert_array_equal(table["arm_index"], results["arm_index"][ids])
        np.testing.assert_array_equal(table["organ"], np.array([0, 0, 1])[patients.table["rule"]])
        assert (table.rows, list(table), len(table)) == (len(ids), list(LESION_COLUMNS), len(LESION_COLUMNS))
        assert "wavelength" not in table
        assert results.schema.founder_rules == PLAN["founder_rules"]
        assert results["founder_organ"].tolist() == ["lung", "lung", "bone marrow"]
        for one in (0, 17, COUNT - 1):
            rows = table.of(one)
            for name, values in table.items():
                np.testing.assert_array_equal(rows[name], values[ids == one])


def test_only_a_group_without_a_table_is_marked_as_reserved(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng, count=LEAF, keep=0)
    with h5py.File(patients.write(tmp_path / "a.h5")) as file:
        assert "reserved" not in file["lesions"].attrs
        assert file["lesions"].attrs["long_name"] == "one row a lesion"
        assert "reserved" in file["events_log"].attrs
    with h5py.File(Cohort(schema(count=LEAF, keep=0), rng).write(tmp_path / "b.h5")) as file:
        assert "reserved" in file["lesions"].attrs


def test_results_in_memory_carry_the_same_table(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng, keep=0)
    given = {"status": patients.cohort.status}
    memory = Results.from_arrays(patients.schema, given, lesions=patients.table)
    with open_results(patients.write(tmp_path / "a.h5")) as results:
        for name, values in results.lesions.items():
            np.testing.assert_array_equal(memory.lesions[name], values)
        pd.testing.assert_frame_equal(memory.lesions.to_pandas(), results.lesions.to_pandas())
        assert f"; lesions, {results.lesions.rows} rows>" in repr(results)
    with pytest.raises(ValueError, match="table of lesions"):
        Results.from_arrays(patients.schema, given)


def test_a_simulation_in_memory_collects_the_table(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ranges that come in any order, from several threads."""
    patients, run = Patients(rng, count=6 * LEAF, arms=("control",)), simulation.run_range

    def with_lesions(*words: Any) -> Iterator[RangeResult]:
        for result in run(*words):
            rows = patients.cut(result.first, result.first + len(result.status)).lesions
            yield replace(result, lesions=rows)

    model = ctcdyn.load_model("birth_death_immigration")
    plain = model.simulate([0.0, 1.0], method="direct", n=6 * LEAF, keep=0, threads=2)
    assert not hasattr(plain, "lesions")
    monkeypatch.setattr(simulation, "run_range", with_lesions)
    found = model.simulate([0.0, 1.0], method="direct", n=6 * LEAF, keep=0, threads=2)
    np.testing.assert_array_equal(found.final_state, plain.final_state)
    for name in set(LESIONS) - {"trajectory"}:
        np.testing.assert_array_equal(found.lesions[name], patients.table[name])
    np.testing.assert_array_equal(found.lesions["patient_id"], patients.table["trajectory"])


@pytest.mark.parametrize("how", ["each for itself", "in pairs", "made into few"])
def test_any_order_of_ranges_segments_and_mergers_gives_the_same_content(
    tmp_path: Path, rng: np.random.Generator, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients = Patients(rng)
    whole = content_hash(patients.write(tmp_path / "whole.h5"))
    cuts = [leaves()[k] for k in rng.permutation(6)]
    groups = [cuts[:2], cuts[2:4], cuts[4:]] if how == "in pairs" else [[cut] for cut in cuts]
    if how == "made into few":
        monkeypatch.setattr(compaction, "MANY", 2)
    with patients.journal(tmp_path / "a.h5") as journal:
        for group in groups:
            commit(patients, journal, group)
        entries = journal.manifest.entries
        assert len(entries) == {"each for itself": 6, "in pairs": 3, "made into few": 1}[how]
        assert sum(sum(entry.lesions) for entry in entries) == len(patients.table["size"])
        assert Manifest.read(journal.folder).entries == entries
        assert isinstance(verify(tmp_path / "a.h5"), Unfinished)
        write_result(journal.folder, tmp_path / "a.h5", {}, False)
    assert content_hash(tmp_path / "a.h5") == whole


def test_the_pilot_tells_how_many_there_will_be() -> None:
    told = Forecast(5.0, founded=2.5)
    line = "1000 trajectories take about 5 s, by a pilot of 64 of them"
    assert told.line(1000, 64) == f"{line}; there will be about 2500 lesions"
    assert Forecast(5.0).line(1000, 64) == line
    plan = schema(**({"count": COUNT} | PLAN))
    less, more = estimate(plan, 1), estimate(plan, 1, 2.0)
    assert more.result - less.result == 2 * COUNT * lesions.STORED_BYTES
    assert more.segments - less.segments == 2 * COUNT * lesions.ROW_BYTES


def test_a_segment_holds_the_rows_of_each_piece(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng)
    with patients.journal(tmp_path / "a.h5") as journal:
        commit(patients, journal, [leaves()[3], leaves()[0]])
        (entry,) = journal.manifest.entries
        data = read_checked(journal.folder, entry)
        assert data is not None
        pieces = parse(patients.schema, entry, data).pieces
    assert [piece.result.first for piece in pieces] == [0, 3 * LEAF]
    for piece in pieces:
        expected = patients.cut(piece.result.first, piece.result.first + LEAF)
        same(dict(piece.result.lesions), dict(expected.lesions))
        np.testing.assert_array_equal(piece.result.params, expected.params)
        extra = sum(values.nbytes for values in expected.lesions.values())
        assert piece.rows == replace(piece, result=replace(piece.result, lesions={})).rows + extra
        assert extra == len(expected.lesions["size"]) * lesions.ROW_BYTES


@pytest.mark.parametrize("founded", ["none", "one has all", "the last", "one each"])
def test_few_and_many(tmp_path: Path, rng: np.random.Generator, founded: str) -> None:
    number = np.zeros(2 * LEAF, int)
    if founded == "one each":
        number[:] = 1
    elif founded != "none":
        number[300 if founded == "one has all" else -1] = 3 * BLOCK + 7
    patients = Patients(rng, number, count=2 * LEAF)
    path = patients.write(tmp_path / "a.h5", [[(LEAF, 2 * LEAF)], [(0, LEAF)]])
    assert verify(path).count == 2 * LEAF
    with open_results(path) as results:
        same(columns(results), patients.table)
        assert len(results.lesions.of(300)["size"]) == number[300]
        assert len(results.lesions.to_pandas()) == number.sum()
    for engine in (None, "h5netcdf", "netcdf4"):
        with xarray.open_dataset(path, group="lesions", engine=engine) as data:
            assert data.sizes == {"row": number.sum()}
    code, out, _ = command("inspect", path)
    assert code == 0
    assert f"\nlesions     {int(number.sum()):,} rows of trajectory_id".replace(",", " ") in out


def test_merged_shards_are_the_whole(tmp_path: Path, rng: np.random.Generator) -> None:
    patients, parts = Patients(rng), 3
    whole = patients.write(tmp_path / "whole.h5", [leaves()])
    shards = []
    for k in range(parts):
        first, stop = (6 * j // parts * LEAF for j in (k, k + 1))
        part = patients.part(first, min(stop, COUNT))
        shards.append(part.write(tmp_path / f"part{k}.h5", [leaves(part.schema.count)]))
    for copy in (False, True):
        merged = tmp_path / f"merged{copy}.h5"
        merge(merged, shards[::-1], copy=copy)
        assert content_hash(merged) == content_hash(whole)
        with open_results(merged) as results:
            same(columns(results), patients.table)
    with h5py.File(tmp_path / "mergedFalse.h5") as file:
        assert file["state"].is_virtual
        assert not file["lesions/size"].is_virtual


def test_verify_and_compare_see_one_bit_of_one_lesion(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng)
    path = patients.write(tmp_path / "a.h5")
    for flip in ("number", "file"):
        other = Path(shutil.copy(path, tmp_path / f"{flip}.h5"))
        with h5py.File(other, "r+") as file:
            column = file["lesions/size"]
            place = column.id.get_chunk_info(0)
            if flip == "number":
                column[17] += 1.0
        if flip == "file":
            data = bytearray(other.read_bytes())
            data[place.byte_offset + place.size // 2] ^= 16
            other.write_bytes(data)
        with pytest.raises(CtcError, match="R505"):
            verify(other)
    (found,) = compare(path, tmp_path / "number.h5").differences
    assert (found.path, found.elements, found.size) == ("lesions/size", 1, len(patients.table["size"]))
    fewer = Patients(rng, np.zeros(COUNT, int))
    fewer.cohort = patients.cohort
    found_ = {one.path: one.what for one in compare(path, fewer.write(tmp_path / "b.h5")).differences}
    assert found_["lesions/size"] == f"shape ({found.size},) and (0,)"


def test_xarray_and_pandas_read_the_group(tmp_path: Path, rng: np.random.Generator) -> None:
    """Also in a tree of groups, where the axes of the root must not hide columns."""
    patients = Patients(rng)
    path = patients.write(tmp_path / "a.h5")
    for engine in ("h5netcdf", "netcdf4"):
        with (
            xarray.open_dataset(path, group="lesions", engine=engine) as data,
            xarray.open_datatree(path, engine=engine) as tree,
        ):
            assert set(data.variables) == set(LESION_COLUMNS)
            inherited = tree["lesions"].to_dataset()
            for name, variable in LESION_COLUMNS.items():
                assert data[name].dims == variable.axes
                assert data[name].dtype == variable.dtype
                np.testing.assert_array_equal(inherited[name].values, data[name].values)
            np.testing.assert_array_equal(data["detection_time"].values, patients.table["detection_time"])
            assert data["founder_time"].attrs["units"] == "d"
            assert data["organ"].attrs["flag_meanings"] == "lung bone_marrow"
            assert data["arm_index"].attrs["flag_meanings"] == "surgery surgery_and_chemo"
            assert data["rule"].attrs["flag_values"].tolist() == [0, 1, 2]
            frame = data.to_dataframe()
            assert len(frame) == len(patients.table["size"])
        with xarray.open_dataset(path, engine=engine) as root:
            assert root["founder_organ"].sel(founder_rule="bone").item() == "bone marrow"
    with open_results(path) as results:
        table = results.lesions.to_pandas()
        assert list(table) == ["arm" if name == "arm_index" else name for name in LESION_COLUMNS]
        words = np.array(["lung", "lung", "bone marrow"])[patients.table["rule"]]
        assert table["organ"].tolist() == words.tolist()
        assert set(table["status"]) == {"ok", "extinct"}
        assert table["status"].cat.categories.tolist() == [status.meaning for status in Status]
        assert set(table["arm"]) == {"surgery", "surgery and chemo"}


WRONG = {
    "order": lambda t: {name: values[::-1] for name, values in t.items()},
    "number": lambda t: t | {"lesion": np.zeros_like(t["lesion"])},
    "foreign": lambda t: t | {"trajectory": t["trajectory"] + LEAF},
    "length": lambda t: t | {"size": t["size"][1:]},
    "column": lambda t: {name: values for name, values in t.items() if name != "parent"},
    "rule": lambda t: t | {"rule": t["rule"] + np.uint8(3)},
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_no_table_of_its_range_is_a_bug(tmp_path: Path, rng: np.random.Generator, how: str) -> None:
    patients = Patients(rng)
    result = patients.cut(0, LEAF)
    wrong = replace(result, lesions=WRONG[how](dict(result.lesions)))
    with pytest.raises(CtcError, match="lesions of trajectories 0 to 255") as caught:
        lesions.given(patients.schema, wrong)
    assert caught.value.exit is Exit.BUG


def test_rows_that_are_missing_or_come_twice_are_a_bug(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng)
    rows = len(patients.table["size"])
    first = lesions.given(patients.schema, patients.cut(0, LEAF))
    for again in (None, 0, rows - 5):
        with Store.open(tmp_path / "a.h5", patients.schema, lesions=rows) as store:
            store.append(patients.cut(0, COUNT))
            store.append_lesions(0, first)
            with pytest.raises(CtcError, match="B901"):
                store.finish(root(patients), None) if again is None else store.append_lesions(again, first)
            store.discard()
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_lesions(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Peak of what is allocated while 4 and while 12 blocks of rows go to the file, half a block at a time."""
    monkeypatch.setattr(content, "_SLAB", 1 << 18)  # what is read at once: two of it are smaller than the rest

    def peak(blocks: int) -> int:
        number = np.zeros(LEAF, int)
        number[0] = BLOCK // 2
        patients = Patients(rng, number, count=LEAF, keep=0)
        path = tmp_path / f"{blocks}.h5"
        tracemalloc.start()
        with Store.open(path, patients.schema, lesions=blocks * BLOCK) as store:
            store.append(patients.cut(0, LEAF))
            for k in range(2 * blocks):
                store.append_lesions(k * BLOCK // 2, patients.table)
            store.finish(root(patients), None)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        with open_results(path) as results:
            last = results.lesions.part("size", (2 * blocks - 1) * BLOCK // 2, blocks * BLOCK)
            assert np.array_equal(last, patients.table["size"])
        return highest

    peak(1)  # imports and the like
    assert peak(12) < 1.25 * peak(4)


def test_a_result_without_the_table_says_so(tmp_path: Path, rng: np.random.Generator) -> None:
    patients = Patients(rng, lesions=False, founder_rules=(), organs=())
    with open_results(patients.write(tmp_path / "a.h5")) as results:
        assert not results.schema.lesions
        assert not hasattr(results, "lesions")
        with pytest.raises(CtcError, match="hold no table of lesions"):
            _ = results.lesions
        assert "founder_rule" not in results
    code, out, _ = command("inspect", tmp_path / "a.h5")
    assert (code, "\nlesions" in out) == (0, False)


def test_a_model_without_lesions_has_no_table_of_them(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    code, out, err = command("run", study, "-s", "output.lesions=true")
    assert (code, out) == (int(Exit.CONFIG), "")
    assert "error[C119]: output.lesions: " in err
    assert not list(tmp_path.glob("*.h5*"))
