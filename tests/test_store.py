"""The result file: schema 1.0, rows in any order, what HDF5 and xarray make of it."""

from __future__ import annotations

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.errors import CtcError, Exit, Status
from ctcdyn.reduction import LOWEST, NOWHERE, Sparse, bin_edges, bins, sketch_bits, sketch_of
from ctcdyn.results import open_results
from ctcdyn.store import PathCoder, Schema, Store
from ctcdyn.store.chunks import encode
from ctcdyn.store.content import content_hash
from ctcdyn.store.identity import as_json, from_json
from ctcdyn.store.layout import BLOCK, LEAF, VARIABLES
from ctcdyn.store.summary import quantiles_from_counts, relative_error, summarise
from synthetic import EDGES, Cohort, Root, Sketch, schema, seeded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return seeded(request.node.nodeid)


def codes(caught: pytest.ExceptionInfo[CtcError]) -> list[str]:
    return [problem.code for problem in caught.value.problems]


def test_rows_paths_and_summary_come_back(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(), rng)
    with open_results(cohort.write(tmp_path / "a.h5")) as results:
        assert np.array_equal(results.params, cohort.params)
        assert np.array_equal(results.final_state, cohort.state[:, -1])
        assert np.array_equal(results["n_reactions"], cohort.n_reactions)
        assert np.array_equal(results.event_observed, cohort.event_observed)
        assert np.array_equal(results.state, cohort.state[:300].astype(np.float32))
        assert np.array_equal(results.values("burden"), cohort.observables[:300, :, 0].astype(np.float32))
        assert np.array_equal(results.trajectory, np.arange(1000))
        np.testing.assert_allclose(results.var[0], cohort.state.var(axis=0, ddof=1), rtol=1e-12)
        np.testing.assert_allclose(results["obs_mean"][0], cohort.observables.mean(axis=0), rtol=1e-12)
        assert np.array_equal(results.p_extinct[0], (cohort.state == 0).mean(axis=0))
        assert results.n_valid.tolist() == [[1000] * 21]
        exact = np.quantile(cohort.state, results.quantile, axis=0)
        np.testing.assert_allclose(results.quantiles[:, 0], exact, rtol=1 / 8, atol=2.0**-4)


def test_any_order_and_cut_of_ranges_gives_the_same_content(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(count=BLOCK + 3000, keep=700), rng)
    whole = cohort.write(tmp_path / "whole.h5")
    bounds = [0, *sorted(rng.choice(np.arange(16, cohort.schema.count, 16), 40, replace=False).tolist())]
    cuts = list(zip(bounds, [*bounds[1:], cohort.schema.count]))
    rng.shuffle(cuts)
    pieces = cohort.write(tmp_path / "pieces.h5", cuts)
    assert content_hash(whole) == content_hash(pieces)


def test_kept_ids_may_come_unordered(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(count=100, keep=50), rng)
    result = cohort.cut(0, 100)
    order = rng.permutation(50)
    values = vars(result) | {
        "kept_ids": result.kept_ids[order],
        "state": result.state[order],
        "observables": result.observables[order],
    }
    with Store.open(tmp_path / "a.h5", cohort.schema) as store:
        store.append(type(result)(**values))
        store.finish(cohort.root(), cohort.sketch())
    assert content_hash(tmp_path / "a.h5") == content_hash(cohort.write(tmp_path / "b.h5"))


