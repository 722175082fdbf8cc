"""Fates counted: cells and not reactions, exactly, the same bytes from shards, as table, picture and group."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import ctcdyn
from chance import assert_mean
from commands import command
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.lineage import Lineage
from ctcdyn.config import load_study
from ctcdyn.errors import CtcError
from ctcdyn.fates import fate_table, fates_met
from ctcdyn.model import fates
from ctcdyn.model.load import load_model, prepare
from ctcdyn.model.network import Network
from ctcdyn.plots import draw
from ctcdyn.replay import replay
from ctcdyn.store.content import content_hash
from ctcdyn.store.layout import FATE
from ctcdyn.store.merging import merge
from ctcdyn.summary import summary

# Single cells and clusters of three are shed, torn or leave the vessel; `shed_cells` counts by itself.
MODEL = """
schema = 1
name = "shedding"
[species]
primary    = { unit = "cells", initial = 40 }
blood      = { unit = "cells", stage = "blood" }
cluster    = { unit = "cells", stage = "blood", cells = 3 }
tissue     = { unit = "cells" }
shed_cells = { unit = "cells" }
[parameters]
shedding = { value = "0.5 /day", source = "assumed: example" }
tearing  = { value = "8 /day", source = "assumed: example", bounds = ["0 /day", "100 /day"] }
leaving  = { value = "2 /day", source = "assumed: example" }
parting  = { value = "4 /day", source = "assumed: example" }
[[reaction]]
name = "shed"
equation = "primary -> primary + blood + shed_cells"
k = "shedding"
fate = "shed"
[[reaction]]
name = "shed_cluster"
equation = "primary -> primary + cluster + 3 shed_cells"
k = "shedding / 5"
fate = "shed"
[[reaction]]
name = "tear"
equation = "blood ->"
k = "tearing"
fate = "shear"
[[reaction]]
name = "tear_cluster"
equation = "cluster ->"
k = "tearing / 4"
fate = "shear"
[[reaction]]
name = "leave"
equation = "blood -> tissue"
k = "leaving"
fate = "extravasated"
[[reaction]]
name = "leave_cluster"
equation = "cluster -> 3 tissue"
k = "leaving"
fate = "extravasated"
[[reaction]]
name = "part"
equation = "cluster -> 3 blood"
k = "parting"
"""
STUDY = """
schema = 1
[model]
file = "shedding.model.toml"
[[treatment]]
name = "flow"
at = "10 days"
scale = { tearing = 2 }
[[arm]]
name = "control"
treatments = []
[[arm]]
name = "exercise"
treatments = ["flow"]
[simulate]
method = "direct"
t_end = "20 days"
save = { n = 5 }
[ensemble]
trajectories = 3200
seed = 20261127
[output]
fates = true
keep = 3
"""


def write(folder: Path, name: str = "counted") -> Path:
    (folder / "shedding.model.toml").write_text(MODEL, encoding="utf-8")
    path = folder / f"{name}.toml"
    path.write_text(STUDY + f"file = {json.dumps(str(folder / name))}.h5\n".replace('".h5', '.h5"'), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of the study."""
    folder = tmp_path_factory.mktemp("fates")
    ctcdyn.run(load_study(str(write(folder))), threads=2).close()
    return folder / "counted.h5"


def model(tmp_path: Path, text: str) -> Network:
    path = tmp_path / "shedding.model.toml"
    path.write_text(text, encoding="utf-8")
    return load_model(path)


def test_cells_are_counted_and_not_reactions(tmp_path: Path) -> None:
    network, problems = fates.with_fates(model(tmp_path, MODEL))
    assert problems == []
    assert network.fates == ("shed", "shear", "extravasated")
    assert fates.PREFIX == FATE
    change = network.stoichiometry()[5:]  # fates in rows
    assert change.tolist() == [[1, 3, 0, 0, 0, 0, 0], [0, 0, 1, 3, 0, 0, 0], [0, 0, 0, 0, 1, 3, 0]]
    assert [r.equation for r in network.reactions[2:5]] == [
        "blood -> fate_shear", "cluster -> 3 fate_shear", "blood -> tissue + fate_extravasated"
    ]  # fmt: skip


