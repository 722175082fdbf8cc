"""A merged result that reads full paths from its shards: it moves with them, and never reads what is not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

import ctcdyn
from commands import command
from ctcdyn.errors import CtcError, Exit
from ctcdyn.store.content import content_hash
from ctcdyn.store.merging import merge

STUDY = """schema = 1
[model]
use = "birth_death_immigration"
[initial]
colony = 5
[simulate]
method = "direct"
t_end = "5 days"
save = { n = 4 }
[ensemble]
trajectories = 1300
seed = 3
[output]
file = "whole.h5"
keep = 900
precision = "single"
picture = false
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole result and its three shards, in a folder whose name HDF5 could take for a pattern."""
    folder = tmp_path_factory.mktemp("virtual")
    (folder / "s.toml").write_text(STUDY, encoding="utf-8")
    study = str(folder / "s.toml")
    for i in (0, 1, 2, 3):
        target = folder / "whole.h5" if not i else folder / "pärts 50%b" / f"part{i}.h5"
        target.parent.mkdir(exist_ok=True)
        part = ["--shard", f"{i}/3"] if i else []
        code, _, err = command("run", study, "-o", target, "--progress", "none", *part)
        assert code == 0, err
    return folder


@pytest.fixture
def merged(made: Path, tmp_path: Path) -> Path:
    """A copy of the folder with a virtual result in it."""
    folder = tmp_path / "before"
    shutil.copytree(made, folder)
    merge(folder / "m.h5", sorted((folder / "pärts 50%b").iterdir()))
    return folder / "m.h5"


def test_a_moved_folder_still_opens(merged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any working folder, by the package, by h5py and by xarray with both of its engines, without arguments."""
    moved = tmp_path / "after"
    merged.parent.rename(moved)
    monkeypatch.chdir("/")
    file, whole = moved / "m.h5", moved / "whole.h5"
    assert file.stat().st_size < whole.stat().st_size
    assert content_hash(file) == content_hash(whole)
    assert command("verify", file)[0] == 0
    assert command("compare", file, whole)[0] == 0
    with ctcdyn.open(file) as one, ctcdyn.open(whole) as other:
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.rows("state", 500, 800), other.state[500:800])
        assert [part.file for part in one.shards()] == [f"pärts 50%b/part{i}.h5" for i in (1, 2)]  # 3 keeps none
        state = other.state
    with h5py.File(file) as plain:
        np.testing.assert_array_equal(plain["state"][...], state)
    for engine in (None, "h5netcdf", "netcdf4"):
        with xarray.open_dataset(file, engine=engine) as data:
            assert data["state"].dims == ("kept", "time", "species")
            np.testing.assert_array_equal(data["state"].values, state)
    with ctcdyn.open(file).to_xarray() as data:
        np.testing.assert_array_equal(data["state"].values, state)


@pytest.mark.parametrize("how", ["gone", "another", "torn", "foreign"])
def test_a_shard_that_is_missing_or_another_is_told(merged: Path, how: str) -> None:
    shard = merged.parent / "pärts 50%b" / "part2.h5"
    if how == "gone":
        shard.unlink()
    elif how == "another":
        shutil.copy(shard.with_name("part1.h5"), shard)
    elif how == "torn":
        with shard.open("r+b") as file:
            file.truncate(2000)
    else:
        shard.write_text("not HDF5", encoding="utf-8")
    code, out, err = command("verify", merged)
    assert (code, out) == (int(Exit.OUTPUT), "")
    assert "R519" in err
    assert "part2.h5" in err
    assert "trajectories 512 to 1023" in err
    assert "Traceback" not in err
    code, out, _ = command("inspect", merged)
    assert code == 0
    assert "1 MISSING OR CHANGED" in " ".join(out.split())
    code, out, _ = command("inspect", merged, "--json")
    assert [bool(entry["wrong"]) for entry in json.loads(out)["shards"]] == [False, True]
    with ctcdyn.open(merged) as found:
        assert np.isfinite(found.mean).all()
        assert found.rows("state", 0, 512).shape == (512, 4, 1)
        with pytest.raises(CtcError, match="R519"):
            found.rows("state", 511, 513)
        with pytest.raises(CtcError, match="R519"):
            _ = found.state
        with pytest.raises(CtcError, match="R519"):
            found.to_xarray()
    assert command("plot", merged, "--kind", "paths")[0] == Exit.OUTPUT


def test_the_same_shard_made_again_is_as_good(merged: Path) -> None:
    shard, before = merged.parent / "pärts 50%b" / "part2.h5", content_hash(merged)
    shard.unlink()
    assert command("run", merged.parent / "s.toml", "--shard", "2/3", "-o", shard, "--progress", "none")[0] == 0
    assert command("verify", merged)[0] == 0
    assert content_hash(merged) == before


def test_a_virtual_result_can_be_merged_again_and_copied(merged: Path) -> None:
    again, whole = merged.with_name("again.h5"), merged.with_name("copied.h5")
    merge(again, [merged])
    merge(whole, [again], copy=True)
    merged.unlink()
    assert content_hash(again) == content_hash(whole)
    shutil.rmtree(merged.parent / "pärts 50%b")
    assert command("verify", whole)[0] == 0


def test_no_shard_is_replaced_by_its_own_merger(merged: Path) -> None:
    shards = sorted((merged.parent / "pärts 50%b").iterdir())
    bytes_before = [path.read_bytes() for path in shards]
    for target, given in ((shards[0], shards), (shards[1], [merged])):
        code, _, err = command("merge", target, *given, "--overwrite")
        assert code == Exit.NO
        assert "is the shard" in err
    assert [path.read_bytes() for path in shards] == bytes_before


def test_a_damaged_shard_is_not_merged(merged: Path) -> None:
    """A flipped bit in a value of a shard: its chunks can be read, but are not what was written."""
    shards = sorted((merged.parent / "pärts 50%b").iterdir())
    with h5py.File(shards[0], "r+") as file:
        file["final_state"][3, 0] += 1.0
    code, _, err = command("merge", merged.with_name("n.h5"), *shards)
    assert code == Exit.OUTPUT
    assert "R505" in err
    assert "part1.h5" in err
    assert not merged.with_name("n.h5").exists()


def test_names_of_other_files_are_refused(merged: Path) -> None:
    """What a file claims to read is what HDF5's mapping says, relative to the result, and by its hash."""
    with h5py.File(merged, "r+") as file:
        group = file["provenance"]
        entries = json.loads(group["parent_files"].asstr()[()])
        entries[0]["file"] = "/etc/passwd"
        del group["parent_files"]
        group["parent_files"] = json.dumps(entries)
    code, _, err = command("verify", merged)
    assert code == Exit.OUTPUT
    assert "R505" in err
    assert "Traceback" not in err