def test_packed_ranges_give_the_same_content_from_several_threads(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    cohort = Cohort(schema(count=2000, keep=1500), rng)
    whole = content_hash(cohort.write(tmp_path / "whole.h5"))
    cuts = [(0, 300), (300, 1024), (1024, 1400), (1400, 1500), (1500, 2000)]
    with Store.open(tmp_path / "packed.h5", cohort.schema) as store, ThreadPoolExecutor(3) as threads:
        packed = list(threads.map(lambda cut: PathCoder(cohort.schema).pack(cohort.cut(*cut)), cuts))
        assert (
            sum(len(one.chunks) for one in packed) == 2 * 4
        )  # leaves that lie in one cut, state and observables
        for one in packed[::-1]:
            store.append(one)
        store.finish(cohort.root(), cohort.sketch())
    assert content_hash(tmp_path / "packed.h5") == whole


def test_long_paths_are_split_in_time(tmp_path: Path, rng: np.random.Generator) -> None:
    plan = schema(count=260, keep=260, times=np.linspace(0, 60, 1500), state_dtype="f8", quantiles=())
    cohort = Cohort(plan, rng)
    with Store.open(tmp_path / "a.h5", plan) as store:
        store.append(PathCoder(plan).pack(cohort.cut(0, 260)))
        store.finish(cohort.root(), None)
    with open_results(tmp_path / "a.h5") as results:
        np.testing.assert_array_equal(results.state, cohort.state)
        np.testing.assert_array_equal(results.observables, cohort.observables)
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert file["state"].chunks == (256, 341, 3)


def test_a_row_that_comes_twice_or_lies_outside_is_a_bug(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(count=600), rng)
    for again in ((0, 300), (290, 310)):
        with pytest.raises(CtcError) as caught:
            cohort.write(tmp_path / "a.h5", [(0, 300), again])
        assert caught.value.exit is Exit.BUG
    smaller = schema(count=500)
    with pytest.raises(CtcError) as caught, Store.open(tmp_path / "a.h5", smaller) as store:
        store.append(cohort.cut(400, 600))
    assert codes(caught) == ["B901"]
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_shape_names_the_array(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(count=300), rng)
    result = cohort.cut(0, 300)
    wrong = type(result)(**(vars(result) | {"params": result.params[:, :2]}))
    message = r"params has shape \(300, 2\), not \(300, 4\)"
    with pytest.raises(CtcError, match=message), Store.open(tmp_path / "a.h5", cohort.schema) as store:
        store.append(wrong)


def test_missing_rows_read_as_not_run(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(count=BLOCK + 400, keep=600), rng)
    with open_results(cohort.write(tmp_path / "a.h5", [(256, 512)])) as results:
        assert results.counts[Status.NOT_RUN] == BLOCK + 400 - 256
        assert np.isnan(results.params[:256]).all()
        assert np.isnan(results.state[:256]).all()
        assert np.isnan(results.state[512:]).all()
        assert np.array_equal(results.params[256:512], cohort.params[256:512])
        assert np.array_equal(results.trajectory, np.arange(BLOCK + 400))


def test_ids_of_a_part_of_a_study(tmp_path: Path, rng: np.random.Generator) -> None:
    plan = schema(
        count=512, total=2048, first=256, keep=400, arms=("control", "chemo"), replicates=4, patients=256
    )
    cohort = Cohort(plan, rng)
    two = [np.concatenate([getattr(cohort.root(), name)] * 2) for name in ("n", "mean", "m2", "zeros")]
    with Store.open(tmp_path / "a.h5", plan) as store:
        store.append(cohort.cut(256, 512))
        store.append(cohort.cut(0, 256))
        store.finish(Root(*two), Sketch(np.repeat(cohort.sketch().counts, 2, axis=0), EDGES))
    with open_results(tmp_path / "a.h5") as results:
        assert results.trajectory[[0, -1]].tolist() == [256, 767]
        assert results.kept.tolist() == list(range(256, 400))
        assert results["kept_arm"][:3].tolist() == [0, 1, 0]
        ids = results.trajectory
        rebuilt = (results["patient_id"] * 4 + results["replicate"]) * 2 + results["arm_index"]
        assert np.array_equal(rebuilt, ids)
        assert results.mean.shape == (2, 21, 3)


@pytest.mark.parametrize("count, keep", [(0, 0), (1, 1), (255, 255), (256, 0), (257, 256)])
def test_small_and_empty_files_are_whole(
    tmp_path: Path, rng: np.random.Generator, count: int, keep: int
) -> None:
    plan = schema(count=count, keep=keep)
    cohort = Cohort(plan, rng)
    path = tmp_path / "a.h5"
    with Store.open(path, plan) as store:
        if count:
            store.append(cohort.cut(0, count))
        shape = (1, 21, 4)
        root = (
            cohort.root()
            if count
            else Root(np.zeros(shape[:2], "u8"), *np.zeros((2, *shape)), np.zeros(shape, "u8"))
        )
        store.finish(root, cohort.sketch())
    with open_results(path) as results:
        assert len(results.status) == count
        assert results.schema.kept == keep
        assert np.isnan(results.var).all() == (count < 2)
        assert "method" in results.to_xarray().attrs
    with xarray.open_dataset(path) as dataset:
        assert dataset.sizes["trajectory"] == count


def test_xarray_opens_the_file_with_no_arguments(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(), rng)
    path = cohort.write(tmp_path / "a.h5")
    with xarray.open_dataset(path) as dataset:
        for name, variable in cohort.schema.variables().items():
            assert dataset[name].dims == variable.axes, name
        assert dataset["species"].values.tolist() == ["tumor", "ctc", "drug"]
        assert dataset["status"].dtype == np.uint8  # flags stay integers: no _FillValue on them
        assert dataset["trajectory"].dtype == np.int64
        assert dataset["time"].dtype == np.float64
        assert dataset["time"].attrs["units"] == "d"
        assert "units" not in dataset["state"].attrs  # cells and nmol/mL in one array
        assert dataset["observables"].attrs["units"] == "1/mL"
        np.testing.assert_array_equal(
            dataset["state"].sel(species="ctc", kept=17).values, cohort.state[17, :, 1].astype(np.float32)
        )
    with xarray.open_datatree(path) as tree:
        assert set(tree.children) == {"fates", "lesions", "events_log", "provenance", "summary_state"}
        assert tree["summary_state"]["sketch_counts"].dims == ("arm", "time", "column", "bin")


def test_format_needs_no_new_hdf5_and_no_plugin(tmp_path: Path, rng: np.random.Generator) -> None:
    path = Cohort(schema(), rng).write(tmp_path / "a.h5")
    with h5py.File(path, "r") as file:
        assert file.id.get_create_plist().get_version()[0] <= 2  # superblock: HDF5 1.8 reads it
        filters = {
            file[name].id.get_create_plist().get_filter(k)[0]
            for name in VARIABLES
            if name in file
            for k in range(file[name].id.get_create_plist().get_nfilters())
        }
        assert filters == {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE}
        assert file["state"].chunks == (LEAF, 21, 3)
        assert file["params"].chunks == (1000, 1)


def test_provenance_comes_back_whole(tmp_path: Path, rng: np.random.Generator) -> None:
    source = "# kernel\n" + "x = 1\n" * 30_000  # longer than an HDF5 attribute may be
    odd = {"command": "run caf\udce9\0.toml"}  # an argument in Latin-1, as Python hands it over
    given = {
        "kernel_source": source,
        "seed": 2**64 - 1,
        "threads": 7,
        "note": "",
        "load": 0.5,
        "cpu_name": "é",
    }
    path = Cohort(schema(provenance=given | odd), rng).write(tmp_path / "a.h5")
    with open_results(path) as results:
        found = results.provenance
        assert {name: found[name] for name in given} == given
        assert found["end"] == "2026-11-23T10:00:00Z"
        assert found["command"] == r"run caf\udce9\0.toml"
        assert found["hdf5"] == h5py.version.hdf5_version


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<u8", "<i4", "|u1"])
@pytest.mark.parametrize("kind", ["noise", "constant", "mixed", "one"])
def test_encoded_chunks_are_what_hdf5_reads(
    tmp_path: Path, rng: np.random.Generator, dtype: str, kind: str
) -> None:
    size = 1 if kind == "one" else 70_001
    bits = rng.integers(0, 256, size * np.dtype(dtype).itemsize, dtype=np.uint8)
    values = np.frombuffer(bits.tobytes(), dtype=dtype).copy()
    if kind == "constant":
        values[:] = values[0]
    if kind == "mixed":
        values = np.repeat(values[:7], 10_001)[: len(values)] + np.arange(70_001 if size > 1 else 1).astype(
            dtype
        )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunked = file.create_dataset(
            "x", values.shape, dtype, chunks=values.shape, shuffle=True, compression=1
        )
        chunked.id.write_direct_chunk((0,), encode(values))
        assert file["x"][...].tobytes() == values.tobytes()


def test_noise_is_not_compressed_and_constants_nearly_vanish(rng: np.random.Generator) -> None:
    noise = rng.lognormal(0, 1, BLOCK)
    assert 0.8 * noise.nbytes < len(encode(noise)) < 1.001 * noise.nbytes
    assert len(encode(np.full(BLOCK, 0.37))) < 0.01 * noise.nbytes


def test_memory_does_not_grow_with_the_number_of_trajectories(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Peak of what is allocated while 6 and while 48 blocks of ids go to the file, half a block a range."""
    small = Cohort(schema(count=BLOCK // 2, keep=0), rng)
    piece = vars(small.cut(0, BLOCK // 2))

    def peak(blocks: int) -> int:
        path = tmp_path / f"{blocks}.h5"
        tracemalloc.start()
        with Store.open(path, schema(count=blocks * BLOCK, keep=0)) as store:
            for number in range(2 * blocks):
                store.append(type(small.cut(0, 0))(**(piece | {"first": number * BLOCK // 2})))
            store.finish(small.root(), None)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        with open_results(path) as results:
            assert sum(results.counts.values()) == blocks * BLOCK
            last = results.rows("params", (2 * blocks - 1) * BLOCK // 2, blocks * BLOCK)
            assert np.array_equal(last, small.params)
        return highest

    peak(1)  # imports and the like
    assert peak(48) < 1.25 * peak(6)


def test_quantiles_from_counts_against_numpy(rng: np.random.Generator) -> None:
    values = np.sort(rng.uniform(0, 1, 997))
    edges = np.linspace(0, 1, 5001)
    counts = np.histogram(values, edges)[0]
    levels = (0.0, 0.025, 0.5, 0.9, 1.0)
    found = quantiles_from_counts(counts, edges, levels)
    np.testing.assert_allclose(found, np.quantile(values, levels), atol=1.01 / 5000)


def test_quantiles_from_counts_at_the_edges() -> None:
    edges = [-np.inf, 0.0, 0.0, 1.0, 2.0, np.inf]

    def at(counts: list[int], level: float) -> float:
        return float(quantiles_from_counts(counts, edges, [level])[0])

    assert np.isnan(at([0, 0, 0, 0, 0], 0.5))
    assert at([0, 7, 0, 0, 0], 0.5) == 0.0
    assert at([0, 0, 0, 1, 0], 0.5) == 1.5
    assert at([0, 0, 0, 4, 0], 0.0) == 1.125
    assert at([0, 1, 0, 1, 0], 0.5) == 0.75
    assert np.isnan(at([5, 1, 0, 0, 0], 0.1))
    assert np.isnan(at([0, 1, 0, 0, 5], 0.9))
    assert at([1, 3, 0, 0, 1], 0.5) == 0.0
    many = quantiles_from_counts(np.full((2, 3, 5), 2**31, dtype=np.uint32), edges, [0.5])
    assert many.shape == (1, 2, 3)
    with pytest.raises(ValueError, match="ascending edges"):
        quantiles_from_counts([1, 2], [0, 1], [0.5])
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantiles_from_counts([1], [0, 1], [50])


def test_quantiles_of_whole_numbers_are_whole_and_exact_where_bins_are_narrow(rng: np.random.Generator) -> None:
    levels = (0.0, 0.025, 0.25, 0.5, 0.9, 0.975, 1.0)
    edges = bin_edges(7)
    table = np.stack([rng.poisson(3.1, 400), rng.poisson(200.0, 400), rng.poisson(4e6, 400)])
    counts = np.stack([np.histogram(row, edges[2:])[0] for row in table])
    counts[:, 0] -= (table == 0).sum(axis=1)  # zero has a bin without width
    zeros = (table == 0).sum(axis=1)[:, None]
    counts = np.concatenate([np.zeros((3, 1), int), zeros, counts], axis=1)
    found = quantiles_from_counts(counts, edges, levels, whole=True)
    exact = np.quantile(table, levels, axis=1, method="inverted_cdf")
    np.testing.assert_array_equal(found[:, :2], exact[:, :2])
    np.testing.assert_array_equal(found, np.floor(found))
    np.testing.assert_allclose(found[:, 2], exact[:, 2], rtol=1 / 256)
    each = quantiles_from_counts(counts, edges, levels, whole=[True, False, False])
    np.testing.assert_array_equal(each[:, 0], exact[:, 0])
    assert not np.array_equal(each[:, 1], np.floor(each[:, 1]))  # as before: spread over its bin


def test_columns_of_whole_numbers_are_named_in_the_file(tmp_path: Path, rng: np.random.Generator) -> None:
    cohort = Cohort(schema(count=400, whole=("ctc",)), rng)
    with open_results(cohort.write(tmp_path / "a.h5")) as found:
        assert found.schema.whole == ("ctc",)
        np.testing.assert_array_equal(found.quantiles[..., 1], np.floor(found.quantiles[..., 1]))
        assert not np.array_equal(found.quantiles[..., 0], np.floor(found.quantiles[..., 0]))
        assert from_json(json.loads(json.dumps(as_json(found.schema)))).whole == ("ctc",)


def test_few_values_have_the_quantiles_of_all_bins(rng: np.random.Generator) -> None:
    """One leaf counts only bins that hold something: the same bins and, bit for bit, the same summary."""
    rows = np.exp(rng.normal(0.0, 20.0, (37, 2 * 3 * 4)))
    rows[rng.uniform(size=rows.shape) < 0.2] = 0.0
    rows[:, 5] = 0.0
    rows[3:9, 7], rows[:, 8], rows[2, 9], rows[4, 10], rows[5, 11] = np.nan, np.nan, np.inf, -3.0, 1e-300
    bits, arms = sketch_bits(2 * rows.shape[1]), 2
    dense = np.zeros((arms, rows.shape[1], bins(bits)), np.uint32)
    leaf_functions().tally(rows, 5, arms, dense, bits, LOWEST)
    places = np.empty(rows.shape, np.uint32)
    leaf_functions().places(rows, 5, arms, places, bins(bits), bits, LOWEST)
    index, count = np.unique(places[places != NOWHERE], return_counts=True)
    assert np.array_equal(index, np.flatnonzero(dense))
    assert np.array_equal(count, dense.reshape(-1)[index])
    few = sketch_of(Sparse(index, count.astype(np.uint32)), arms, 6, 4)
    assert few.counts.shape[-1] <= 19
    levels = (0.0, 0.025, 0.5, 0.9, 1.0)
    all_bins = dense.reshape(arms, 6, 4, -1)
    root = Root(np.full((arms, 6), 18), *np.zeros((3, arms, 6, 4)))
    one = summarise(root, Sketch(all_bins, bin_edges(bits)), 3, levels, 128.0)
    other = summarise(root, few, 3, levels, 128.0)
    assert {name: array.tobytes() for name, array in one.items()} == {n: a.tobytes() for n, a in other.items()}
    assert np.isfinite(one["quantiles"]).mean() > 0.8
    assert 0.0 < one["p_low"].mean() < 1.0


def test_relative_error_of_the_bins() -> None:
    assert relative_error(EDGES) == pytest.approx((1 / 8) / (2 + 1 / 8))


def test_schema_knows_sizes_and_what_is_present() -> None:
    plan = schema(keep=0, event_kinds=())
    present = plan.variables()
    assert not {"state", "kept", "kept_arm", "event_time", "event_kind"} & set(present)
    assert plan.bytes_before_compression() > 1000 * (8 * 4 + 8 * 3 + 30)
    assert isinstance(plan, Schema)
    assert schema(keep=50, first=30, count=10).kept == 10
    assert schema(keep=50, first=45, count=10).kept == 5
    assert schema(keep=50, first=60, count=10).kept == 0