DRUG = """
[[reaction]]
name = "decay"
equation = "drug ->"
k = "parting"
fate = "decayed"
"""


@pytest.mark.parametrize(
    "text, told",
    [
        (MODEL.replace("fate = ", "doc = "), "no reaction of shedding has a fate"),
        (MODEL.replace("tissue", "fate_shear"), "fate_shear is taken"),
        (MODEL.replace("[param", 'drug = { unit = "nmol/mL" }\n[param') + DRUG, "decay has the fate decayed"),
    ],
)
def test_what_cannot_be_counted_is_told_at_the_key(tmp_path: Path, text: str, told: str) -> None:
    study = write(tmp_path)
    (tmp_path / "shedding.model.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CtcError) as caught:
        prepare(study)
    (problem,) = caught.value.problems
    assert problem.code == "C122"
    assert told in problem.what
    assert problem.place is not None
    assert problem.place.text.startswith("fates")


def test_a_hazard_has_its_own_name_as_fate_and_its_cells(tmp_path: Path) -> None:
    network = model(tmp_path, MODEL + "[mechanisms]\nnk_cells = true\n")
    killed = [r for r in network.reactions if r.name.startswith("nk")]
    assert {r.fate for r in killed} == {"nk"}
    tally = fates.with_fates(network)[0].stoichiometry()[-1]
    counts = {r.name: int(tally[network.index(r.name)]) for r in killed}
    assert counts == {"nk_blood": 1, "nk_cluster": 3, "nk_tissue": 1}


def test_the_counting_model_stays_one_of_independent_cells() -> None:
    network, _ = fates.with_fates(load_model("human_breast_min"))
    lineage = Lineage(Layout(network, "mixed"))
    assert not any(way.frozen for way in lineage.ways)
    assert sum(node.kind == "event" for node in lineage.nodes) == 0  # no way is slowed by what is counted


def test_no_cell_is_lost_or_counted_twice(counted: Path) -> None:
    with ctcdyn.open(counted) as results:
        state = dict(zip(results.species, results.final_state.T, strict=True))
        assert np.array_equal(state["fate_shed"], state["shed_cells"])
        left = state["fate_shed"] - state["fate_shear"] - state["fate_extravasated"]
        assert np.array_equal(left, state["blood"] + 3 * state["cluster"])
        assert np.array_equal(state["fate_extravasated"], state["tissue"])
        assert (state["fate_shear"] > 100).all()


def test_the_share_that_leaves_is_that_of_the_rates(counted: Path) -> None:
    """Of single cells 2 in 10; of clusters 2 in 8 as they are, 4 in 8 as single cells: (1 * 0.2 + 0.6 * 0.35) / 1.6."""
    with ctcdyn.open(counted) as results:
        rest = results["arm_index"] == 0
        share = (0.2 + 0.6 * (0.25 + 0.5 * 0.2)) / 1.6
        columns = {name: results.species.index(name) for name in ("fate_shear", "fate_extravasated")}
        torn, left = (results.final_state[rest, c] for c in columns.values())
        value = left - share * (torn + left)  # of mean 0: each cell has one of the two fates
        assert_mean(value, 0.0, sd=float(value.std()), detect=2.0)


def test_means_and_errors_of_the_group_are_those_of_the_summary(counted: Path) -> None:
    with ctcdyn.open(counted) as results, xarray.open_datatree(counted) as tree:
        found, group = results.fates, tree["fates"]
        assert group["mean"].dims == group["error"].dims == ("arm", "fate", "time")
        assert group["fate"].values.tolist() == list(found.names) == ["shed", "shear", "extravasated"]
        assert np.array_equal(group["mean"].values, found.mean)
        assert np.array_equal(group["error"].values, found.error)
        column = results.species.index("fate_shear")
        assert np.array_equal(found["shear"], results.mean[..., column])
        assert np.array_equal(found.error[:, 1], np.sqrt(results.var[..., column] / results.n_valid))
        assert found.to_pandas().shape == (2 * 3 * 5, 5)
        assert tree["fates"]["mean"].sel(arm="exercise", fate="shear").values[-1] > found.mean[0, 1, -1]


def test_the_block_of_the_page_on_readers_runs(
    counted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[1] / "docs" / "readers.md").read_text(encoding="utf-8")
    (block,) = [x for x in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "fates" in x]
    shutil.copy(counted, tmp_path / "fates.h5")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(block, found)  # noqa: S102
    assert 0.5 < float(found["torn"][-1]) < 0.8


def test_shares_have_the_error_of_a_ratio(counted: Path) -> None:
    with ctcdyn.open(counted) as results:
        met = {(entry["arm"], entry["fate"]): entry for entry in fates_met(results)}
        for number, arm in enumerate(results.arm):
            rows = results.final_state[results["arm_index"] == number]
            x, y = (rows[:, results.species.index(name)] for name in ("fate_shed", "fate_extravasated"))
            r = y.sum() / x.sum()
            error = math.sqrt(((y - r * x) ** 2).sum() / (len(x) * (len(x) - 1))) / x.mean()
            entry = met[arm, "extravasated"]
            assert (entry["share"], entry["share_error"]) == pytest.approx((r, error), rel=1e-9)
            assert entry["error"] == pytest.approx(y.std(ddof=1) / math.sqrt(len(y)), rel=1e-9)
            assert met[arm, "shed"]["share_error"] == 0.0
        assert met["exercise", "shear"]["share"] > met["control", "shear"]["share"]


def test_shards_merged_and_a_replay_are_the_same(counted: Path, tmp_path: Path) -> None:
    parts = []
    for i in (1, 2):
        study = load_study(str(write(tmp_path, f"part{i}")))
        ctcdyn.run(study, threads=1, shard=(i, 2)).close()
        parts.append(tmp_path / f"part{i}.h5")
    merge(tmp_path / "merged.h5", parts, False, False)
    assert content_hash(tmp_path / "merged.h5") == content_hash(counted)
    with ctcdyn.open(tmp_path / "merged.h5") as merged, ctcdyn.open(counted) as results:
        assert np.array_equal(merged.fates.mean, results.fates.mean)
    assert not replay(counted, 1).differing


def test_tables_show_fates_apart(counted: Path) -> None:
    code, out, _ = command("inspect", counted)
    assert code == 0
    assert "of all cells shed\n control\n" in out
    assert "fate_" not in out.split("of all cells shed")[0]
    data = json.loads(command("inspect", counted, "--json")[1])
    assert [entry["fate"] for entry in data["fates"]] == ["shed", "shear", "extravasated"] * 2
    assert "fate_shear" in data["species"]
    with ctcdyn.open(counted) as results:
        told = summary(results, load_model(counted.parent / "shedding.model.toml"))
        assert fate_table(data["fates"]) in told
        assert "fate_" not in told
        assert told.count("not for clinical use") == 1
        assert "not for clinical use" in out


def test_bars_of_fates(counted: Path, tmp_path: Path) -> None:
    with ctcdyn.open(counted) as results:
        (axes,) = draw(results, "fates").axes
        assert [text.get_text() for text in axes.get_yticklabels()] == ["shear", "extravasated"]
        met = [entry["share"] for entry in fates_met(results) if entry["fate"] != "shed"]
        ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
        assert ends == pytest.approx([100 * share for share in met])
        with pytest.raises(CtcError, match="extravasated"):
            draw(results, "fates", ["extravasation"])
    code, _, err = command("plot", counted, "--kind", "fates", "-o", tmp_path / "fates.svg")
    assert (code, err) == (0, "")
    assert "not for clinical use" in (tmp_path / "fates.svg").read_text(encoding="utf-8")


def test_without_shed_there_are_counts() -> None:
    entry = {"arm": "a", "fate": "nk", "n": 4, "mean": 12.0, "error": 0.5, "share": None, "share_error": None}
    assert fate_table([entry]).splitlines() == [
        "cells by fate", "      cells of a patient  ± MC error", "  nk               12.00        0.50"
    ]  # fmt: skip
