"""What other programs read in a result, a merged one included: the blocks of docs/readers.md are run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from netCDF4 import Dataset

import ctcdyn
from commands import command
from ctcdyn.store.merging import merge
from founded import Patients
from needs import absent

PAGE = (Path(__file__).parents[1] / "docs" / "readers.md").read_text(encoding="utf-8")
STUDY = """schema = 1
[model]
use = "birth_death_immigration"
[initial]
colony = 5
[population]
patients = 400
[population.draw]
birth = { dist = "lognormal", median = "1 /day", sigma = 0.1 }
[simulate]
method = "direct"
t_end = "5 days"
save = { n = 4 }
[ensemble]
seed = 3
[output]
file = "cohort.h5"
keep = 300
precision = "single"
picture = false
"""
ENGINES = (None, "h5netcdf", "netcdf4")


def blocks(language: str, of_lesions: bool = False) -> list[str]:
    """Those about the table of lesions, or all others; the block on fates is run by test_fates."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [block for block in found if ("lesions" in block) is of_lesions and "fates" not in block]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A result, and one that was merged from two shards, each called cohort.h5 in a folder of its own."""
    folder = tmp_path_factory.mktemp("readers")
    (folder / "s.toml").write_text(STUDY, encoding="utf-8")
    for name in ("plain", "merged"):
        (folder / name).mkdir()
    for words in (["-o", folder / "plain" / "cohort.h5"], *(["--shard", f"{i}/2"] for i in (1, 2))):
        if "--shard" in words:
            words += ["-o", folder / "merged" / f"{words[1][0]}.h5"]
        code, _, err = command("run", folder / "s.toml", "--progress", "none", *words)
        assert code == 0, err
    merge(folder / "merged" / "cohort.h5", [folder / "merged" / f"{i}.h5" for i in (1, 2)])
    return {name: folder / name / "cohort.h5" for name in ("plain", "merged")}


@pytest.mark.parametrize("which", ["plain", "merged"])
@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_xarray_reads_everything_without_arguments(results: dict[str, Path], which: str, engine: str | None) -> None:
    with ctcdyn.open(results[which]) as ours, xarray.open_dataset(results[which], engine=engine) as data:
        assert {*data.variables} == {*ours.names}
        for name in ours.names:
            assert data[name].dims == ctcdyn.store.layout.VARIABLES[name].axes
            np.testing.assert_array_equal(data[name].values, ours[name])
        assert data["state"].dtype == np.float32
        assert data["status"].dtype == np.uint8
        assert data["time"].attrs["units"] == "d"
        assert data["mean"].sel(arm="control", species="colony").shape == (4,)


def test_netcdf4_reads_a_result(results: dict[str, Path]) -> None:
    for path in results.values():
        with ctcdyn.open(path) as ours, Dataset(path) as data:
            assert data["state"].dimensions == ("kept", "time", "species")
            np.testing.assert_array_equal(np.asarray(data["state"][:]), ours.state)
            assert data["species"][:].tolist() == ["colony"]


@pytest.mark.parametrize("which", ["plain", "merged"])
@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_blocks_of_python(
    results: dict[str, Path], which: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results[which].parent)
    found: dict[str, Any] = {}
    exec(compile(blocks("python")[number], f"docs/readers.md block {number}", "exec"), found)  # noqa: S102
    with ctcdyn.open("cohort.h5") as ours:
        if "data" in found:
            np.testing.assert_array_equal(found["curve"], ours.mean[0, :, 0])
            np.testing.assert_array_equal(found["last"], ours.state[:, -1, 0])
            np.testing.assert_array_equal(found["drawn"], ours.params[:, ours.parameter.index("birth")])
            found["data"].close()
        elif "axes" in found:
            assert found["axes"] == ["/kept", "/time", "/species"]
            np.testing.assert_array_equal(found["mean"], ours.mean[0, :, 0])
            assert found["study"] == STUDY
        else:
            np.testing.assert_array_equal(found["parameters"]["birth"], ours.params[:, ours.parameter.index("birth")])
            np.testing.assert_array_equal(found["means"]["colony"], ours.mean[0, :, 0])
            assert found["passages"] is None
            assert len(found["rows"]) == 400


@pytest.mark.parametrize("which", ["plain", "merged"])
@pytest.mark.parametrize("package", ["hdf5r", "rhdf5"])
def test_blocks_of_r(results: dict[str, Path], which: str, package: str) -> None:
    (block,) = [block for block in blocks("r") if f"library({package})" in block]
    tell = 'cat(dim(state), sprintf("%.17g", c(sum(state), days, sum(parameters$birth))), sep = "\\n")'
    numbers = by_r(package, f"{block}\n{tell}", results[which].parent)
    with ctcdyn.open(results[which]) as ours:
        assert numbers[:3] == [1, 4, 300]
        assert numbers[3] == ours.state.astype(np.float64).sum()  # whole numbers: their sum is exact
        np.testing.assert_array_equal(numbers[4:8], ours.time)
        np.testing.assert_allclose(numbers[8], ours.params[:, ours.parameter.index("birth")].sum(), rtol=1e-12)


@pytest.fixture
def patients(tmp_path: Path) -> Patients:
    """A made-up result with a table of lesions, cohort.h5 in the folder of the test."""
    made = Patients(np.random.default_rng(5))
    made.write(tmp_path / "cohort.h5")
    return made


def test_python_reads_the_table_of_lesions(
    patients: Patients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ids, size = patients.table["trajectory"], patients.table["size"]
    found: dict[str, Any] = {}
    (block,) = blocks("python", of_lesions=True)
    exec(compile(block, "docs/readers.md", "exec"), found)  # noqa: S102
    expected = [size[ids == one].max() for one in np.unique(ids)]
    np.testing.assert_array_equal(found["largest"], expected)
    np.testing.assert_array_equal(found["rows"]["size"].values, size)
    assert found["by_organ"].sum() == len(size)


def test_r_reads_the_table_of_lesions(patients: Patients, tmp_path: Path) -> None:
    (block,) = blocks("r", of_lesions=True)
    tell = 'cat(sprintf("%.17g", sum(lesions$founders)), sum(lesions$organ == "bone marrow"), sep = "\\n")'
    numbers = by_r("hdf5r", f"{block}\n{tell}", tmp_path)
    assert numbers == [patients.table["founders"].sum(), (patients.table["rule"] == 2).sum()]


def by_r(package: str, program: str, folder: Path) -> list[float]:
    """The numbers that a program of R prints; the test ends here where R or the package is missing."""
    if shutil.which("Rscript") is None:
        absent("r", "R is not installed")
    ask = ["Rscript", "-e", f"quit(status = !requireNamespace('{package}', quietly = TRUE))"]
    if subprocess.run(ask, capture_output=True, check=False).returncode:
        absent("r", f"the R package {package} is not installed")
    done = subprocess.run(["Rscript", "-e", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [float(line) for line in done.stdout.split()]
