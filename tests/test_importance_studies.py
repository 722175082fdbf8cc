"""Rare events in studies: what a run tells and stores, the same bytes whoever runs it, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from arms import Halting
from commands import command
from ctcdyn.config import load_study
from ctcdyn.errors import CtcError, Interrupted, Status
from ctcdyn.model.importance import method_problems, read_tilted
from ctcdyn.model.load import prepare
from ctcdyn.model.network import Treatment
from ctcdyn.replay import replay
from ctcdyn.simulation import Model
from ctcdyn.store.content import content_hash
from ctcdyn.study import run
from networks import network, relapse, seeding

STUDY = """schema = 1
[model]
file = "seeds.toml"
[population]
patients = {patients}
[population.draw]
p = {{ dist = "loguniform", low = 1e-7, high = 1e-6 }}
[[event]]
name = "first"
when = "growing >= 1"
stop = true
[[treatment]]
name = "rest"
at = "5 days"
scale = {{ arrivals = 0.5 }}
[[arm]]
name = "untreated"
treatments = []
[[arm]]
name = "treated"
treatments = ["rest"]
[importance]
settle = {theta}
[simulate]
method = "direct"
t_end = "30 days"
save = {{ at = ["10 days"] }}
[ensemble]
seed = 3
[output]
file = "{file}"
picture = false
"""
MODEL = """schema = 1
name = "seeds"
title = "Cells that arrive and settle, or die"
time_unit = "day"
[species]
tissue = { unit = "cells" }
growing = { unit = "cells" }
[parameters]
arrivals = { value = "0.2 cells/day", source = "assumed: a test" }
p = { value = 1e-6, source = "assumed: a test" }
stay = { value = "1 day", source = "assumed: a test" }
[[reaction]]
name = "arrive"
equation = "-> tissue"
rate = "arrivals"
[[reaction]]
name = "settle"
equation = "tissue -> growing"
k = "p / stay"
[[reaction]]
name = "die"
equation = "tissue ->"
k = "(1 - p) / stay"
"""


def write(folder: Path, changes: Mapping[str, str] | None = None, theta: str = "1e5", patients: int = 300) -> Path:
    (folder / "seeds.toml").write_text(MODEL, encoding="utf-8")
    text = STUDY.format(theta=theta, file=folder / "seeds.h5", patients=patients)
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder / "study.toml"


def test_threads_resume_shards_and_replay_give_the_same_bytes(tmp_path: Path) -> None:
    study = write(tmp_path)
    with run(study, threads=2) as found:
        whole = content_hash(tmp_path / "seeds.h5")
        assert found.schema.weighted
        weight, rows = found.weight, found["params"]
        assert np.isfinite(weight).all()
        assert_allclose(found["mean_error"].shape, found.mean.shape)
        p, rest = (rows[:, found.parameter.index(name)] for name in ("p", "tissue__rest"))
        assert_allclose(rest, 1.0 - (1e5 - 1.0) * p / (1.0 - p), rtol=1e-12)
        assert len(np.unique(rest)) == 300
        assert_array_equal(found.to_pandas()["weight"], weight)
    (tmp_path / "seeds.h5").unlink()
    halting = Halting()
    with pytest.raises(Interrupted):
        run(study, threads=1, progress=halting, interruption=halting)  # type: ignore[arg-type]
    with run(study, threads=2, resume=True):
        assert content_hash(tmp_path / "seeds.h5") == whole
    parts = []
    for i in (1, 2):
        file = tmp_path / f"part{i}.h5"
        with run(load_study(study, [f'output.file="{file}"']), threads=1, shard=(i, 2)) as part:
            parts.append(part.weight)
    assert_array_equal(np.concatenate(parts), weight)
    assert command("merge", tmp_path / "whole.h5", tmp_path / "part1.h5", tmp_path / "part2.h5")[0] == 0
    assert content_hash(tmp_path / "whole.h5") == whole
    again = replay(tmp_path / "seeds.h5", 77)
    assert "weight" in again.compared
    assert not again.differing


def test_run_tells_chances_with_error_gain_and_what_is_doubtful(tmp_path: Path) -> None:
    code, out, err = command("run", write(tmp_path), "--threads", 1)
    assert code == 0, err
    assert "chances up to day 30, from weighted trajectories" in out
    assert out.count("mean weight") == 2
    assert "gain" in out
    assert "DOUBTFUL  first treated: few trajectories carry it" in out
    assert "2.5 % to 97.5 %" not in out
    assert "counts as zero from then on" in out
    seen = json.loads(command("inspect", tmp_path / "seeds.h5", "--json")[1])
    assert 0 < seen["events"][0]["share"] < 1e-4
    assert abs(seen["weights"]["mean"] - 1.0) < 5.0 * seen["weights"]["error"]
    assert "rows are of the law drawn from" in " ".join(command("inspect", tmp_path / "seeds.h5")[1].split())
    told = command("check", tmp_path / "study.toml", "--explain")[1]
    assert "settle is drawn 100000 times as often as it happens, every other fate of tissue 0.900001 times" in told


def test_a_model_of_the_study_draws_as_the_study_does(tmp_path: Path) -> None:
    model = Model.from_study(write(tmp_path), arm="untreated")
    found = model.simulate([0.0, 10.0, 30.0], method="direct", n=3, parameters={"p": [1e-6, 2e-7, 5e-6]}, seed=3)
    assert_allclose(found.params[:, found.parameter.index("settle__tilt")], 1e5)
    assert (found.weight != 1.0).any()
    with pytest.raises(CtcError, match="already"):
        model.simulate([0.0, 1.0], method="direct", importance={"settle": 2.0})


def test_a_patient_to_whom_nothing_is_left_fails(tmp_path: Path) -> None:
    """The study's own numbers are fine; some patients' are not."""
    study = write(tmp_path, {"high = 1e-6": "high = 2e-6"}, theta="8e5", patients=40)
    with run(load_study(study, ["limits.max_failed_fraction=1"]), threads=1) as found:
        p = found["params"][:, found.parameter.index("p")]
        lost = p * (8e5 - 1.0) >= 1.0 - p
        assert 5 < lost.sum() < 75
        assert_array_equal(found.status == Status.NOT_FINITE, lost)
        assert_array_equal(np.isnan(found.weight), lost)
        assert (found.n_valid <= (~lost).sum()).all()


# ---- what is refused, and the small pieces ---------------------------------------------------------------------
def refused(folder: Path, changes: Mapping[str, str], theta: str = "1e5") -> list[tuple[str, str]]:
    with pytest.raises(CtcError) as told:
        prepare(write(folder, changes, theta))
    assert not (folder / "seeds.h5").exists()
    assert all(problem.place is not None and problem.fix for problem in told.value.problems)
    return [(problem.code, problem.what) for problem in told.value.problems]


@pytest.mark.parametrize(
    "changes, code, words",
    [
        ({"settle = 1e5": "setle = 1e5"}, "C102", 'unknown reaction "setle"'),
        ({"settle = 1e5": "settle = 0"}, "C105", "must be above 0"),
        ({"settle = 1e5": "settle = -2.0"}, "C105", "must be above 0"),
        ({"settle = 1e5": "settle = inf"}, "C106", "must be finite"),
        ({"settle = 1e5": "settle = 1e6"}, "C120", "nothing is left to the other fates of tissue"),
        ({"settle = 1e5": "arrive = 2"}, "C120", "takes no cell"),
        ({'method = "direct"': 'method = "auto"'}, "C107", "by its name"),
        ({'method = "direct"': 'method = "ode"'}, "C107", '"ode" does not'),
        ({'method = "direct"': 'method = "hybrid"'}, "C107", "switch_up"),
        ({'method = "direct"': 'method = "hybrid"\ncontinuous = ["tissue"]\nhybrid = { switch_up = 1e16 }'}, "C120",
         "pinned"),
        ({"scale = { arrivals = 0.5 }": "scale = { p = 0.5 }"}, "C120", "change along a path with p"),
        ({"picture = false": "picture = false\nquantiles = [0.5]"}, "C107", "output.quantiles"),
    ],
)  # fmt: skip
def test_what_is_refused(changes: dict[str, str], code: str, words: str, tmp_path: Path) -> None:
    found = refused(tmp_path, changes)
    assert [c for c, _ in found] == [code]
    assert words in found[0][1]


def test_all_that_is_wrong_comes_at_once(tmp_path: Path) -> None:
    wrong = {"settle = 1e5": "arrive = 2\nsetle = 3", 'method = "direct"': 'method = "ode"'}
    assert sorted(code for code, _ in refused(tmp_path, wrong)) == ["C102", "C107", "C120"]


def test_other_networks_and_methods_that_have_no_such_fates() -> None:
    pair = network(
        "pair", {"x": 9.0, "y": 9.0}, {"a": 1.0, "b": 0.5},
        {"meet": ("x + y ->", "a"), "go": ("x ->", "a"), "slow": ("x ->", "=b * x / (1 + x)"),
         "wane": ("y ->", "a * exp(-t)"), "rest": ("y ->", "b"), "two": ("2 y ->", "b")},
    )  # fmt: skip
    told = {name: read_tilted(pair, {name: 2.0})[1] for name in ("meet", "go", "slow", "wane", "two")}
    assert all([p.code for p in problems] == ["C120"] for problems in told.values())
    words = {"meet": "takes 2 cells", "two": "takes 2 cells", "go": "no other fate", "slow": "no k for each cell",
             "wane": "change along a path with t"}  # fmt: skip
    assert all(text in told[name][0].what for name, text in words.items())
    scaled = replace(seeding(), treatments=(Treatment("drug", 5.0, scale=((2, 3.0),)),))
    assert read_tilted(scaled, {"settle": 10.0})[1] == []  # all fates three times as slow: the share stands still
    grown, _ = read_tilted(relapse(), {"detect": 3.0, "settle": 2.0})
    assert [p.code for p in method_problems(grown, "first_order_leap", "mixed", 500.0)] == ["C120"]
    assert method_problems(grown, "direct", "jump", 500.0) == []
    for method, semantics in (("backward", "backward"), ("implicit_tau", "jump"), ("moments", "moments"),
                              ("euler_maruyama", "langevin"), ("tsit5", "ode")):  # fmt: skip
        assert [p.code for p in method_problems(grown, method, semantics, 500.0)] == ["C107"]
    model = Model(seeding())
    with pytest.raises(CtcError, match="nothing is left") as caught:
        model.simulate([0.0, 1.0], method="direct", parameters={"p": [1e-6, 1e-4]}, importance={"settle": 1e5})
    assert "in 1 of 2 trajectories" in str(caught.value)
    with pytest.raises(CtcError, match="draws what each cell does"):
        model.simulate([0.0, 1.0], method="ode", importance={"settle": 10.0})
    with pytest.raises(CtcError) as caught:
        model.simulate([0.0, 1.0], method="direct", importance={"settle": math.nan, "sttle": 2.0})
    assert [p.code for p in caught.value.problems] == ["C106", "C102"]
