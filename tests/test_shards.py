"""Shards: parts of a study as results of their own, and the whole from them, the same bytes as from one machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from commands import command
from ctcdyn import study
from ctcdyn.errors import Exit
from ctcdyn.store.content import content_hash
from ctcdyn.store.identity import as_json, from_json
from ctcdyn.store.merging import merge

STUDY = """schema = 1
[model]
use = "ctc_linear"
[population]
patients = 650
replicates_free = 0
[population.draw]
clearance = { dist = "lognormal", median = "16 /day", sigma = 0.3 }
[simulate]
method = "METHOD"
t_end = "2 days"
save = { every = "12 hours" }
[ensemble]
seed = 3
replicates = 2
[output]
file = "whole.h5"
keep = KEEP
picture = false
"""


@pytest.fixture
def written(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of 1300 trajectories: 6 leaves, the last one short."""
    method, keep = getattr(request, "param", ("direct", 600))
    text = STUDY.replace("METHOD", method).replace("KEEP", str(keep)).replace("replicates_free = 0\n", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    return tmp_path / "s.toml"


def run(file: Path, *arguments: object) -> None:
    code, _, err = command("run", file, "--progress", "none", *arguments)
    assert code == 0, err


@pytest.mark.parametrize("written", [("direct", 0), ("direct", 600), ("rodas5p", 1300)], indirect=True, ids=str)
@pytest.mark.parametrize("parts", [1, 3, 6])
def test_merged_shards_are_the_whole(written: Path, parts: int) -> None:
    """Rows, paths, summary, and the state of the reduction tree, whatever the order in which shards are given."""
    run(written)
    shards = []
    for i in range(1, parts + 1):
        run(written, "--shard", f"{i}/{parts}", "-o", f"part{i}.h5", "--threads", 1 + i % 2)
        shards.append(written.with_name(f"part{i}.h5"))
    for copy in (False, True):
        merged = written.with_name(f"merged{copy}.h5")
        whole = merge(merged, shards[::-1], copy=copy)
        assert whole.count == 1300
        assert content_hash(merged) == content_hash(written.with_name("whole.h5"))
        with h5py.File(merged) as one, h5py.File(written.with_name("whole.h5")) as other:
            names = list(other["summary_state"])
            assert list(one["summary_state"]) == names
            for name in names:
                np.testing.assert_array_equal(one["summary_state"][name][...], other["summary_state"][name][...])
            kept = "state" in other
            assert kept == (whole.keep > 0)
            if kept:
                assert one["state"].is_virtual is not copy
                np.testing.assert_array_equal(one["state"][...], other["state"][...])  # as HDF5 itself finds it


def test_a_shard_is_a_result_of_its_own(written: Path) -> None:
    run(written, "--shard", "2/3")
    code, out, _ = command("inspect", "whole.shard-2-of-3.h5")
    assert code == 0
    assert "512 of 512, a part of 1 300" in out
    with study.open_results("whole.shard-2-of-3.h5") as found:
        assert found.trajectory[0] == 512
        means = found.final_state[:, 0].mean()
        assert np.isclose(found.mean[0, -1, 0], means, rtol=1e-12)


def test_what_does_not_belong_together_is_told_at_once(written: Path) -> None:
    for i in (1, 2, 3):
        run(written, "--shard", f"{i}/3")
    run(written, "--shard", "2/3", "--seed", 4, "-o", "foreign.h5")
    names = [f"whole.shard-{i}-of-3.h5" for i in (1, 2, 3)]

    def told(*shards: str, ends: Exit = Exit.NO) -> str:
        code, out, err = command("merge", "m.h5", *shards)
        assert (code, out) == (int(ends), "")
        assert "Traceback" not in err
        assert not Path("m.h5").exists()
        assert list(Path().glob("*.part*")) == []
        return err

    gap = told(names[0], names[2])
    assert "trajectories 512 to 1023 of 1300 are in no shard" in gap
    assert "--shard 2/3" in gap
    both_gone = told(names[1])
    assert "trajectories 0 to 511" in both_gone
    assert "trajectories 1024 to 1299" in both_gone
    assert "for i in 1 3; do ctcdyn run" in both_gone
    assert "trajectories 1024 to 1299 of 1300 are in no shard" in told(*names[:2])
    assert "holds trajectories 512 to 1023 again" in told(*names, names[1])
    both = told(names[0], "foreign.h5")
    assert "seed was 3, is 4" in both
    assert "trajectories 1024 to 1299" in both
    shutil.copy(names[0], "torn.h5")
    with Path("torn.h5").open("r+b") as file:
        file.truncate(3000)
    assert "R505" in told("torn.h5", names[1], ends=Exit.OUTPUT)
    assert command("merge", names[0], *names)[0] == Exit.OUTPUT  # never over a file that is there


@pytest.mark.parametrize(("part", "code"), [("7/7", 3), ("0/3", 2), ("4/3", 2), ("1", 2), ("a/b", 2), ("1/-3", 2)])
def test_a_shard_that_cannot_be(written: Path, part: str, code: int) -> None:
    ended, out, err = command("run", written, "--shard", part)
    assert (ended, out) == (code, "")
    assert "Traceback" not in err
    assert sorted(path.name for path in written.parent.iterdir()) == ["s.toml"]


def test_a_schema_comes_back_from_plain_data(written: Path) -> None:
    _, _, schema = study._plan(study.load_study(str(written)), False, (2, 3))
    again = from_json(as_json(schema))
    assert as_json(again) == as_json(schema)
    assert (again.first, again.count, again.total) == (512, 512, 1300)
    np.testing.assert_array_equal(again.times, schema.times)
    np.testing.assert_array_equal(again.bin_edges, schema.bin_edges)
