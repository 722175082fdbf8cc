"""`ctcdyn replay`: one trajectory from the file alone, the same bits, also on a finer grid."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from commands import command
from ctcdyn.errors import CtcError, Exit
from ctcdyn.replay import replay
from ctcdyn.results import open_results

STUDY = """schema = 1
[model]
file = "mine.model.toml"
[parameters]
growth = "0.3 /day"
[initial]
tumour = 40
[population]
patients = 300
[population.draw]
loss = { dist = "lognormal", median = "0.2 /day", sigma = 0.5 }
[simulate]
method = "METHOD"
t_end = "5 days"
save = { every = "1 day" }
[ensemble]
seed = 11
[output]
file = "r.h5"
keep = 270
picture = false
"""
MODEL = """schema = 1
name = "mine"
title = "A tumour that sheds"
[species]
tumour = { initial = 10, unit = "cells" }
blood = { initial = 0, unit = "cells" }
[parameters]
growth = { value = "0.1 /day", source = "assumed: a test" }
loss = { value = "0.2 /day", source = "assumed: a test" }
[[reaction]]
name = "grow"
equation = "tumour -> 2 tumour"
k = "growth"
[[reaction]]
name = "leave"
equation = "tumour -> blood"
k = "loss"
[[reaction]]
name = "clear"
equation = "blood ->"
k = "loss"
[observables]
all = { expr = "tumour + blood", unit = "cells" }
"""


@pytest.fixture(params=["direct", "tsit5"])
def result(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A result whose study and model files are gone."""
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(STUDY.replace("METHOD", request.param), encoding="utf-8")
    Path("mine.model.toml").write_text(
        MODEL.replace('shed = { value = "2 * loss", source = "assumed: a test" }\n', ""), encoding="utf-8"
    )
    code, _, err = command("run", "s.toml", "--progress", "none")
    assert code == 0, err
    Path("s.toml").unlink()
    Path("mine.model.toml").unlink()
    return tmp_path / "r.h5"


@pytest.mark.parametrize("trajectory", [0, 137, 256, 299])
def test_the_same_bits(result: Path, trajectory: int) -> None:
    found = replay(result, trajectory)
    assert found.differing == ()
    assert {"status", "params", "final_state"} <= set(found.compared)
    assert ("state" in found.compared) == (trajectory < 270)


def test_a_finer_grid_is_the_same_path(result: Path) -> None:
    fine = replay(result, 5, np.linspace(0.0, 5.0, 501).tolist()).results
    with open_results(result) as stored:
        np.testing.assert_array_equal(fine.state[0, ::100].astype("f8"), stored.state[5].astype("f8"))
    code, out, _ = command("replay", result, "--trajectory", 5, "--dense", "1 hour", "-o", "path.csv")
    assert code == 0
    assert "the same bits as in the file" in out
    table = np.genfromtxt("path.csv", delimiter=",", names=True)
    assert table.dtype.names == ("time_d", "tumour", "blood", "all")
    assert len(table) == 121
    np.testing.assert_array_equal(table["all"], table["tumour"] + table["blood"])
    assert command("replay", result, "--trajectory", 5, "-o", "path.csv")[0] == Exit.OUTPUT


def test_what_is_not_the_same_is_said(result: Path) -> None:
    with h5py.File(result, "r+") as file:
        file["final_state"][7, 1] += 1.0
    code, out, _ = command("replay", result, "--trajectory", 7)
    assert code == Exit.NO
    assert "NOT the same as in the file: final_state" in out
    assert command("replay", result, "--trajectory", 8)[0] == 0


def test_what_cannot_be_replayed(result: Path) -> None:
    for arguments, code, words in (
        (["--trajectory", 300], Exit.OUTPUT, "the study has 0 to 299"),
        (["--trajectory", 3, "--dense", "1 cell"], Exit.USAGE, "1 hour"),
        (["--trajectory", 3, "--dense", "abc"], Exit.CONFIG, "U203"),
        (["--trajectory", 3, "--dense", "-1 day"], Exit.USAGE, "above zero"),
        (["--trajectory", 3, "--dense", "1e-9 s"], Exit.USAGE, "save times"),
    ):
        ended, out, err = command("replay", result, *arguments)
        assert (ended, out) == (int(code), "")
        assert words in err
    with h5py.File(result, "r+") as file:
        file["provenance"].attrs["kernel_sha256"] = "0" * 64
    with pytest.raises(CtcError, match="another kernel"):
        replay(result, 0)
    with h5py.File(result, "r+") as file:
        told = file["provenance"]
        del told["config_resolved_json"]
        told.attrs["config_resolved_json"] = json.dumps({"schema": 1, "model": {"use": "__import__('os')"}})
    with pytest.raises(CtcError, match="R516"):
        replay(result, 0)
